import Foundation
import TensorCore
import Testing

/// The fuzzers' targets for a moment in every test run: the same changed inputs each time, on any machine. `Tests/Reliability/fuzz.py` runs them long, with
/// libFuzzer, which sees what an input reaches; what that found is fixed and stands in `Fixtures`.
@Suite(.serialized) struct HardInputTests {
  /// How many inputs each target is given: what takes about half a second.
  static let counts = [
    "spec": 200, "png": 3000, "tiff": 3000, "zip": 3000, "solution": 3000, "masks": 300, "safetensors": 3000, "checkpoint": 2000, "patches": 3000, "log": 1000, "record": 100,
  ]

  @Test(arguments: targets.map(\.name)) func changedInputsAreReadOrRefused(name: String) throws {
    let target = try #require(targets.first { $0.name == name }), seeds = try #require(try seeds()[name])
    let count = try #require(Self.counts[name], "how many inputs?")
    var mutator = Mutator(seeds), read = 0, changed = 0
    // A trap ends the whole test run. With $HARD_INPUT set to a path, the input that did it stands there.
    for _ in 0..<count {
      let input = mutator.next()
      if let place = ProcessInfo.processInfo.environment["HARD_INPUT"] { try Data(input).write(to: URL(fileURLWithPath: place)) }
      try? target.read(input)
      read += 1
      changed += seeds.contains(input) ? 0 : 1
    }
    #expect(read == count && changed > count / 2, "\(read) inputs, \(changed) of them changed")
  }

  /// Inputs on which a reader once crashed, hung or took all memory.
  @Test func whatWasFoundIsReadOrRefused() throws {
    let found = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
    let folders = try FileManager.default.contentsOfDirectory(at: found, includingPropertiesForKeys: nil).filter { $0.lastPathComponent != "README.md" }
    var count = 0
    for folder in folders {
      let target = try #require(targets.first { $0.name == folder.lastPathComponent }, "no target reads what is in \(folder.lastPathComponent)")
      for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
        let bytes = [UInt8](try Data(contentsOf: file))
        try? target.read(bytes)
        count += 1
      }
    }
    #expect(count >= 6)
  }
}

/// Changes inputs as fuzzers do, the same way in every run.
struct Mutator {
  private let seeds: [[UInt8]]
  private var random = CounterRandom(seed: 1, purpose: .shuffle, epoch: 0)

  init(_ seeds: [[UInt8]]) { self.seeds = seeds }

  private static let words = ["-1", "0", "1", "4294967296", "9223372036854775807", "1e999", "NaN", "\u{0}", "\u{FEFF}", "[", "{", "&a", "*a", "\"", "\n", ","]

  mutating func next() -> [UInt8] {
    var bytes = seeds[number(below: seeds.count)]
    for _ in 0...number(below: 4) {
      let place = number(below: bytes.count + 1), length = min(bytes.count - place, number(below: 9))
      switch number(below: 6) {
      case 0: bytes.removeSubrange(place..<place + length)
      case 1: bytes.insert(contentsOf: bytes[place..<place + length], at: number(below: bytes.count + 1))
      case 2: bytes.replaceSubrange(place..<place + length, with: Self.words[number(below: Self.words.count)].utf8)
      case 3: bytes.replaceSubrange(place..<place + length, with: repeatElement([0, 0x7f, 0x80, 0xff][number(below: 4)], count: length))
      case 4: if number(below: 4) == 0 { bytes.removeSubrange(place...) }
      default: if place < bytes.count { bytes[place] ^= 1 << UInt8(number(below: 8)) }
      }
    }
    return bytes
  }

  private mutating func number(below bound: Int) -> Int { random.below(bound) }
}
