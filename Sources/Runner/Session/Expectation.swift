import Engine
import ExperimentGraph
import ExperimentSpec
import Foundation
import Schedule

/// What a plan expects beside its jobs: each trial's network, memory and time, and how the machine is shared.
enum Expectation {
  /// How trials share the machine, and which of them it would refuse.
  static func notes(_ session: Session) -> [String] {
    let allotment = session.allotment, machine = session.limits
    let sharing = "at once: \(allotment.jobs) trial\(allotment.jobs == 1 ? "" : "s") × \(allotment.threads) thread\(allotment.threads == 1 ? "" : "s") "
      + "(\(allotment.reason)); memory: \(Int(machine.megabytes)) MB \(machine.memorySource); times are taken alone"
    return ["", sharing] + session.refusals().map { "\(session.graph.label(ofTrial: $0.trial)) would fail: \($0.reason)" }
  }

  /// What a run holds beside the engine: the program's own pages (about 32), settings and records, images while they are prepared
  /// and scored. Measured on runs of the quickstart, whose peaks the sum then meets within a tenth; patches stay in their file.
  private static let processMegabytes = 65.0

  static func ofTrials(_ session: Session) throws -> [TrialExpectation] {
    let costs = Costs(session, try EarlierTrials(session.folder))
    return session.selected.compactMap { trial in
      let settings = session.experiment.trials[trial].settings, network = settings.networkConfiguration, side = settings.patches.size
      guard let facts = try? NetworkFacts.of(network, side: side) else { return nil }
      let planned = settings.plannedMegabytes(threads: session.threads)
      let epochs = settings.phases.reduce(0) { $0 + $1.epochs }
      let expected = trainingTime(of: trial, session, costs)
      return TrialExpectation(
        trial: trial, parameters: facts.parameters, multiplyAdds: facts.multiplyAdds, epochs: epochs, megabytes: Int((planned + processMegabytes).rounded(.up)),
        seconds: expected?.whole, secondsLeft: expected?.left, time: expected.map(text) ?? "not known without the data")
    }
  }

  /// Until trained: by what a trial took that ran here before, one of the same network if there is one, else the newest; without any, by the
  /// machine of results/benchmarks.
  private static func trainingTime(of trial: Int, _ session: Session, _ costs: Costs) -> TrainingTime? {
    let known = costs.known(session.experiment.trials[trial].settings)
    var time = TrainingTime(basis: known.map { "by \($0.trial) of before" } ?? "by two cores with AVX-512, before a first run")
    for kind in [JobKind.train, .fineTune] {
      guard let step = session.plan.step(kind, of: trial) else { continue }
      guard let seconds = costs.seconds(of: step.job) else { return nil }
      time.whole += seconds
      time.left += seconds * step.left
    }
    return time
  }

  private struct TrainingTime {
    var whole = 0.0, left = 0.0
    var basis: String
  }

  private static func text(_ time: TrainingTime) -> String {
    guard time.left > 0 else { return "done" }
    let whole = ProgressText.duration(time.whole)
    return (time.left < time.whole ? "about \(ProgressText.duration(time.left)) left of \(whole)" : "about \(whole)") + ", \(time.basis)"
  }
}
