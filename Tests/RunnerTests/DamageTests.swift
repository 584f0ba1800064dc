import Diagnostics
import Foundation
import Testing

@testable import Runner

/// Files that were whole once and are not any more: found, said in one line, and done again.
extension Runs { @Suite struct DamageTests {
  private static func flip(_ path: String, at place: Double) throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[Int(Double(bytes.count - 1) * place)] ^= 4
    try bytes.write(to: URL(fileURLWithPath: path))
  }

  /// The repository's own results: a clone reports from them.
  @Test func everyCommittedRecordIsWhole() throws {
    let results = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(path: "results")
    let folders = try FileManager.default.contentsOfDirectory(atPath: results.path).map { ResultsFolder(path: "\(results.path)/\($0)") }
    let trials = try folders.flatMap { try $0.allTrials() }.filter { FileManager.default.fileExists(atPath: $0.record) }
    #expect(trials.count >= 12)
    for trial in trials { #expect(try trial.damage().isEmpty && trial.readRecord() != nil, "\(trial.path)") }
  }

  @Test(arguments: [0.1, 0.5, 0.9]) func aDamagedRecordIsSaidAndMadeAgain(place: Double) async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles(), record = try bench.trials()["U-Net"]!.record
    try Self.flip(record, at: place)
    let plan = Transcript()
    #expect(await bench.plan(spec, transcript: plan) == .workToDo)
    #expect(plan.errors.contains("warning: \(record): damaged: its checksum does not match"))
    let report = Transcript()
    #expect(await bench.report(bench.results, transcript: report) == .done)
    #expect(report.errors.contains(record))
    #expect(try bench.steadyFiles()["report.md"]!.contains("1 of 2 trials"))
    let again = Transcript()
    #expect(await bench.run(spec, transcript: again) == .done)
    #expect(!again.output.contains("train epoch"), "the weights are there")
    try expectSame(bench.steadyFiles(), before)
  }

