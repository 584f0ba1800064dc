import ExperimentGraph
import ExperimentSpec
import Foundation
import Schedule
import Testing

@Suite struct PlanTests {
  private func states(_ plan: Plan) -> [String] { plan.steps.map { "\($0.job.kind.rawValue) \($0.state.rawValue)" } }
  private func reasons(_ plan: Plan, _ kind: JobKind) -> [String] { plan.steps.filter { $0.job.kind == kind }.map(\.reason) }

  @Test func nothingThereEverythingRuns() {
    let plan = Plan(graph(threeNetworks()), given: Snapshot())
    #expect(plan.steps.allSatisfy { $0.state == .run })
    #expect(reasons(plan, .train) == ["no record", "no record", "no record"])
    #expect(plan.hasWork)
  }

  @Test func recordsAloneAreEnough() {
    let graph = graph(threeNetworks())
    var snapshot = Snapshot()
    snapshot.finished = Set(graph.jobs.filter { [.evaluate, .time, .report].contains($0.kind) }.map(\.fingerprint))
    let plan = Plan(graph, given: snapshot)
    #expect(!plan.hasWork)
    #expect(reasons(plan, .train).allSatisfy { $0 == "not needed: all that uses it is done" })
    #expect(reasons(plan, .evaluate).allSatisfy { $0 == "its result is there" })
  }

