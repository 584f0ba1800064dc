import Engine
import ExperimentSpec
import Foundation
import Schedule

/// What a plan expects of each trial beside its jobs: the network's size and cost, its memory, and how long it took before.
enum Expectation {
  static func lines(_ session: Session) -> [String] {
    let earlier = EarlierTrials(session.folder)
    let rows = session.selected.compactMap { trial -> [String]? in
      let settings = session.experiment.trials[trial].settings
      guard let facts = try? NetworkFacts.of(settings.networkConfiguration, side: settings.patches.size) else { return nil }
      let epochs = settings.phases.reduce(0) { $0 + $1.epochs }
      return [
        session.graph.label(ofTrial: trial), "\(facts.parameters)", "\(ProgressText.fixed(Double(facts.multiplyAdds) / 1e9, 3))e9", "\(epochs)",
        memory(of: settings, threads: session.threads), expectedTime(of: trial, epochs: epochs, session, earlier),
      ]
    }
    let allotment = session.allotment, machine = session.limits
    let sharing = "at once: \(allotment.jobs) trial\(allotment.jobs == 1 ? "" : "s") × \(allotment.threads) thread\(allotment.threads == 1 ? "" : "s") "
      + "(\(allotment.reason)); memory: \(Int(machine.megabytes)) MB \(machine.memorySource); times are taken alone"
    return ["", sharing] + session.refusals().map { "\(session.graph.label(ofTrial: $0.trial)) would fail: \($0.reason)" } + ["", "expected:"] + aligned([["trial", "parameters", "multiply–adds a patch", "epochs", "training memory", "training time"]] + rows)
  }

  /// The engine's plan; the patches, mapped from their file, come on top.
  private static func memory(of settings: TrialSettings, threads: Int) -> String {
    let planned = try? settings.networkConfiguration.plannedMegabytes(
      side: settings.patches.size, batch: settings.train.batch, training: true, threads: threads)
    return planned.map { "\(Int($0.rounded(.up))) MB" } ?? ""
  }

  /// Scaled from a trial that ran here before: of the same network if there is one, else of any, by multiply–adds.
  private static func expectedTime(of trial: Int, epochs: Int, _ session: Session, _ earlier: EarlierTrials) -> String {
    let settings = session.experiment.trials[trial].settings
    func cost(_ settings: [String: String]) -> Double? {
      guard let architecture = settings["model.architecture"], let filters = settings["model.base_filters"].flatMap(Int.init),
        let depth = settings["model.depth"].flatMap(Int.init), let side = settings["patches.size"].flatMap(Int.init)
      else { return nil }
      let network = NetworkConfiguration(
        architecture: architecture, baseFilters: filters, depth: depth, upsampling: settings["model.upsampling"] == "nearest" ? .nearest : .transposed,
        batchNormalization: settings["model.normalization"] == "batch", dropout: 0)
      return (try? NetworkFacts.of(network, side: side)).map { Double($0.multiplyAdds) }
    }
    let wanted = session.graph.settings(ofTrial: trial)
    let known = earlier.entries.reversed().filter { ($0.timing?.timing.trainSeconds ?? 0) > 0 && $0.epochsDone > 0 }
    let same = known.first { $0.settings["model.architecture"] == settings.model.architecture.rawValue } ?? known.first
    guard let same, let seconds = same.timing?.timing.trainSeconds, let before = cost(same.settings), let now = cost(wanted), before > 0 else {
      return "not known before a first run"
    }
    return "about \(ProgressText.duration(seconds / Double(same.epochsDone) * Double(epochs) * now / before)), by \(same.trial) of before"
  }
}
