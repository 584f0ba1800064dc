import CKernels
import NetworkGraph
import Ops
import TensorCore
import TestSupport
import Testing

@testable import Engine

/// Values that inference keeps as pairs of bfloat16, on AMX's tiles (in plain C where the processor has none).
@Suite(.serialized, .wholeProcessor, .enabled(if: ck_isa_best().rawValue >= CK_ISA_AVX512BF16.rawValue)) struct PairedValuesTests {
  private static func onTiles<T>(_ body: () throws -> T) throws -> T {
    let emulates = ck_isa_best() != CK_ISA_AMX
    if emulates { ck_isa_emulate_amx(1) }
    defer {
      if emulates { ck_isa_emulate_amx(0) }
      _ = ck_isa_select(ck_isa_best())
    }
    #expect(ck_isa_select(CK_ISA_AMX) == 0)
    return try body()
  }

  @Test(arguments: PathTests.networks) func `change no bit of what comes out, and take less memory`(configuration: NetworkConfiguration) throws {
    let (images, height, width) = (2, 48, 80)
    let network = try configuration.network(height: height, width: width)
    let memory = try ParameterMemory(network, training: false), pool = ThreadPool(threads: 2)
    defer { pool.shutDown() }
    memory.initialize(seed: 3)
    var random = CounterRandom(seed: 1, purpose: .testing)
    let x = (0..<images * height * width).map { _ in random.uniform() }
    func run(pairs: Bool) throws -> (logits: [Float], arena: Int) {
      try Self.onTiles {
        let program = try Program(network, images: images, training: false, precision: .bf16, parameters: memory, pool: pool, pairs: pairs)
        program.input.update(from: x, count: x.count)
        program.forward()
        return (Array(UnsafeBufferPointer(start: program.logits, count: x.count)), program.plan.arena)
      }
    }
    let kept = try run(pairs: false), paired = try run(pairs: true)
    #expect(paired.logits == kept.logits)
    #expect(paired.arena < kept.arena)
  }

  @Test func `are not kept in float32, nor by a training`() throws {
    let network = try PathTests.networks[0].network(height: 32, width: 32), pool = ThreadPool(threads: 1)
    defer { pool.shutDown() }
    for (training, precision) in [(false, Precision.f32), (true, .bf16)] {
      let memory = try ParameterMemory(network, training: training)
      let arenas = try Self.onTiles {
        try [false, true].map {
          try Program(network, images: 1, training: training, precision: precision, parameters: memory, pool: pool, pairs: $0).plan.arena
        }
      }
      #expect(arenas[0] == arenas[1])
    }
  }
}
