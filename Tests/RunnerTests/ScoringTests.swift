import Diagnostics
import Foundation
import Imaging
import Testing

@testable import Runner

@Suite struct ScoringTests {
  struct Contract: Decodable {
    var images: Int
    var average_iou, average_iou_sd, iou_at_050, iou_at_050_sd, average_precision, contest_score: Double
  }

  private func squares(_ places: [(y: Int, x: Int)], width: Int = 40, height: Int = 20) -> Mask {
    var mask = Mask(width: width, height: height, repeating: 0)
    for place in places { for y in place.y..<place.y + 4 { for x in place.x..<place.x + 4 { mask[y, x] = 1 } } }
    return mask
  }

  private func evaluate(_ folder: TemporaryFolder, truth: String) throws -> (ExitCode, Contract, String) {
    let transcript = Transcript()
    let code = try Runner.evaluate(predictions: "\(folder.path)/masks", truth: truth, json: true, transcript.surroundings(cache: folder.path))
    return (code, try JSONDecoder().decode(Contract.self, from: Data(transcript.output.utf8)), transcript.errors)
  }

  @Test func masksAgainstMasksAndTables() throws {
    let folder = try TemporaryFolder()
    for name in ["masks", "truth"] { try FileManager.default.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true) }
    // a: both nuclei found; b: one of two found, and one where there is none.
    try PNG.write(squares([(2, 2), (10, 20)]), to: "\(folder.path)/truth/a.png")
    try PNG.write(squares([(2, 2), (10, 20)]), to: "\(folder.path)/masks/a_mask.png")
    try PNG.write(squares([(2, 2), (10, 20)]), to: "\(folder.path)/truth/b.png")
    try PNG.write(squares([(2, 2), (10, 30)]), to: "\(folder.path)/masks/b.png")
    try PNG.write(squares([(2, 2)]), to: "\(folder.path)/truth/unseen.png")

    let (code, scores, warnings) = try evaluate(folder, truth: "\(folder.path)/truth")
    #expect(code == .done && scores.images == 2)
    #expect(abs(scores.average_iou - 0.75) < 1e-12 && abs(scores.average_iou_sd - 0.25) < 1e-12 && abs(scores.iou_at_050 - 0.75) < 1e-12)
    #expect(abs(scores.average_precision - (1 + 1.0 / 3) / 2) < 1e-12 && abs(scores.contest_score - (1 + 1.0 / 3) / 2) < 1e-12)
    #expect(warnings.contains("1 of 3 images") && warnings.contains("e.g. unseen"))

    // The same truth as a table: runs down the columns, counted from 1.
    func runs(_ y: Int, _ x: Int) -> String { (x..<x + 4).map { "\($0 * 20 + y + 1) 4" }.joined(separator: " ") }
    let rows = ["a", "b"].flatMap { ["\($0),\(runs(2, 2)),20,40,Public", "\($0),\(runs(10, 20)),20,40,Public"] }
    let table = try folder.write((["ImageId,EncodedPixels,Height,Width,Usage"] + rows).joined(separator: "\n") + "\n", to: "solution.csv")
    let (_, again, _) = try evaluate(folder, truth: table)
    #expect(again.average_iou == scores.average_iou && again.contest_score == scores.contest_score)
  }

  @Test func labelsTellTouchingNucleiApart() throws {
    let folder = try TemporaryFolder()
    for name in ["masks", "truth"] { try FileManager.default.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true) }
    let touching = LabelImage(width: 8, height: 4, pixels: (0..<32).map { $0 % 8 < 4 ? 1 : 2 })
    try PNG.write(touching, to: "\(folder.path)/truth/a.png")
    try PNG.write(touching, to: "\(folder.path)/masks/a.png")
    let apart = try evaluate(folder, truth: "\(folder.path)/truth").1
    #expect(apart.contest_score == 1 && apart.average_iou == 1)
    try PNG.write(touching.map { $0 == 0 ? UInt8(0) : 1 }, to: "\(folder.path)/masks/a.png")
    let merged = try evaluate(folder, truth: "\(folder.path)/truth").1
    #expect(merged.contest_score == 0 && merged.average_iou == 1)
  }

  @Test func otherSizesAndNamesAreErrors() throws {
    let folder = try TemporaryFolder()
    for name in ["masks", "truth"] { try FileManager.default.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true) }
    try PNG.write(squares([(2, 2)]), to: "\(folder.path)/truth/a.png")
    try PNG.write(squares([(2, 2)]), to: "\(folder.path)/masks/other.png")
    let error = try #require(throws: UserError.self) { try evaluate(folder, truth: "\(folder.path)/truth") }
    #expect(error.exitCode == .inputOrOutputFailed)
    try PNG.write(squares([(2, 2)], height: 21), to: "\(folder.path)/masks/a.png")
    let damaged = try #require(throws: UserError.self) { try evaluate(folder, truth: "\(folder.path)/truth") }
    #expect(damaged.exitCode == .damagedData)
    #expect(throws: UserError.self) { try evaluate(folder, truth: "\(folder.path)/nowhere") }
  }
}

extension Runs { @Suite struct CheckTests {
  @Test func publishedValuesOutOfToleranceAreExit3() async throws {
    let bench = try Bench()
    func spec(_ parameters: String) throws -> String {
      try bench.spec(
        trials: "[{name: U-Net, model.architecture: unet}]",
        extra: "report: {published: [{trial: U-Net, parameters: \(parameters), source: made up, tolerance: {parameters: 0.5}}]}")
    }
    #expect(await bench.run(try spec("1")) == .done)
    let outside = Transcript()
    #expect(await bench.report(try spec("1"), transcript: outside, check: true) == .outOfTolerance)
    #expect(outside.errors.contains("U-Net, parameters"))
    let count = try #require(bench.trials()["U-Net"]?.readRecord()?.parameters)
    #expect(await bench.report(try spec("\(count)"), check: true) == .done)
    #expect(await bench.report(bench.results, check: true) == .done)
  }
}}
