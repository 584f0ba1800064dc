import Foundation
import TestSupport
import Testing

/// Training memory is what the plan says it is: measured in processes of their own.
@Suite(.serialized, .wholeProcessor) struct MemoryTests {
  /// The program, which `swift build --build-tests` puts beside the tests.
  static let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("runner")

  struct Case: Sendable, CustomStringConvertible {
    var architecture, mode: String
    var filters, batch: Int
    var side = 256
    var description: String { "\(architecture), B = \(filters), \(mode), batch \(batch), side \(side)" }
    var arguments: [String] {
      ["bench", "--architecture", architecture, "--mode", mode, "--base-filters", "\(filters)", "--batch", "\(batch)", "--side", "\(side)"]
        + ["--threads", "2", "--seconds", "0", "--json"]
    }
  }
  static let cases = [
    Case(architecture: "unet", mode: "infer", filters: 16, batch: 1), Case(architecture: "unet", mode: "infer", filters: 4, batch: 16),
    Case(architecture: "unet++", mode: "infer", filters: 8, batch: 4), Case(architecture: "unet+", mode: "infer", filters: 8, batch: 4),
    Case(architecture: "unet", mode: "train", filters: 16, batch: 4), Case(architecture: "unet++", mode: "train", filters: 8, batch: 8),
    Case(architecture: "unet+", mode: "train", filters: 4, batch: 8), Case(architecture: "unet+", mode: "train", filters: 16, batch: 16, side: 128),
  ]

  private struct Measured: Decodable {
    var planned_mb, peak_rss_mb: Double
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: program.path), "the program is not built"), arguments: cases)
  func planAndPeakAgreeWithinATenth(_ item: Case) throws {
    let process = Process(), output = Pipe()
    process.executableURL = Self.program
    process.arguments = item.arguments
    process.standardOutput = output
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let measured = try JSONDecoder().decode(Measured.self, from: text)
    #expect(abs(measured.planned_mb / measured.peak_rss_mb - 1) < 0.1, "\(measured)")
  }
}
