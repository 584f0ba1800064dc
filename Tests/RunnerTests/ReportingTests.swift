import Diagnostics
import Engine
import Foundation
import Report
import TestSupport
import Testing

@testable import Runner

/// When a report is made, and what it says of where its trials come from.
extension Runs { @Suite struct ReportingTests {
  /// What stands in the folder is of other settings: a report of these would be empty, and take the place of a good one.
  @Test func aReportOfSettingsThatNeverRanWritesNothing() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) { $0.overrides = ["train.epochs=1"] } == .done)
    let before = try bench.steadyFiles(), transcript = Transcript()
    #expect(await bench.report(spec, transcript: transcript) == .inputOrOutputFailed)
    #expect(transcript.errors.contains("nothing of these settings"))
    try expectSame(bench.steadyFiles(), before)
    #expect(await bench.report(bench.results) == .done)
  }

  /// A run that is killed between its last record and the report leaves the report of before: the next run makes it.
  @Test func aReportThatShowsLessThanThereIsIsMadeAgain() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) { $0.only = ["U-Net"] } == .done)
    let made = ["report.md", "provenance.json", "trials.csv", "images.csv", "losses.csv", "timings.csv", "table.csv"].map { "\(bench.results)/\($0)" }
    let before = try made.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
    #expect(await bench.run(spec) == .done)
    let whole = try bench.steadyFiles()
    #expect(await bench.plan(spec) == .done)
    for (path, bytes) in zip(made, before) { try bytes.write(to: URL(fileURLWithPath: path)) }
    #expect(await bench.plan(spec) == .workToDo)
    #expect(await bench.run(spec) == .done)
    try expectSame(bench.steadyFiles(), whole)
  }

  /// As after a kill, or on a full disk, between the files of a report: what stands is of two, and is not taken for either.
  @Test func aReportThatWasCutOffIsMadeAgain() async throws {
    let bench = try Bench(), spec = try bench.spec(), table = "\(bench.results)/table.csv"
    #expect(await bench.run(spec) { $0.only = ["U-Net, seed 1"] } == .done)
    let before = try Data(contentsOf: URL(fileURLWithPath: table))
    try FileManager.default.removeItem(atPath: table)
    try FileManager.default.createDirectory(atPath: table, withIntermediateDirectories: true)
    #expect(await bench.run(spec) == .inputOrOutputFailed)
    try FileManager.default.removeItem(atPath: table)
    try before.write(to: URL(fileURLWithPath: table))
    #expect(try bench.steadyFiles()["report.md"]!.contains("1 of 2 trials"), "the old one, until the new one is whole")
    #expect(await bench.plan(spec) == .workToDo)
    #expect(await bench.run(spec) == .done)
    #expect(try bench.steadyFiles()["report.md"]!.contains("2 of 2 trials"))
    #expect(await bench.plan(spec) == .done)
  }

  /// Another title makes a new report; which data it is of, records say.
  @Test func aReportWithoutTheDataSaysWhichItWas() async throws {
    let bench = try Bench(), data = "\(bench.folder.path)/data"
    _ = try Runner.synthesizeData(to: data, training: 3, test: 2, side: 64, seed: 1, threads: 1, Transcript().surroundings(cache: bench.folder.path))
    let change: (inout RunOptions) -> Void = { $0.overrides = ["data.source=folder", "data.root=\(data)", "data.selection=all"] }
    func digest() throws -> String? {
      (try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: "\(bench.results)/provenance.json"))) as? [String: Any])?["data_digest"] as? String
    }
    let trials = "[{name: U-Net, model.architecture: unet}]"
    #expect(await bench.run(try bench.spec(trials: trials), change) == .done)
    let known = try digest()
    #expect(known?.count == 64)
    try FileManager.default.moveItem(atPath: data, toPath: "\(data)-away")
    #expect(await bench.run(try bench.spec(trials: trials, extra: "remark: said otherwise"), change) == .done)
    #expect(try digest() == known)
    #expect(try bench.steadyFiles()["report.md"]!.contains("said otherwise"))
  }

  /// Trials that change places are other trials, though the same jobs are done.
  @Test func theReportKnowsWhichTrialIsWhich() async throws {
    let bench = try Bench()
    func spec(_ second: Int) throws -> String {
      try bench.spec(
        trials: "[{name: X, model.architecture: unet, train.epochs: 1}, {name: Y, model.architecture: unet, train.epochs: \(second)}, {name: Z, model.architecture: unet, train.epochs: 2}]")
    }
    #expect(await bench.run(try spec(1)) == .done)
    #expect(await bench.run(try spec(2)) == .done)
    let rows = try String(contentsOfFile: "\(bench.results)/losses.csv", encoding: .utf8).split(separator: "\n")
    #expect(rows.count { $0.hasPrefix("Y,") } == 2)
  }

  /// What one processor computed is reported, and held against its tolerances, on any other.
  @Test func resultsOfAnotherInstructionSetAreReported() async throws {
    let bench = try Bench()
    let spec = try bench.spec(extra: "report.published: [{trial: U-Net, parameters: 1, tolerance: {parameters: 1}}]")
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles()
    #expect(Processor.select(instructionSet: "reference"))
    defer { _ = Processor.select(instructionSet: Processor.available.last!) }
    #expect(await bench.report(spec, check: true) == .outOfTolerance)
    #expect(await bench.report(bench.results, check: true) == .outOfTolerance)
    var after = try bench.steadyFiles()
    // The report's own job is another here: a run would make it anew.
    for file in ["report.md", "provenance.json"] where before[file] != nil {
      let lines = [before, after].map { $0[file]!.split(separator: "\n").filter { !$0.contains("report fingerprint") } }
      #expect(lines[0] == lines[1])
      after[file] = before[file]
    }
    #expect(after == before)
  }

  /// A trial in bf16 is another than the same in f32, and says what it is wherever the clock's results stand.
  @Test func aTrialInBFloat16IsNamedSo() async throws {
    let bench = try Bench()
    let trials = "[{name: whole, model.architecture: unet+}, {name: half, model.architecture: unet+, train.precision: bf16}]"
    #expect(await bench.run(try bench.spec(trials: trials)) == .done)
    #expect(try bench.trials().count == 2)
    let timings = try String(contentsOfFile: "\(bench.results)/timings.csv", encoding: .utf8)
    let rows = timings.split(separator: "\n").dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    // Times are taken in both where the processor has both; the trial's own is marked.
    let own = rows.filter { $0[10] == "1" }.map { String($0[3]) }
    #expect(own == ["f32", "bf16"])
    let losses = try String(contentsOfFile: "\(bench.results)/losses.csv", encoding: .utf8).split(separator: "\n")
    let whole = losses.filter { $0.hasPrefix("whole,") }.map { $0.dropFirst("whole".count) }
    #expect(whole != losses.filter { $0.hasPrefix("half,") }.map { $0.dropFirst("half".count) })
    let provenance = try String(contentsOfFile: "\(bench.results)/provenance.json", encoding: .utf8)
    #expect(provenance.contains("bf16, f32"))

    let transcript = Transcript(), choice = Runner.NetworkChoice(architecture: "unet+", baseFilters: 2, depth: 3, upsampling: "transposed", side: 32)
    let options = Runner.BenchOptions(mode: .train, batch: 2, threads: 1, precision: .bf16, seconds: 0, layers: false, json: true)
    #expect(try Runner.bench(choice, options, transcript.surroundings(cache: bench.folder.path)) == .done)
    #expect(transcript.output.contains(#""precision" : "bf16""#) || transcript.output.contains(#""precision":"bf16""#))
  }

  @Test func aCloneReportsWithoutTraining() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles()
    try FileManager.default.removeItem(atPath: "\(bench.results)/cache")
    for folder in try bench.trials().values { try FileManager.default.removeItem(atPath: folder.weights) }
    try FileManager.default.removeItem(atPath: "\(bench.results)/report.md")
    try FileManager.default.removeItem(atPath: "\(bench.results)/figures")
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) == .done)
    #expect(!transcript.output.contains("train epoch"))
    try expectSame(bench.steadyFiles(), before)
    #expect(await bench.report(bench.results) == .done)
    try expectSame(bench.steadyFiles(), before)
  }

  @Test func imagesOfFiguresAreLookedForBeforeAnythingRuns() async throws {
    let bench = try Bench(), transcript = Transcript()
    let spec = try bench.spec(extra: "report.figure_images: [test-0000, nowhere]")
    #expect(await bench.run(spec, transcript: transcript) == .badCommandOrSpec)
    #expect(transcript.errors.contains("no scored image is called 'nowhere'") && transcript.errors.contains(".yaml:"))
    #expect(!FileManager.default.fileExists(atPath: "\(bench.results)/trials"))
  }
}}
