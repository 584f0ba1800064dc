import Diagnostics
import Foundation
import Testing

@testable import ExperimentSpec

/// Every wrong spec in `Fixtures/bad`, with the diagnostics it gives beside it (`RECORD_GOLDENS=1` rewrites them and fails).
@Suite struct DiagnosticGoldenTests {
  static let folder = Bundle.module.url(forResource: "Fixtures", withExtension: nil)!.appending(path: "bad").path
  static let names = try! FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }.sorted()

  /// The rendered diagnostics of a spec that must not load, with paths as seen from its folder.
  static func diagnostics(_ path: String, overrides: [(key: String, value: String)] = []) -> (text: String, code: ExitCode) {
    do throws(UserError) {
      let experiment = try Experiment.load(path: path, overrides: overrides)
      return ("valid: \(experiment.trials.count) trials", .done)
    } catch {
      return (error.rendered().replacingOccurrences(of: Self.folder + "/", with: ""), error.exitCode)
    }
  }

  @Test(arguments: names) func wrongSpec(_ name: String) throws {
    let (text, code) = Self.diagnostics(Self.folder + "/" + name)
    #expect(code == .badCommandOrSpec)
    let golden = String(name.dropLast("yaml".count)) + "txt"
    if ProcessInfo.processInfo.environment["RECORD_GOLDENS"] == "1" {
      let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/bad/\(golden)")
      try (text + "\n").write(to: source, atomically: true, encoding: .utf8)
      Issue.record("recorded \(golden)")
      return
    }
    #expect(try String(contentsOfFile: Self.folder + "/" + golden, encoding: .utf8) == text + "\n")
  }

  @Test func overridesPassTheSameChecks() throws {
    let path = Self.folder + "/../good/plain.yaml"
    let (text, code) = Self.diagnostics(
      path, overrides: [("model.depth", "9"), ("model.dpeth", "4"), ("patches.size", "100"), ("model.upsampling", "neerest"), ("train.batch", "")])
    #expect(code == .badCommandOrSpec)
    #expect(
      text == """
        runner: error: --set model.depth=9: not accepted
          accepted: an integer from 2 to 7
        runner: error: --set model.dpeth=4: unknown key 'model.dpeth'
          did you mean 'model.depth'?
        runner: error: --set model.upsampling=neerest: not accepted
          accepted: transposed, nearest
          did you mean 'nearest'?
        runner: error: --set train.batch=: not accepted
          accepted: an integer from 1 to 4096
        """)
    let size = Self.diagnostics(path, overrides: [("patches.size", "100")])
    #expect(size.text.hasPrefix("runner: error: --set patches.size: patches of 100 pixels cannot be halved 4 times"))
  }

  @Test func fileThatIsNotThere() {
    let (text, code) = Self.diagnostics(Self.folder + "/none.yaml")
    #expect(text == "runner: error: none.yaml: No such file or directory")
    #expect(code == .inputOrOutputFailed)
    #expect(Self.diagnostics(Self.folder).code == .inputOrOutputFailed)
  }

  @Test(arguments: [
    ([0x6E, 0x3A, 0x20, 0xFF, 0x0A], "x.yaml:1:4: error: not UTF-8 text"),
    ([0x6E, 0x0D, 0x0A, 0xC3, 0xA9, 0x00], "x.yaml:2:2: error: not text: a NUL byte"),
    ([0x89, 0x50, 0x4E, 0x47], "x.yaml:1:1: error: not UTF-8 text"),
    ([0x6E, 0x0A, 0x1B, 0x5B], "x.yaml:2:1: error: not text: the control character U+1B"),
    ([0xFF, 0xFE, 0x6E, 0x00], "x.yaml:1:1: error: not UTF-8 text"),
    ([0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF, 0x6E], "x.yaml:1:1: error: not text: the control character U+FEFF"),
  ] as [([UInt8], String)])
  func bytesThatAreNoText(_ bytes: [UInt8], _ expected: String) {
    do throws(UserError) {
      _ = try SourceFile(path: "x.yaml", bytes: bytes)
      Issue.record("read as text")
    } catch {
      #expect(error.rendered().split(separator: "\n")[0] == expected)
      #expect(error.exitCode == .badCommandOrSpec)
    }
  }

  @Test func fileThatIsTooLong() {
    let longest = [UInt8](repeating: UInt8(ascii: "#"), count: SourceFile.maximumBytes)
    #expect(throws: Never.self) { try SourceFile(path: "x.yaml", bytes: longest) }
    #expect(throws: UserError.self) { try SourceFile(path: "x.yaml", bytes: longest + [10]) }
  }

  /// Random cuts and changes of a good file: whatever comes of it, it is a spec or located errors, never a trap.
  @Test func damagedFilesNeverTrap() throws {
    let source = [UInt8](try Data(contentsOf: ShippedTests.root.appending(path: "experiments/table1.yaml")))
    var random = SplitMix(state: 1)
    for _ in 0..<400 {
      var bytes = source
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let i = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[i] = Array("{}[]:,-&*!|>'\"%@`#?\n\t 09a".utf8).randomElement(using: &random)!
        case 1: bytes.remove(at: i)
        default: bytes.removeLast(min(bytes.count - 1, Int.random(in: 0..<40, using: &random)))
        }
      }
      do throws(UserError) {
        let file = try SourceFile(path: "x.yaml", bytes: bytes)
        let findings = Findings()
        let document = SpecReader(findings: findings).document(try YAMLReader.read(file).root)
        _ = Resolver(document: document, isComplete: true, overrides: [:], findings: findings).trials()
        try findings.throwIfAny()
      } catch {
        #expect(!error.diagnostics.isEmpty && error.diagnostics.allSatisfy { $0.location != nil })
      }
    }
  }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: the same damage in every run.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
