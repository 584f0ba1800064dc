import Diagnostics
import Engine
import Foundation
import Report
import TestSupport
import Testing

@testable import Runner

/// Everything that runs experiments, one after the other: a process has one set of signal handlers, and one instruction set.
@Suite(.serialized, .wholeProcessor) struct Runs {}

/// Whole runs through the library's entry, of networks so small that each takes a moment.
extension Runs { @Suite struct RunTests {
  @Test func aRunLeavesTheResultsOfTheContractAndRunsOnce() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.plan(spec) == .workToDo)
    #expect(!FileManager.default.fileExists(atPath: bench.results), "a plan writes nothing")

    let first = Transcript()
    #expect(await bench.run(spec, transcript: first) == .done, "\(first.errors)")
    for file in [
      "report.md", "table.csv", "trials.csv", "images.csv", "losses.csv", "timings.csv", "spec.resolved.yaml", "provenance.json", "figures/losses.svg",
      "figures/segmentation.png", "figures/preprocessing.png",
    ] { #expect(FileManager.default.fileExists(atPath: "\(bench.results)/\(file)"), "\(file)") }
    let folders = try bench.trials()
    #expect(Set(folders.keys) == ["U-Net", "U-Net+"])
    for folder in folders.values {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(names == ["best.safetensors", "events.tfevents", "log.jsonl", "masks.csv", "record.json"])
      let record = try #require(folder.readRecord())
      #expect(record.losses.map(\.epoch) == [1, 2, 3] && record.images.count == 2 && record.failure == nil)
      #expect(record.fingerprint == folder.fingerprint.description)
    }
    #expect(first.output.contains("U-Net: train epoch 1/3, loss ") && first.output.contains("(2/2 trials done"))
    #expect(!first.output.contains("\u{1B}"))

    let again = Transcript(), before = try bench.steadyFiles()
    #expect(await bench.plan(spec) == .done)
    #expect(await bench.run(spec, transcript: again) == .done)
    #expect(again.output.contains("nothing to do, all 2 trials are done: "))
    let one = Transcript()
    #expect(await bench.run(spec, transcript: one) { $0.only = ["U-Net"] } == .done)
    #expect(one.output.contains("nothing to do, the trial asked for is done: "))
    try expectSame(bench.steadyFiles(), before)
  }

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
    #expect(await bench.run(spec) { $0.only = ["U-Net"] } == .done)
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

  /// TensorBoard's file is only for watching.
  @Test func eventsThatAreTakenAwayAreStatedAgain() async throws {
    let bench = try Bench(), spec = try bench.spec(trials: "[{name: U-Net, model.architecture: unet}]"), trials = "\(bench.results)/trials"
    let transcript = Transcript { text in
      guard text.contains("train epoch 1/3"), let trial = try? FileManager.default.contentsOfDirectory(atPath: trials).first else { return }
      try? FileManager.default.removeItem(atPath: "\(trials)/\(trial)/events.tfevents")
    }
    #expect(await bench.run(spec, transcript: transcript) == .done, "\(transcript.errors)")
    let events = try bench.trials()["U-Net"]!.events, size = try Data(contentsOf: URL(fileURLWithPath: events)).count
    let other = "\(bench.folder.path)/whole"
    #expect(await bench.run(spec, out: other) == .done)
    #expect(try Data(contentsOf: URL(fileURLWithPath: bench.trials(other)["U-Net"]!.events)).count == size)
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

  /// Two folders of images: without one of them its trial must not pass for the other's.
  @Test func dataThatWentAwayIsNotAnothers() async throws {
    let bench = try Bench()
    for (name, seed) in [("one", 1), ("two", 2)] {
      let surroundings = Transcript().surroundings(cache: bench.folder.path)
      #expect(
        try Runner.synthesizeData(to: "\(bench.folder.path)/\(name)", training: 4, test: 2, side: 64, seed: seed, threads: 1, surroundings) == .done)
    }
    let spec = try bench.spec(
      trials: "[" + ["one", "two"].map { "{name: \($0), model.architecture: unet, train.epochs: 1, data: {source: folder, root: \(bench.folder.path)/\($0)}}" }
        .joined(separator: ", ") + "]")
    #expect(await bench.run(spec) == .done)
    try FileManager.default.moveItem(atPath: "\(bench.folder.path)/two", toPath: "\(bench.folder.path)/away")
    #expect(await bench.run(spec) == .inputOrOutputFailed)
  }

