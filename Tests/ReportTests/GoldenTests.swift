import ExperimentSpec
import Foundation
import Imaging
import Testing

@testable import Report

/// What stands in the results folder, compared byte for byte with stored files; `RECORD_GOLDENS=1` writes them anew and fails.
@Suite struct GoldenTests {
  enum Case: String, CaseIterable { case table1 = "made-up-table1", seeds = "made-up-seeds-and-missing", single = "made-up-single" }

  static func inputs(_ name: Case) -> ReportInputs {
    switch name {
    case .table1: return MadeUp.table1
    case .seeds:
      // Two networks, three seeds each: one failed, one never ran.
      var inputs = MadeUp.table1
      inputs.expected = ["U-Net", "U-Net+ (T.C.)"].flatMap { name in (1...3).map { ExpectedTrial(trial: name, seed: $0) } }
      inputs.records = inputs.expected.dropLast().map { MadeUp.record($0.trial, seed: $0.seed, quality: $0.trial == "U-Net" ? 0.52 : 0.57, epochs: 6, images: 7) }
      inputs.records[2].failure = "made-up-03: the image is damaged"
      inputs.timings = inputs.records.dropLast(3).map { MadeUp.timing($0.trial, seed: $0.seed, milliseconds: 41) }
      return inputs
    case .single:
      // One trial, one epoch, nothing published, nothing known of where it ran.
      let settings = ReportSettings(rows: ["average_iou"], published: [], claims: [], figureImages: [], remark: "")
      return ReportInputs(
        name: "made-up", title: "One trial", report: settings, expected: [ExpectedTrial(trial: "U-Net", seed: 7)],
        records: [MadeUp.record("U-Net", seed: 7, quality: 0.5, epochs: 1, images: 3)])
    }
  }

  static let files = ["report.md", "table.csv", "trials.csv", "images.csv", "losses.csv", "timings.csv", "claims.csv", "provenance.json", "figures/losses.svg"]

  @Test(arguments: Case.allCases) func stays(_ name: Case) async throws {
    try await withFolder { folder in
      try Report.write(Self.inputs(name), to: folder)
      // Without claims there is no file of claims.
      for file in Self.files where name != .single || file != "claims.csv" {
        try compare(try contents(folder, file), with: "\(name.rawValue)/\(file)")
      }
      #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("claims.csv").path) == (name != .single))
    }
  }

  private func compare(_ text: String, with name: String) throws {
    if ProcessInfo.processInfo.environment["RECORD_GOLDENS"] == "1" {
      let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)")
      try FileManager.default.createDirectory(at: source.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: source)
      Issue.record("recorded \(name)")
      return
    }
    let url = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil)).appendingPathComponent(name)
    let golden = try String(contentsOf: url, encoding: .utf8)
    guard text != golden else { return }
    let lines = zip(text.split(separator: "\n", omittingEmptySubsequences: false), golden.split(separator: "\n", omittingEmptySubsequences: false))
    let first = lines.enumerated().first { $1.0 != $1.1 }
    Issue.record("\(name) differs from line \((first?.offset ?? -1) + 1):\n  now    \(first?.element.0 ?? "(one is longer)")\n  golden \(first?.element.1 ?? "")")
  }
}