  @Test func aReportOfDamagedRecordsAloneIsExit6() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    for trial in try bench.trials().values { try Self.flip(trial.record, at: 0.5) }
    #expect(await bench.report(bench.results) == .damagedData)
  }

  @Test func aDamagedRecordWhoseDataIsAwayIsExit6() async throws {
    let bench = try Bench(), data = "\(bench.folder.path)/data"
    _ = try Runner.synthesizeData(to: data, training: 3, test: 2, side: 64, seed: 1, threads: 1, Transcript().surroundings(cache: bench.folder.path))
    let change: (inout RunOptions) -> Void = { $0.overrides = ["data.source=folder", "data.root=\(data)", "data.selection=all"] }
    let spec = try bench.spec(trials: "[{name: U-Net, model.architecture: unet}]")
    #expect(await bench.run(spec, change) == .done)
    try FileManager.default.moveItem(atPath: data, toPath: "\(data)-away")
    #expect(await bench.run(spec, change) == .done)
    let record = try bench.trials()["U-Net"]!.record, transcript = Transcript()
    try Self.flip(record, at: 0.5)
    #expect(await bench.run(spec, transcript: transcript, change) == .damagedData)
    #expect(transcript.errors.contains(record))
  }

  @Test func damagedWeightsAreTrainedAgainWhereTheyAreNeeded() async throws {
    let bench = try Bench(), spec = try bench.spec(trials: "[{name: U-Net, model.architecture: unet}]")
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles(), trial = try bench.trials()["U-Net"]!
    let weights = try Data(contentsOf: URL(fileURLWithPath: trial.weights))
    try Self.flip(trial.weights, at: 0.7)
    #expect(await bench.run(spec) == .done, "nothing needs them")
    let timed = Transcript()
    #expect(await bench.run(spec, transcript: timed) { $0.overrides = ["evaluate.timing_passes=2"] } == .done)
    #expect(timed.errors.contains("damaged") && timed.errors.contains("times are taken with others") && !timed.output.contains("train epoch"))
    try FileManager.default.removeItem(atPath: trial.record)
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) == .done)
    #expect(transcript.errors.contains("warning: \(trial.weights): damaged") && transcript.output.contains("train epoch 3/3"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: trial.weights)) == weights)
    try expectSame(bench.steadyFiles(), before)
  }

  @Test func damagedPatchesMasksAndLogLinesAreSaid() async throws {
    let bench = try Bench(), spec = try bench.spec(trials: "[{name: U-Net, model.architecture: unet}]")
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles(), trial = try bench.trials()["U-Net"]!
    for name in try FileManager.default.contentsOfDirectory(atPath: "\(bench.results)/cache") where name.hasSuffix(".patches") {
      try Self.flip("\(bench.results)/cache/\(name)", at: 0.8)
    }
    try Self.flip(trial.masks, at: 0.5)
    try Self.flip(trial.log.path, at: 0.99)  // the last line: its times
    let plan = Transcript()
    #expect(await bench.plan(spec, transcript: plan) == .workToDo)
    #expect(plan.errors.contains("warning: \(trial.masks): damaged"))
    #expect(plan.errors.contains("\(trial.log.path):\(try trial.log.lines().count + 1):1: warning: damaged line"))
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) == .done)
    #expect(transcript.errors.contains("wrong checksum; the patches are made again"))
    #expect(try trial.log.damage().isEmpty && trial.log.lines().timing != nil)
    #expect(try bench.steadyFiles()["report.md"] == before["report.md"])
  }

  /// A folder in its place cannot be read as a file, not even by root. Taken for missing, a report without it would stand.
  @Test(arguments: [\TrialFolder.record, \.log.path, \.masks] as [KeyPath<TrialFolder, String> & Sendable])
  func aFileThatIsThereAndCannotBeReadEndsAReport(file: KeyPath<TrialFolder, String> & Sendable) async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles()["report.md"], path = try bench.trials()["U-Net"]![keyPath: file]
    rename(path, "\(path).away")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    let transcript = Transcript()
    #expect(await bench.report(spec, transcript: transcript) == .inputOrOutputFailed)
    #expect(transcript.errors.contains("error: \(path): cannot be read"), "\(transcript.errors)")
    try FileManager.default.removeItem(atPath: path)
    rename("\(path).away", path)
    #expect(try bench.steadyFiles()["report.md"] == before)
    #expect(await bench.report(spec) == .done)
  }

  @Test func aTrialIsTriedAgainAfterAPassingFaultAndOnlyFailedTrialsOnDemand() async throws {
    let bench = try Bench(), data = "\(bench.folder.path)/data"
    _ = try Runner.synthesizeData(to: data, training: 3, test: 2, side: 64, seed: 1, threads: 1, Transcript().surroundings(cache: bench.folder.path))
    let spec = try bench.spec(trials: "[{name: sound, model.architecture: unet}, {name: other, model.architecture: unet, preprocess.tv_weight: 0.2}]")
    let change: (inout RunOptions) -> Void = { $0.overrides = ["data.source=folder", "data.root=\(data)", "data.selection=all"]; $0.jobs = 1 }
    let image = "\(data)/images/\(try #require(try FileManager.default.contentsOfDirectory(atPath: "\(data)/images").sorted().first))"
    // Gone once the first trial has its patches; `back` brings it back when the run says that it tries again.
    func transcript(back: Bool) -> Transcript {
      Transcript { text in
        if text.contains("sound: train epoch 1/3") { rename(image, "\(image).away") }
        if back, text.contains("trying again, 1 of 1") { rename("\(image).away", image) }
      }
    }
    let gone = transcript(back: false), elsewhere = "\(bench.folder.path)/retried"
    #expect(await bench.run(spec, transcript: gone, change) == .someTrialsFailed)
    let failure = try #require(bench.trials()["other"]?.readRecord()?.failure)
    #expect(failure.contains(image.dropLast(4)))
    #expect(try bench.steadyFiles()["report.md"]!.contains("1 of 2 trials"))
    rename("\(image).away", image)
    let failed = Transcript()
    #expect(await bench.run(spec, transcript: failed) { change(&$0); $0.onlyFailed = true } == .done, "\(failed.errors)")
    #expect(failed.output.contains("other: train epoch 3/3") && !failed.output.contains("sound: "))
    let none = Transcript()
    #expect(await bench.run(spec, transcript: none) { change(&$0); $0.onlyFailed = true } == .done)
    #expect(none.output.contains("no trial has failed"))
    let retried = transcript(back: true)
    #expect(await bench.run(spec, transcript: retried, out: elsewhere) { change(&$0); $0.retries = 1 } == .done, "\(retried.errors)")
    #expect(retried.output.contains("trying again, 1 of 1"))
    try expectSame(bench.steadyFiles(elsewhere), bench.steadyFiles())
  }
}}
