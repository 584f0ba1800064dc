import Diagnostics
import Engine
import Foundation
import Report
import Testing

@testable import Runner

/// Trials that train nothing: a threshold, and what another experiment has finished.
extension Runs { @Suite struct BaselineTests {
  @Test func aThresholdIsScoredAndNotTrained() async throws {
    let bench = try Bench()
    let spec = try bench.spec(
      trials: "[{name: U-Net, model.architecture: unet}, {name: U-Net+, model.architecture: unet+}, {name: Otsu, model.architecture: otsu}]",
      extra: "sweep: {grid: {seed: [1, 2]}, expect: 5}\nreport.claims: [{claim: c, metric: average_iou, greater: [Otsu, 0.01]}]")
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) == .done, "\(transcript.errors)")
    #expect(!transcript.output.contains("Otsu: train") && transcript.output.contains("Otsu: average IoU"))
    let record = try #require(bench.trials()["Otsu"]?.readRecord())
    #expect(record.losses.isEmpty && record.parameters == 0 && record.images.count == 2 && record.images.allSatisfy { $0.averageIoU > 0.05 })
    #expect(try FileManager.default.contentsOfDirectory(atPath: try bench.trials()["Otsu"]!.path).sorted() == ["log.jsonl", "masks.csv", "record.json"])
    #expect(await bench.plan(spec) == .done)
    // Its settings are told by who has none, where those are the fewer.
    let report = try String(contentsOfFile: "\(bench.results)/report.md", encoding: .utf8)
    for row in ["| `seed` | `1, 2 (not Otsu)` |", "| `train.epochs` | `3 (not Otsu)` |", "| `model.upsampling` | `transposed (U-Net+)` |", "| `data.source` | `synthetic` |"] {
      #expect(report.contains(row), "\(row)")
    }
    // Another depth of the other network is nothing to it; another cleaning is.
    #expect(try await openJobs(of: "Otsu", bench, spec, ["model.depth=2", "train.epochs=9"]) == [])
    #expect(try await openJobs(of: "Otsu", bench, spec, ["evaluate.minimum_object=40"]) .last == "evaluate")
  }

  private func openJobs(of trial: String, _ bench: Bench, _ spec: String, _ overrides: [String]) async throws -> [String] {
    let plan = Transcript()
    #expect(await bench.plan(spec, transcript: plan) { $0.overrides = overrides } == .workToDo)
    return try JSONDecoder().decode(Jobs.self, from: Data(plan.output.utf8)).jobs.filter { $0.trial == trial && $0.state != "cached" }.map(\.kind)
  }

  private struct Jobs: Decodable {
    struct Job: Decodable { var kind, trial, state: String }
    var jobs: [Job]
  }

  @Test func whatAnotherExperimentHasFinishedIsTakenOver() async throws {
    let bench = try Bench(), one = "\(bench.results)/one", two = "\(bench.results)/two"
    let first = try bench.spec(name: "one")
    let others = "{name: B, model.architecture: unet, model.base_filters: 1}, {name: C, model.architecture: unet, evaluate.threshold: 0.4}"
    let trials = "[{name: A, model.architecture: unet}, \(others)]"
    #expect(await bench.run(first, out: one) == .done)
    let alone = try bench.spec(trials: trials, name: "two"), transcript = Transcript(), plan = Transcript()
    let second = try bench.spec(trials: trials, extra: "reuse: [one]", name: "two")
    #expect(await bench.plan(second, transcript: plan) { $0.out = two } == .workToDo)
    // C is A scored otherwise: with the weights at hand, only B trains.
    let open = try JSONDecoder().decode(Jobs.self, from: Data(plan.output.utf8)).jobs.filter { $0.state != "cached" }
    #expect(open.filter { $0.kind == "train" }.map(\.trial) == ["B"] && open.filter { $0.kind == "evaluate" }.map(\.trial) == ["B", "C"])
    #expect(!FileManager.default.fileExists(atPath: two))
    #expect(await bench.run(second, transcript: transcript, out: two) { $0.only = ["B"] } == .done, "\(transcript.errors)")
    #expect(try String(contentsOfFile: "\(two)/report.md", encoding: .utf8).contains("2 of 3 trials done"))
    #expect(await bench.run(second, transcript: transcript, out: two) == .done, "\(transcript.errors)")
    #expect(!transcript.output.contains("A: train epoch") && !transcript.output.contains("C: train epoch"))
    #expect(transcript.output.contains("B: train epoch 1/3"))
    // The copy is a trial of its own: the same record under its new name, and nothing is left to do where the other is gone.
    try FileManager.default.removeItem(atPath: one)
    #expect(await bench.plan(second) { $0.out = two } == .done)
    let report = try String(contentsOfFile: "\(two)/trials.csv", encoding: .utf8)
    #expect(report.contains("\nA,1,unet,2,3,") && report.contains("\nB,1,unet,1,3,") && report.contains("\nC,1,unet,2,3,"))
    #expect(await bench.run(alone, out: "\(bench.results)/three") == .done)
    #expect(try String(contentsOfFile: "\(bench.results)/three/trials.csv", encoding: .utf8) == report)
  }

  /// A report takes them from another instruction set as well; a run here computes its own.
  @Test func reportsTakeOverWhatAnotherProcessorComputed() async throws {
    let bench = try Bench(), (one, two) = ("\(bench.results)/one", "\(bench.results)/two")
    let first = try bench.spec(trials: "[{name: left, model.architecture: unet}]", name: "one")
    #expect(Processor.select(instructionSet: "reference"))
    let there = await bench.run(first, out: one), away = Processor.arithmetic(for: .f32)
    #expect(Processor.select(instructionSet: Processor.available.last!))
    let here = Processor.arithmetic(for: .f32)
    #expect(there == .done)
    let second = try bench.spec(trials: "[{name: right, model.architecture: unet}, {name: U-Net+, model.architecture: unet+}]", extra: "reuse: [one]", name: "two")
    #expect(await bench.run(second, out: two) { $0.only = ["U-Net+"] } == .done)
    #expect(await bench.report(two) == .done)
    let report = try String(contentsOfFile: "\(two)/report.md", encoding: .utf8)
    #expect(report.contains("2 of 2 trials done") && report.contains("| instruction set <!-- clock --> | \([away, here].sorted().joined(separator: ", "))"))
    #expect(try String(contentsOfFile: "\(two)/trials.csv", encoding: .utf8).contains("\nright,1,unet,"))
    let transcript = Transcript()
    #expect(await bench.run(second, transcript: transcript, out: two) == .done)
    #expect(transcript.output.contains("right: train epoch 1/3"))
  }

  /// The same settings on other images are another trial, also for a report, and also where those images are gone.
  @Test func resultsOfOtherDataAreNotTakenOver() async throws {
    let bench = try Bench(), folder = bench.folder.path
    func spec(of images: String, extra: String = "", name: String) throws -> String {
      try bench.spec(trials: "[{name: A, model.architecture: unet, train.epochs: 1, data: {source: folder, root: \(folder)/\(images)}}]", extra: extra, name: name)
    }
    for (images, seed) in [("left", 1), ("right", 2)] {
      let surroundings = Transcript().surroundings(cache: folder)
      #expect(try Runner.synthesizeData(to: "\(folder)/\(images)", training: 4, test: 2, side: 64, seed: seed, threads: 1, surroundings) == .done)
    }
    #expect(await bench.run(try spec(of: "left", name: "one"), out: "\(folder)/one") == .done)
    let same = try spec(of: "left", extra: "reuse: [one]", name: "same"), other = try spec(of: "right", extra: "reuse: [one]", name: "other")
    let transcript = Transcript()
    #expect(await bench.run(same, transcript: transcript, out: "\(folder)/same") == .done)
    #expect(!transcript.output.contains("train epoch"))
    #expect(await bench.report(other) == .inputOrOutputFailed)
    try FileManager.default.moveItem(atPath: "\(folder)/right", toPath: "\(folder)/away")
    #expect(await bench.report(other) == .inputOrOutputFailed)
    #expect(await bench.run(other, transcript: transcript) == .inputOrOutputFailed)
    #expect(transcript.errors.contains("\(folder)/right"), "\(transcript.errors)")
  }
} }
