import Foundation
import Synchronization
import TensorCore
import Testing

@Suite struct CounterRandomTests {
  /// Known answers of Random123's `philox4x32-10`.
  @Test func philoxIsPhilox() {
    #expect(CounterRandom.philox(counter: (0, 0, 0, 0), key: (0, 0)) == (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    let ones = UInt32.max
    #expect(CounterRandom.philox(counter: (ones, ones, ones, ones), key: (ones, ones)) == (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      CounterRandom.philox(counter: (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: (0xa409_3822, 0x299f_31d0))
        == (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test func streamsDifferAndRepeat() {
    func draws(_ seed: Int, _ purpose: RandomPurpose, _ epoch: Int, _ sample: Int) -> [UInt32] {
      var random = CounterRandom(seed: seed, purpose: purpose, epoch: epoch, sample: sample)
      return (0..<8).map { _ in random.nextWord() }
    }
    let streams = [draws(1, .weights, 0, 0), draws(2, .weights, 0, 0), draws(1, .shuffle, 0, 0), draws(1, .weights, 1, 0), draws(1, .weights, 0, 1)]
    #expect(Set(streams).count == streams.count)
    #expect(draws(1, .weights, 0, 0) == streams[0])
  }

  @Test func momentsOfUniformAndNormal() {
    var random = CounterRandom(seed: 4, purpose: .testing)
    let uniform = (0..<40_000).map { _ in Double(random.uniform()) }, normal = (0..<40_000).map { _ in Double(random.normal()) }
    func moments(_ x: [Double]) -> (Double, Double) {
      let mean = x.reduce(0, +) / Double(x.count)
      return (mean, x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count))
    }
    #expect(abs(moments(uniform).0 - 0.5) < 0.01 && abs(moments(uniform).1 - 1 / 12.0) < 0.003)
    #expect(abs(moments(normal).0) < 0.02 && abs(moments(normal).1 - 1) < 0.03)
    #expect(Set(random.permutation(100)) == Set(0..<100))
  }
}

@Suite struct BufferTests {
  @Test func memoryThatIsRefusedIsAnErrorOfItsOwn() throws {
    #expect { try AlignedBuffer(count: 1 << 48) } throws: { "\($0)" == "not enough memory: 1125899907 MB were refused" }
    #expect(try AlignedBuffer(count: 1 << 20).array.allSatisfy { $0 == 0 })
  }
}

@Suite struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 8]) func everyTaskRunsOnce(_ threads: Int) throws {
    let pool = ThreadPool(threads: threads)
    defer { pool.shutDown() }
    for round in 0..<200 {
      let counts = try (0..<round).map { _ in try AlignedBuffer(count: 1) }
      pool.run(tasks: round) { task, thread in
        counts[task].pointer[0] += 1
        precondition(thread >= 0 && thread < threads)
      }
      #expect(counts.allSatisfy { $0.pointer[0] == 1 })
    }
  }

  /// What goes around the work is there for every task on every thread, and gone from the calling one afterwards.
  @Test(arguments: [1, 2, 4], [0, 1, 50]) func everyTaskRunsWithinWhatGoesAround(_ threads: Int, _ tasks: Int) {
    let within = Mutex<Set<ObjectIdentifier>>([])
    @Sendable func thread() -> ObjectIdentifier { ObjectIdentifier(Thread.current) }
    let pool = ThreadPool(threads: threads) { work in
      within.withLock { _ = $0.insert(thread()) }
      work()
      within.withLock { _ = $0.remove(thread()) }
    }
    defer { pool.shutDown() }
    let outside = Atomic<Int>(0)
    pool.run(tasks: tasks) { _, _ in
      if !within.withLock({ $0.contains(thread()) }) { outside.add(1, ordering: .relaxed) }
    }
    #expect(outside.load(ordering: .relaxed) == 0 && !within.withLock { $0.contains(thread()) })
  }
}
