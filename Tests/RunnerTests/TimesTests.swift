import Diagnostics
import Engine
import Foundation
import Report
import TestSupport
import Testing

@testable import Runner

/// Times of trained networks, taken in turn, and what is said of them.
extension Runs { @Suite struct TimesTests {
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

  /// A log from before 28 November 2026: memory stood with the time; another time, taken without training, knows none.
  @Test func laterTimesLeaveATrialsMemory() {
    func time(_ megabytes: Double) -> LogLine {
      LogLine(at: "2026-11-22T18:55:28Z", event: .timed(fingerprint: "x", timing: TimingRecord(
        trial: "U-Net", seed: 1, threads: 2, precision: "f32", millisecondsPerPatchMedian: 1, millisecondsPerPatchMinimum: 1, passes: [1], trainSeconds: 1, peakRSSMegabytes: megabytes)))
    }
    func scores(_ megabytes: Double?) -> LogLine { LogLine(at: "2026-11-22T18:55:28Z", event: .evaluated(images: 8, seconds: 1, peakMegabytes: megabytes)) }
    #expect([scores(nil), time(158.7), time(.nan)].peakMegabytes == 158.7)
    #expect([scores(nil), time(158.7), scores(nil), time(.nan)].peakMegabytes == nil, "scored again, beside others")
    #expect([scores(nil), time(158.7), scores(99), time(.nan)].peakMegabytes == 99)
  }
}}