  /// As in a clone, where patches and weights are not at hand: making them for another trial is nothing to one that is done.
  @Test func whatIsDoneIsLeftAlone() async throws {
    let bench = try Bench(), spec = try bench.spec(), transcript = Transcript()
    #expect(await bench.run(spec) { $0.only = ["U-Net"] } == .done)
    let trial = try #require(try bench.trials()["U-Net"])
    try FileManager.default.removeItem(atPath: "\(bench.results)/cache")
    try FileManager.default.removeItem(atPath: trial.weights)
    let log = try Data(contentsOf: URL(fileURLWithPath: trial.log.path))
    #expect(await bench.run(spec, transcript: transcript) == .done)
    #expect(try Data(contentsOf: URL(fileURLWithPath: trial.log.path)) == log)
    #expect(!transcript.output.contains("U-Net: ") && transcript.output.contains("U-Net+: average IoU"), "\(transcript.output)")
  }

  /// Times of one turn are what claims on times are judged by: taken so by the run that does the last trial, and again on demand.
  @Test func timesAreTakenInTurn() async throws {
    let bench = try Bench(), transcript = Transcript()
    let spec = try bench.spec(
      extra: "report.claims: [{claim: U-Net+ takes longer, metric: ms_per_patch, greater: [U-Net+, U-Net]}]"), four = ["evaluate.timing_passes=4"]
    func turns() throws -> Set<String?> { Set(try bench.trials().values.flatMap { try $0.log.lines().timings.times.map(\.turn) }) }
    #expect(await bench.run(spec) { ($0.only, $0.overrides) = (["U-Net"], four) } == .done)
    let alone = try turns()
    #expect(alone.count == 1 && alone != [nil])
    #expect(await bench.run(spec, transcript: transcript) { $0.overrides = four } == .done)
    #expect(transcript.output.contains("times of 2 trials, in turn: 5 rounds") && transcript.output.contains("round 5 of 5"))
    #expect(try turns().count == 1)
    let again = Transcript()
    #expect(await bench.run(spec, transcript: again) { ($0.retime, $0.only, $0.overrides, $0.threads) = (true, ["U-Net", "U-Net+"], four, 1) } == .done)
    #expect(again.output.contains("times of 2 trials, in turn"))
    let times = try #require(try bench.trials()["U-Net"]?.log.lines().timings.times)
    // With fewer threads than before: the earlier times stand beside none of these.
    #expect(times.allSatisfy { $0.passes.count == 4 && $0.threads == 1 } && times.count { $0.isMain ?? false } == 1)
    #expect(try turns().count == 1)
    let report = try String(contentsOfFile: "\(bench.results)/report.md", encoding: .utf8)
    let claim = try #require(report.split(separator: "\n").first { $0.contains("U-Net+ takes longer") })
    #expect(claim.contains("| rank sum |"), "\(claim)")
    #expect(!claim.contains("| – | – | rank sum"), "\(claim)")

    // A kill between a turn's profile and its times leaves what stood before.
    let trial = try #require(try bench.trials()["U-Net"]), job = try #require(try trial.log.lines().timing?.fingerprint)
    var unfinished = try #require(try trial.log.lines().timings.profile)
    #expect(unfinished.threads == 1)
    unfinished.threads = 7
    try trial.log.append(.profiled(fingerprint: job, profile: unfinished))
    #expect(try trial.log.lines().timings.profile?.threads == 1)
  }

