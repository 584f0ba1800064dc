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