  @Test func oneMissingTrialRunsWithWhatItNeeds() {
    let graph = graph(threeNetworks())
    var snapshot = Snapshot()
    snapshot.finished = Set(graph.jobs.filter { $0.kind > .patches && $0.trials != [1] }.map(\.fingerprint))
    let plan = Plan(graph, given: snapshot)
    #expect(
      states(plan) == [
        "index run", "preprocess run", "patches run", "train cached", "evaluate cached", "time cached",
        "train run", "fine-tune run", "evaluate run", "time run",
        "train cached", "evaluate cached", "time cached", "report run",
      ])
  }

  @Test func weightsThatAreThereAreNotTrainedAgain() {
    let graph = graph(experiment([("a", .unet, unchanged)]))
    var snapshot = Snapshot()
    snapshot.finished = [graph.trainingJob(of: 0)!.fingerprint]
    #expect(
      states(Plan(graph, given: snapshot)) == [
        "index run", "preprocess run", "patches run", "train cached", "evaluate run", "time run", "report run",
      ])
  }

  @Test func checkpointsAreResumed() {
    let graph = graph(experiment([("a", .unet, { $0.train.fineTune.epochs = 5 })]))
    var snapshot = Snapshot()
    snapshot.checkpoints = [graph.job(.train, of: 0)!.fingerprint: .init(epoch: 7, epochs: 20)]
    let plan = Plan(graph, given: snapshot)
    #expect(plan.steps.first { $0.job.kind == .train }?.state == .resume)
    #expect(reasons(plan, .train) == ["checkpoint after epoch 7 of 20"])
    #expect(plan.step(.train, of: 0)?.left == 0.65 && plan.step(.fineTune, of: 0)?.left == 1)
    #expect(plan.steps.first { $0.job.kind == .fineTune }?.state == .run)
  }

  @Test func saysWhatChanged() {
    let before = graph(experiment([("U-Net", .unet, unchanged)]))
    let after = graph(experiment([("U-Net", .unet, { $0.train.epochs = 25; $0.train.batch = 8 })]), instructionSet: "avx512")
    var snapshot = Snapshot()
    snapshot.finished = Set(before.fingerprints)
    snapshot.earlier = [.init(trial: "U-Net", seed: 1, settings: before.settings(ofTrial: 0))]
    let plan = Plan(after, given: snapshot)
    let change = "train.epochs 20 → 25, train.batch 16 → 8, instruction set avx2 → avx512"
    #expect(reasons(plan, .train) == [change])
    #expect(reasons(plan, .evaluate) == ["instruction set avx2 → avx512"])
    #expect(states(plan) == ["index cached", "preprocess cached", "patches cached", "train run", "evaluate run", "time run", "report run"])
  }

  @Test func saysWhichInputChanged() {
    let before = graph(experiment([("U-Net", .unet, unchanged)]))
    let after = graph(experiment([("U-Net", .unet, { $0.model.l2 = 1e-4 })]))
    var snapshot = Snapshot()
    snapshot.earlier = [.init(trial: "U-Net", seed: 1, settings: before.settings(ofTrial: 0))]
    let plan = Plan(after, given: snapshot)
    #expect(reasons(plan, .train) == ["model.l2 0 → 1e-4"])
    #expect(reasons(plan, .evaluate) == ["train changed: model.l2 0 → 1e-4"])
    #expect(reasons(plan, .index) == ["its result is not there"])
  }

  /// Results that came without weights and without times: no network is trained again only to be timed.
  @Test func timesAloneTrainNothing() {
    let graph = graph(threeNetworks())
    var snapshot = Snapshot()
    snapshot.finished = Set(graph.jobs.filter { $0.kind == .evaluate }.map(\.fingerprint))
    #expect(Plan(graph, given: snapshot).work.map(\.job.kind) == [.time, .time, .time, .report])
  }

  @Test func onlyTheTrialsAskedForRun() {
    let plan = Plan(graph(threeNetworks()), given: Snapshot(), only: [2])
    #expect(plan.work.map(\.job.kind) == [.index, .preprocess, .patches, .train, .evaluate, .time, .report])
    #expect(reasons(plan, .train) == ["left out by --only", "left out by --only", "no record"])
  }

  @Test func whatIsLeftOutIsCountedNotListed() {
    let text = Plan(graph(threeNetworks()), given: Snapshot(), only: [2]).rendered(as: .text)
    #expect(text.hasPrefix("test: 3 trials, 14 jobs: 7 to run, 7 left out by --only\n"))
    #expect(text.split(separator: "\n").count == 1 + 1 + 7)
  }

  @Test func trialsOfAJobAreToldInFewWords() {
    let trials = ["a", "b", "c", "d", "e"].flatMap { name in [1, 2].map { seed in (name, seed) } }
    let graph = graph(experiment(trials.map { name, seed in (name, .unet, { settings in
      settings.seed = seed
      settings.model.l2 = name == "a" ? 1e-3 : 0  // the others differ in nothing but their name and their post-processing
      settings.evaluate.minimumObject = Int(name.unicodeScalars.first!.value)
    }) }))
    let plan = Plan(graph, given: Snapshot()).rendered(as: .text)
    #expect(plan.contains("  all 10 trials  "))
    #expect(plan.contains("  all 5 trials of seed 2  "))
    #expect(plan.contains("  b, seed 1 and 3 more  "))
    #expect(plan.contains("  a, seed 1  "))
  }

  @Test func failedTrialsRunAgain() {
    let graph = graph(experiment([("a", .unet, unchanged)]))
    var snapshot = Snapshot()
    snapshot.failures = [graph.fingerprint(ofTrial: 0): "the loss is not a number in epoch 2"]
    #expect(reasons(Plan(graph, given: snapshot), .evaluate) == ["failed before: the loss is not a number in epoch 2"])
  }

  @Test func orderIsTheSameEveryTime() {
    let first = Plan(graph(threeNetworks()), given: Snapshot()).rendered(as: .json)
    for _ in 0..<5 { #expect(Plan(graph(threeNetworks()), given: Snapshot()).rendered(as: .json) == first) }
  }

  @Test func jsonHasTheNamesOfTheContract() throws {
    struct Contract: Decodable {
      struct Job: Decodable { var id, kind, trial, fingerprint, state, reason: String }
      var jobs: [Job]
    }
    let graph = graph(threeNetworks())
    let plan = try JSONDecoder().decode(Contract.self, from: Data(Plan(graph, given: Snapshot()).rendered(as: .json).utf8))
    #expect(plan.jobs.map(\.id) == graph.jobs.map(\.id))
    #expect(plan.jobs[0].trial == "all 3 trials")
    #expect(plan.jobs[3].trial == "U-Net")
    #expect(plan.jobs[3].fingerprint == graph.jobs[3].fingerprint.description)
  }

  @Test func drawings() {
    let plan = Plan(graph(experiment([("say \"U\"", .unet, unchanged)])), given: Snapshot())
    let mermaid = plan.rendered(as: .mermaid)
    #expect(mermaid.hasPrefix("flowchart LR\n  j0[\"index<br/>say #quot;U#quot;<br/>no record\"]:::run\n"))
    #expect(mermaid.contains("\n  j3 --> j4\n"))
    let dot = plan.rendered(as: .dot)
    #expect(dot.hasPrefix("digraph plan {") && dot.hasSuffix("}\n"))
    #expect(dot.contains("label=\"train\\nsay \\\"U\\\"\\nno record\""))
    #expect(dot.contains("j2 -> j3;"))
    let text = plan.rendered(as: .text)
    #expect(text.hasPrefix("test: 1 trial, 7 jobs: 7 to run\nstate  job"))
  }

  /// What is left out is there to see what it is, and cannot be taken for what is done.
  @Test func aDrawingShowsWhatIsLeftOutAsSuch() {
    let plan = Plan(graph(threeNetworks()), given: Snapshot(), only: [2])
    let mermaid = plan.rendered(as: .mermaid), dot = plan.rendered(as: .dot)
    #expect(mermaid.matches(of: /left out by --only"\]:::left\n/).count == 7 && mermaid.contains("classDef left "))
    #expect(dot.matches(of: /left out by --only", style=dashed/).count == 7)
    #expect(!mermaid.contains(":::cached") && !dot.contains("#e5e7eb"))
    #expect(!Plan(graph(threeNetworks()), given: Snapshot()).rendered(as: .mermaid).contains("classDef left "))
  }

  /// Network, memory and time stand in every format.
  @Test(arguments: Plan.Format.allCases) func expectationsAreShown(_ format: Plan.Format) throws {
    let plan = Plan(graph(experiment([("a", .unet, unchanged), ("b", .unet, { $0.model.l2 = 1 })])), given: Snapshot())
    let expectations = [
      TrialExpectation(
        trial: 0, parameters: 485_817, multiplyAdds: 865_730_560, epochs: 20, megabytes: 140, seconds: 720, secondsLeft: 180,
        time: "about 3 min left of 12 min, by a of before"),
      TrialExpectation(trial: 1, parameters: 485_818, multiplyAdds: 865_730_561, epochs: 21, megabytes: 141, seconds: nil, secondsLeft: nil, time: "not known"),
    ]
    let text = plan.rendered(as: format, expecting: expectations)
    for piece in ["485817", "485818", "865730560", "140", "141", "about 3 min left of 12 min, by a of before", "not known"] { #expect(text.contains(piece), "\(piece)") }
    if format == .json {
      struct Contract: Decodable {
        struct Trial: Decodable {
          var name, training_time: String
          var seed, parameters, multiply_adds, epochs, training_mb: Int
          var training_seconds, training_seconds_left: Double?
        }
        var trials: [Trial]
      }
      let trials = try JSONDecoder().decode(Contract.self, from: Data(text.utf8)).trials
      #expect(trials.map(\.name) == ["a", "b"] && trials.map(\.epochs) == [20, 21])
      #expect(trials.map(\.training_seconds) == [720, nil] && trials.map(\.training_seconds_left) == [180, nil])
    }
  }
}