  /// A trial that is done is timed again on the data it was scored on: where that is gone, this is said before anything runs.
  @Test func timesWantTheData() async throws {
    let bench = try Bench(), images = "\(bench.folder.path)/images"
    #expect(
      try Runner.synthesizeData(to: images, training: 4, test: 2, side: 64, seed: 1, threads: 1, Transcript().surroundings(cache: bench.folder.path))
        == .done)
    let spec = try bench.spec(
      trials: "[{name: folder, model.architecture: unet, data: {source: folder, root: \(images)}}, {name: made, model.architecture: unet+}]",
      extra: "report.claims: [{claim: c, metric: ms_per_patch, greater: [folder, made]}]")
    #expect(await bench.run(spec) { $0.only = ["folder"] } == .done)
    try FileManager.default.removeItem(atPath: images)
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) { ($0.retime, $0.only) = (true, ["folder"]) } == .inputOrOutputFailed)
    #expect(await bench.run(spec) { $0.only = ["made"] } == .done)
    let report = try String(contentsOfFile: "\(bench.results)/report.md", encoding: .utf8)
    #expect(report.contains("2 of 2 trials done") && report.contains("1 cannot be told"))
  }

  @Test func imagesOfFiguresAreLookedForBeforeAnythingRuns() async throws {
    let bench = try Bench(), transcript = Transcript()
    let spec = try bench.spec(extra: "report.figure_images: [test-0000, nowhere]")
    #expect(await bench.run(spec, transcript: transcript) == .badCommandOrSpec)
    #expect(transcript.errors.contains("no scored image is called 'nowhere'") && transcript.errors.contains(".yaml:"))
    #expect(!FileManager.default.fileExists(atPath: "\(bench.results)/trials"))
  }

  /// What a dead process was writing goes; what a living one writes, and what is not the runner's, stays.
  @Test func leftoversOfTheDeadGo() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let trial = try #require(bench.trials()["U-Net"]).path, living = getpid(), dead = Int32.max - 1
    try FileManager.default.createDirectory(atPath: "\(bench.results)/mine", withIntermediateDirectories: true)
    let gone = ["\(trial)/checkpoint.\(dead).tmp", "\(bench.results)/table.csv.\(dead)-3.tmp", "\(bench.results)/figures/a.svg.\(dead).tmp"]
    let kept = ["\(trial)/checkpoint.\(living).tmp", "\(bench.results)/mine/notes.\(dead).tmp"]
    for file in gone + kept { try Data("x".utf8).write(to: URL(fileURLWithPath: file)) }
    #expect(await bench.run(spec) == .done)
    #expect(gone.allSatisfy { !FileManager.default.fileExists(atPath: $0) } && kept.allSatisfy { FileManager.default.fileExists(atPath: $0) })
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

  /// Results that came from elsewhere, without weights, can be timed here; a report of several machines' trials names them all.
  @Test func timesAndProvenanceSayWhatTheyWereTakenOn() async throws {
    let bench = try Bench()
    let spec = try bench.spec(trials: "[{name: here, model.architecture: unet}, {name: elsewhere, model.architecture: unet+}]")
    #expect(await bench.run(spec) == .done)
    func report() throws -> String { try String(contentsOfFile: "\(bench.results)/report.md", encoding: .utf8) }
    #expect(try report().contains("Times of a patch were taken on \(Processor.name);"))
    #expect(try !report().contains("made-up weights"))

    let away = try #require(try bench.trials()["elsewhere"])
    try FileManager.default.removeItem(atPath: away.weights)
    #expect(await bench.run(spec) { $0.retime = true } == .done)
    #expect(try report().contains("With made-up weights, because the trained ones were not at hand: elsewhere, seed 1."))
    let rows = try String(contentsOfFile: "\(bench.results)/timings.csv", encoding: .utf8).split(separator: "\n")
    #expect(rows[0].hasSuffix(",processor,trained_weights"))
    for row in rows.dropFirst() { #expect(row.hasSuffix(",\(Processor.name),\(row.hasPrefix("here,") ? 1 : 0)"), "\(row)") }

    let start = try #require(try away.log.lines().start)
    try away.log.append(
      .started(
        trial: start.trial, seed: start.seed, settings: start.settings.merging(["instruction set": "another set"]) { $1 }, data: start.data,
        processor: "Another Processor"))
    // A start that neither trained nor scored is not where a trial ran.
    #expect(await bench.report(spec) == .done)
    #expect(try !String(contentsOfFile: "\(bench.results)/provenance.json", encoding: .utf8).contains("Another Processor"))
    try away.log.append(.evaluated(images: 2, seconds: 1, peakMegabytes: nil))
    #expect(await bench.report(spec) == .done)
    let provenance = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: "\(bench.results)/provenance.json"))) as? [String: Any]
    #expect(provenance?["processor"] as? String == ["Another Processor", Processor.name].sorted().joined(separator: ", "))
    #expect(provenance?["instruction_set"] as? String == ["another set", Processor.arithmetic(for: .f32)].sorted().joined(separator: ", "))
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

  @Test func placesAndThreadsAppearNowhere() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let other = "\(bench.folder.path)/elsewhere"
    #expect(await bench.run(spec, out: other) { $0.threads = 1 } == .done)
    try expectSame(bench.steadyFiles(other), bench.steadyFiles())
    for (name, text) in try bench.steadyFiles() where !name.hasSuffix(".png") { #expect(!text.contains(bench.folder.path), "\(name)") }
  }

  @Test(arguments: [SIGINT, SIGTERM]) func interruptedAndResumedIsByteForByteTheSame(signalNumber: Int32) async throws {
    defer { Interrupts.ignore() }
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let cut = "\(bench.folder.path)/cut"
    let expected = signalNumber == SIGINT ? ExitCode.interrupted : .terminated
    for line in signalNumber == SIGINT ? ["U-Net: train epoch 2/3", "U-Net+: train epoch 1/3"] : ["U-Net+: train epoch 1/3"] {
      let transcript = Transcript { text in
        guard text.contains(line) else { return }
        // To the process, not to this thread, which may be one that takes no signals.
        kill(getpid(), signalNumber)
        while Interrupts.signalReceived == nil { usleep(100) }
      }
      #expect(await bench.run(spec, transcript: transcript, out: cut) == expected)
      #expect(transcript.errors.contains("goes on where this one ended"))
    }
    let plan = Transcript()
    #expect(await bench.plan(spec, transcript: plan) { $0.out = cut } == .workToDo)
    #expect(plan.output.contains("checkpoint after epoch 1 of 3"))
    #expect(await bench.run(spec, out: cut) == .done)
    try expectSame(bench.steadyFiles(cut), bench.steadyFiles())
    #expect(try bench.trials(cut)["U-Net"]?.log.lines().epochCount == 3)
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

  @Test func aCloneTakesTimesWithoutTraining() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles()
    try FileManager.default.removeItem(atPath: "\(bench.results)/cache")
    for folder in try bench.trials().values { try FileManager.default.removeItem(atPath: folder.weights) }
    let transcript = Transcript(), moreOften: (inout RunOptions) -> Void = { $0.overrides = ["evaluate.timing_passes=2"] }
    #expect(await bench.run(spec, transcript: transcript, moreOften) == .done)
    #expect(!transcript.output.contains("train epoch"))
    let report = try String(contentsOfFile: "\(bench.results)/report.md", encoding: .utf8)
    #expect(report.contains("With made-up weights, because the trained ones were not at hand"))
    for name in ["trials.csv", "images.csv", "losses.csv"] { #expect(try bench.steadyFiles()[name] == before[name], "\(name)") }
    #expect(await bench.plan(spec, moreOften) == .done)
  }

  @Test func onlyWhatAChangeConcernsRunsAgain() async throws {
    let bench = try Bench()
    #expect(await bench.run(try bench.spec()) == .done)
    // λ of one trial: that trial trains, the other does not.
    let lambda = Transcript()
    let changed = try bench.spec(trials: "[{name: U-Net, model.architecture: unet, model.l2: 1e-4}, {name: U-Net+, model.architecture: unet+}]")
    #expect(await bench.run(changed, transcript: lambda) == .done)
    #expect(lambda.output.contains("U-Net: train epoch") && !lambda.output.contains("U-Net+: train epoch"))
    // The threshold: both evaluate, neither trains.
    let threshold = Transcript()
    #expect(await bench.run(changed, transcript: threshold) { $0.overrides = ["evaluate.threshold=0.4"] } == .done)
    #expect(!threshold.output.contains("train epoch"))
    #expect(threshold.output.contains("(2/2 trials done"))
    // A comment and a new name: nothing.
    let renamed = Transcript()
    let spec = try bench.spec(
      trials: "[{name: another, model.architecture: unet, model.l2: 1e-4}, {name: U-Net+, model.architecture: unet+}]", extra: "# a comment")
    #expect(await bench.run(spec, transcript: renamed) == .done)
    #expect(!renamed.output.contains("train epoch") && !renamed.output.contains("trials done"))
    #expect(try bench.steadyFiles()["trials.csv"]!.contains("\nanother,1,unet"))
  }

  @Test func fineTuningGoesOnFromTheTrainingItShares() async throws {
    let bench = try Bench()
    let tuned = "{name: tuned, model.architecture: unet, train.fine_tune: {epochs: 2, learning_rate: 1e-4}}"
    let spec = try bench.spec(trials: "[\(tuned), {name: plain, model.architecture: unet}]")
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) == .done, "\(transcript.errors)")
    #expect(transcript.output.components(separatedBy: "train epoch").count - 1 == 3, "three epochs in all, and two of fine-tuning")
    #expect(transcript.output.components(separatedBy: "fine-tune epoch").count - 1 == 2)
    #expect(!FileManager.default.fileExists(atPath: try bench.trials()["plain"]!.checkpoint.newest))
    let alone = "\(bench.folder.path)/alone"
    #expect(await bench.run(try bench.spec(trials: "[\(tuned)]", name: "alone"), out: alone) == .done)
    let (shared, whole) = (try #require(bench.trials()["tuned"]?.readRecord()), try #require(bench.trials(alone)["tuned"]?.readRecord()))
    #expect(shared == whole)
    #expect(shared.losses.map(\.phase) == ["train", "train", "train", "fine-tune", "fine-tune"])
  }

  @Test func freshRunsEverythingAgainAndOnlyRunsWhatItNames() async throws {
    let bench = try Bench(), spec = try bench.spec()
    let one = Transcript()
    #expect(await bench.run(spec, transcript: one) { $0.only = ["*+"] } == .done)
    #expect(!one.output.contains("U-Net: ") && one.output.contains("U-Net+: train epoch"))
    #expect(try bench.steadyFiles()["report.md"]!.contains("1 of 2 trials"))
    #expect(await bench.run(spec) == .done)
    let before = try bench.steadyFiles(), fresh = Transcript()
    #expect(await bench.run(spec, transcript: fresh) { $0.fresh = true } == .done)
    #expect(fresh.output.contains("U-Net: train epoch 1/3") && fresh.output.contains("U-Net+: train epoch 1/3"))
    try expectSame(bench.steadyFiles(), before)
  }

  @Test func aFailedTrialLeavesItsReasonAndTheOthersGoOn() async throws {
    let bench = try Bench()
    let spec = try bench.spec(trials: "[{name: broken, model.architecture: unet, train.learning_rate: 1e30}, {name: sound, model.architecture: unet}]")
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) { $0.retries = 1 } == .someTrialsFailed)
    #expect(!transcript.output.contains("trying again"), "it would fail in the same way")
    #expect(transcript.errors.contains("broken failed: the loss is not a finite number in epoch 1"))
    #expect(try bench.trials()["broken"]?.readRecord()?.failure?.contains("not a finite number") == true)
    #expect(try bench.trials()["sound"]?.readRecord()?.failure == nil)
    let plan = Transcript()
    #expect(await bench.plan(spec, transcript: plan) == .workToDo)
    #expect(plan.output.contains("failed before: the loss is not a finite number"))
  }

  @Test func validationImagesAreScoredInTheTestImagesPlace() async throws {
    let bench = try Bench()
    let spec = try bench.spec(trials: "[{name: U-Net, model.architecture: unet}]", extra: "patches.split: image\nsweep.grid.seed: [1, 2, 3]")
    #expect(await bench.run(spec) { $0.overrides = ["evaluate.on=validation"] } == .done)
    let report = try bench.steadyFiles()["report.md"]!
    #expect(report.contains("**Scored on validation images**") && report.contains("means over the 1 validation image"))
    let folders = try ResultsFolder(path: bench.results).allTrials()
    let scored = folders.compactMap { $0.readRecord() }.map { ($0.seed, $0.images.map(\.image)) }
    #expect(scored.count == 3)
    // The test images are scored without training again, and are others.
    let test = Transcript()
    #expect(await bench.run(spec, transcript: test) == .done)
    #expect(!test.output.contains("train epoch"))
    let csv = try bench.steadyFiles()["images.csv"]!
    #expect(csv.split(separator: "\n").count == 1 + 3 * 2)
    for (seed, images) in scored {
      #expect(images.count == 1, "a fifth of four images")
      #expect(!csv.contains(images[0]), "seed \(seed)")
    }
    #expect(Set(scored.flatMap(\.1)).count > 1, "each seed draws its own")
    let plain = try bench.steadyFiles()["report.md"]!
    #expect(!plain.contains("Scored on") && plain.contains("means over the 2 test images"))
  }
}}
