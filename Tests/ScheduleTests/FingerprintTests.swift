import ExperimentGraph
import ExperimentSpec
import Testing

@Suite struct FingerprintTests {
  @Test func isTheSha256OfItsPartsWithTheirLengths() {
    // printf '3:abc0:' | sha256sum
    #expect(Fingerprint(of: ["abc", ""]).description == "bdf1004d3099a7a3712d")
    #expect(Fingerprint(of: ["ab", "c"]) != Fingerprint(of: ["a", "bc"]))
    #expect(Fingerprint(of: ["ab"]) != Fingerprint(of: ["ab", ""]))
  }

  @Test func jobsFormTheChainOfTheDesign() {
    let graph = graph(threeNetworks())
    #expect(
      graph.jobs.map(\.kind) == [
        .index, .preprocess, .patches, .train, .evaluate, .time,
        .train, .fineTune, .evaluate, .time,
        .train, .evaluate, .time, .report,
      ])
    for (position, job) in graph.jobs.enumerated() {
      let before = Set(graph.jobs[..<position].map(\.id))
      #expect(before.isSuperset(of: job.inputs), "\(job.id) stands before an input of its own")
    }
    #expect(Set(graph.jobs.map(\.id)).count == graph.jobs.count)
    #expect(graph.jobs.filter(\.isTiming).allSatisfy { $0.kind.isExclusive })
  }

  @Test func trialsShareWhatTheyNeedAlike() {
    let graph = graph(threeNetworks())
    for kind in [JobKind.index, .preprocess, .patches] {
      #expect(graph.jobs.filter { $0.kind == kind }.map(\.trials) == [[0, 1, 2]])
    }
    // Evaluation settings alone differ: one training, two evaluations.
    let evaluated = ScheduleTests.graph(
      experiment([("a", .unet, unchanged), ("b", .unet, { $0.evaluate.threshold = 0.4 })]))
    #expect(evaluated.jobs.filter { $0.kind == .train }.map(\.trials) == [[0, 1]])
    #expect(evaluated.jobs.filter { $0.kind == .evaluate }.map(\.trials) == [[0], [1]])
  }

  @Test func placesNamesAndSettingsWithoutEffectChangeNothing() {
    let before = graph(threeNetworks())
    let moved = graph(threeNetworks { $0.data.root = "/somewhere/else" })
    #expect(moved.fingerprints == before.fingerprints)
    let unused = graph(
      threeNetworks {
        $0.data.syntheticSide = 512
        $0.data.testFraction = 0.5
        if $0.model.architecture != .unetPlus { $0.model.upsampling = .nearest }
      })
    #expect(unused.fingerprints == before.fingerprints)
    var renamed = threeNetworks()
    renamed.trials[0].name = "another name"
    #expect(graph(renamed).kindsNotIn(before) == [.report])
  }

  @Test func lambdaOfOneTrialChangesExactlyItsJobs() {
    let before = graph(threeNetworks())
    var changed = threeNetworks()
    changed.trials[1].settings.model.l2 = 1e-4
    let after = graph(changed)
    #expect(after.kindsNotIn(before) == [.train, .fineTune, .evaluate, .time, .report])
    #expect(after.jobs.filter { job in !before.jobs.contains { $0.id == job.id } }.dropLast().allSatisfy { $0.trials == [1] })
  }

  @Test(arguments: [
    ("preprocess.tv_weight", [JobKind.preprocess, .patches, .train, .evaluate, .time, .report]),
    ("patches.size", [.patches, .train, .evaluate, .time, .report]),
    ("train.epochs", [.train, .evaluate, .time, .report]),
    ("evaluate.threshold", [.evaluate, .time, .report]),
    ("evaluate.timing_passes", [.time, .report]),
    ("augment.copies", [.preprocess, .patches, .train, .evaluate, .time, .report]),
    ("data.selection", [.index, .preprocess, .patches, .train, .evaluate, .time, .report]),
  ])
  func aSettingChangesItsJobAndAllThatFollow(key: String, expected: [JobKind]) {
    let one = { (change: @escaping Change) in graph(experiment([("U-Net", .unet, change)])) }
    let changes: [String: Change] = [
      "preprocess.tv_weight": { $0.preprocess.tvWeight = 0.2 }, "patches.size": { $0.patches.size = 128 },
      "train.epochs": { $0.train.epochs = 25 }, "evaluate.threshold": { $0.evaluate.threshold = 0.4 },
      "evaluate.timing_passes": { $0.evaluate.timingPasses = 3 }, "augment.copies": { $0.augment.copies = 3 },
      "data.selection": { $0.data.selection = .all },
    ]
    #expect(one(changes[key]!).kindsNotIn(one(unchanged)) == expected)
  }

  @Test func dataAndInstructionSetCount() {
    let before = graph(threeNetworks())
    #expect(graph(threeNetworks(), digest: "d2").kindsNotIn(before).count == before.jobs.count)
    let other = graph(threeNetworks(), instructionSet: "avx512")
    #expect(Set(other.kindsNotIn(before)) == [.train, .fineTune, .evaluate, .time, .report])
  }

  @Test func fineTuningSharesTheTrainingBeforeIt() {
    let graph = graph(experiment([("plain", .unet, unchanged), ("tuned", .unet, { $0.train.fineTune.epochs = 5 })]))
    #expect(graph.jobs.filter { $0.kind == .train }.map(\.trials) == [[0, 1]])
    #expect(graph.trainingJob(of: 0)?.kind == .train)
    #expect(graph.trainingJob(of: 1)?.kind == .fineTune)
  }

  @Test func labelsNameSeedsOnlyWhereThereAreSeveral() {
    let graph = graph(experiment([("a", .unet, unchanged), ("b", .unet, unchanged), ("b", .unet, { $0.seed = 2 })]))
    #expect((0..<3).map(graph.label(ofTrial:)) == ["a", "b, seed 1", "b, seed 2"])
  }
}

extension Job {
  var isTiming: Bool { kind == .time }
}
