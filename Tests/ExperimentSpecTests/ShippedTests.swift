import Diagnostics
import Foundation
import Testing

@testable import ExperimentSpec

/// The specs and the schema in the repository.
@Suite struct ShippedTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  @Test(arguments: ["quickstart", "first-light", "table1", "table2", "lambda", "depth", "upsampling"])
  func everyShippedSpecIsValid(_ name: String) throws {
    let experiment = try Experiment.load(path: Self.root.appending(path: "experiments/\(name).yaml").path)
    #expect(experiment.name == name)
    #expect(experiment.notes.isEmpty, "\(experiment.notes.map { $0.rendered() })")
    #expect(experiment.trials.count >= 4)
  }

  @Test func committedSchemaIsCurrent() throws {
    let file = Self.root.appending(path: "schema/experiment.schema.json")
    let current = jsonSchema()
    if ProcessInfo.processInfo.environment["RECORD_GOLDENS"] == "1" { try current.write(to: file, atomically: true, encoding: .utf8) }
    #expect(try String(contentsOf: file, encoding: .utf8) == current, "RECORD_GOLDENS=1 writes it anew")
    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(current.utf8)) }
  }

  @Test func keysInTheReadmeAreCurrent() throws {
    let file = Self.root.appending(path: "README.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let (begin, end) = ("<!-- keys -->\n", "\n<!-- /keys -->")
    let from = try #require(text.range(of: begin)), to = try #require(text.range(of: end))
    let current = KeyTable.markdown()
    if ProcessInfo.processInfo.environment["RECORD_GOLDENS"] == "1" {
      try text.replacingCharacters(in: from.upperBound..<to.lowerBound, with: current).write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(String(text[from.upperBound..<to.lowerBound]) == current, "RECORD_GOLDENS=1 writes it anew")
  }

  /// The example of every part of a sweep counts its own trials, by `expect`.
  @Test func sweepInTheReadmeIsValid() throws {
    let text = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
    let section = try #require(text.range(of: "### Sweeps\n")), from = try #require(text.range(of: "```yaml\n", range: section.upperBound..<text.endIndex))
    let example = text[from.upperBound...].prefix(upTo: try #require(text.range(of: "```", range: from.upperBound..<text.endIndex)).lowerBound)
    let folder = try SpecFolder(["a.yaml": "name: a\ntrials: [{name: U-Net, model.architecture: unet}, {name: U-Net++, model.architecture: unet++}]\n\(example)"])
    #expect(try folder.load().trials.count == 45)
  }
}
