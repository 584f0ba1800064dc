import Datasets
import Engine
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

  static func ofTrials(_ session: Session) -> [TrialExpectation] {
    let earlier = EarlierTrials(session.folder)
    return session.selected.compactMap { trial in
      let settings = session.experiment.trials[trial].settings, network = settings.networkConfiguration, side = settings.patches.size
      // The engine's plan; the patches, mapped from their file, come on top.
      guard let facts = try? NetworkFacts.of(network, side: side),
        let planned = try? network.plannedMegabytes(side: side, batch: settings.train.batch, training: true, threads: session.threads)
      else { return nil }
      let epochs = settings.phases.reduce(0) { $0 + $1.epochs }
      let known = measured(settings, facts, epochs, earlier) ?? estimated(settings, facts, epochs, session)
      return TrialExpectation(
        trial: trial, parameters: facts.parameters, multiplyAdds: facts.multiplyAdds, epochs: epochs, megabytes: Int(planned.rounded(.up)),
        seconds: known?.seconds, time: known.map { "about \(ProgressText.duration($0.seconds)), \($0.basis)" } ?? "not known without the data")
    }
  }

  /// Scaled from a trial that ran here before: of the same network if there is one, else of any, by multiply–adds.
  private static func measured(
    _ settings: TrialSettings, _ facts: NetworkFacts, _ epochs: Int, _ earlier: EarlierTrials
  ) -> (seconds: Double, basis: String)? {
    func cost(_ settings: [String: String]) -> Double? {
      guard let architecture = settings["model.architecture"], let filters = settings["model.base_filters"].flatMap(Int.init),
        let depth = settings["model.depth"].flatMap(Int.init), let side = settings["patches.size"].flatMap(Int.init)
      else { return nil }
      let network = NetworkConfiguration(
        architecture: architecture, baseFilters: filters, depth: depth, upsampling: settings["model.upsampling"] == "nearest" ? .nearest : .transposed,
        batchNormalization: settings["model.normalization"] == "batch", dropout: 0)
      return (try? NetworkFacts.of(network, side: side)).map { Double($0.multiplyAdds) }
    }
    let known = earlier.entries.reversed().filter { ($0.timing?.timing.trainSeconds ?? 0) > 0 && $0.epochsDone > 0 }
    let same = known.first { $0.settings["model.architecture"] == settings.model.architecture.rawValue } ?? known.first
    guard let same, let seconds = same.timing?.timing.trainSeconds, let before = cost(same.settings), before > 0 else { return nil }
    return (seconds / Double(same.epochsDone) * Double(epochs) * Double(facts.multiplyAdds) / before, "by \(same.trial) of before")
  }

  /// Multiply–adds a second and thread in training, as measured with AVX-512 on two cores (results/benchmarks): 151e9 for U-Net, 134e9 for
  /// U-Net++ and 81e9 for U-Net+, all of B = 16.
  private static let rate = 120e9

  /// Before a first run: by the multiply–adds of all training patches, of which a step takes three passes and a validation one.
  private static func estimated(_ settings: TrialSettings, _ facts: NetworkFacts, _ epochs: Int, _ session: Session) -> (seconds: Double, basis: String)? {
    guard let index = session.data[settings.data]?.index else { return nil }
    let perVersion = index.training.reduce(0) { sum, image in
      let grid = patchOrigins(height: image.height, width: image.width, size: settings.patches.size).count
      return sum + grid + (grid > 1 ? settings.patches.cropsPerImage : 0)
    }
    let patches = Double(perVersion * (1 + settings.augment.copies)), validation = settings.patches.validationFraction
    let work = patches * (3 * (1 - validation) + validation) * Double(facts.multiplyAdds) * Double(epochs)
    return (work / (rate * Double(session.threads)), "at \(Int(rate / 1e9))e9 multiply–adds a second and thread, before a first run")
  }
}
