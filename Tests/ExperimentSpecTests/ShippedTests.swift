import Diagnostics
import Foundation
import Testing

@testable import ExperimentSpec

/// The specs and the schema in the repository.
@Suite(.serialized) struct ShippedTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static let names = try! FileManager.default.contentsOfDirectory(atPath: root.appending(path: "experiments").path)
    .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()

  @Test(arguments: names)
  func everyShippedSpecIsValid(_ name: String) throws {
    let experiment = try Experiment.load(path: Self.root.appending(path: "experiments/\(name).yaml").path)
    #expect(experiment.name == name)
    // A threshold has no seed, which the sweep over seeds is told.
    #expect(experiment.notes.count == (name == "controls" ? 1 : 0), "\(experiment.notes.map { $0.rendered() })")
    #expect(experiment.trials.count >= 2)
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

  /// The front page's table and picture are those of the report that its marker names: `<!-- results: results/table2 -->` is all it takes to swap them.
  @Test func resultsInTheReadmeAreTheReports() throws {
    let file = Self.root.appending(path: "README.md"), text = try String(contentsOf: file, encoding: .utf8)
    let found = try #require(try /<!-- results: (\S+) -->\n(?<shown>[\s\S]*?)<!-- \/results -->/.firstMatch(in: text)), folder = String(found.1)
    let report = try String(contentsOf: Self.root.appending(path: "\(folder)/report.md"), encoding: .utf8)
    let section = try #require(report.components(separatedBy: "\n## ").first { $0.hasPrefix("Results") })
    let table = section.split(separator: "\n").filter { $0.hasPrefix("|") && !$0.contains("<!-- clock -->") }.map { $0 + "\n" }.joined()
    let current = table + "\n![Test images, their truth and each network's mask](\(folder)/figures/segmentation.png)\n"
    if ProcessInfo.processInfo.environment["RECORD_GOLDENS"] == "1" {
      try text.replacingCharacters(in: found.shown.startIndex..<found.shown.endIndex, with: current).write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(found.shown == current, "RECORD_GOLDENS=1 writes it anew")
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
