import Datasets
import Engine
import ExperimentGraph
import ExperimentSpec
import Foundation
import Schedule

/// What the jobs of a session are expected to cost before they run: from the network's arithmetic and memory traffic and the number of
/// patches, scaled by what trainings took here before.
struct Costs {
  private let session: Session
  /// Measured over expected seconds of the trainings that left a log, by network; the newest counts.
  private let measured: [(network: NetworkConfiguration, trial: String, ratio: Double)]

  /// Of two cores with AVX-512 (results/benchmarks); the estimate that uses them learns the machine's own. Networks with batch norm work
  /// on whole batches, which fall out of the caches.
  private static let multiplyAddsPerSecond = 5.9e11, bytesPerSecond = 2.8e10, bytesPerSecondInWholeBatches = 1.4e10
  private static let secondsPerPixelAndIteration = 2e-9, secondsPerScoredPixel = 1e-7

  init(_ session: Session, _ earlier: EarlierTrials) {
    self.session = session
    measured = earlier.entries.compactMap { entry in
      guard let network = NetworkConfiguration(settings: entry.settings), let side = entry.settings["patches.size"].flatMap(Int.init),
        let record = entry.folder.readRecord(), record.trainingPatches > 0, let seconds = entry.secondsPerEpoch,
        let pass = Self.secondsPerPatch(network, side: side)
      else { return nil }
      return (network, entry.trial, seconds / (Double(record.trainingPatches) * pass.training + Double(record.validationPatches) * pass.forward))
    }
  }

  /// The tasks of a time estimate: the jobs that are to be done, and the share that an earlier run did of one that is resumed.
  func tasks() -> [TimeEstimate.Task] {
    session.plan.work.compactMap { step in
      let trial = step.job.trials[0]
      guard let seconds = seconds(of: step.job), seconds > 0 else { return nil }
      return TimeEstimate.Task(id: step.job.id, kind: step.job.kind, group: group(ofTrial: trial, step.job.kind), seconds: seconds, inputs: step.job.inputs)
    }
  }

  /// Trials of one network and one size of patch cost alike.
  private func group(ofTrial trial: Int, _ kind: JobKind) -> String {
    let settings = session.experiment.trials[trial].settings
    return kind < .train ? "" : "\(settings.networkConfiguration) \(settings.patches.size) \(settings.train.batch)"
  }

  /// Seconds on the machine of the constants above, or of before; nil where the data is not at hand.
  func seconds(of job: Job) -> Double? {
    let trial = job.trials[0], settings = session.experiment.trials[trial].settings
    guard let index = session.data[settings.data]?.index else { return nil }
    let side = settings.patches.size
    // A baseline has no network: what it costs is its scoring.
    let isNetwork = settings.model.architecture.isNetwork
    guard let pass = isNetwork ? Self.secondsPerPatch(settings.networkConfiguration, side: side) : (0, 0) else { return nil }
    let scored = session.data(ofTrial: trial).scoredImages(settings), scoredPatches = Double(Self.grid(scored, side))
    switch job.kind {
    case .index, .preprocess: return 0
    case .patches:
      let pixels = Double(Self.pixels(index.training) * (1 + settings.augment.copies) + Self.pixels(scored))
      return pixels * Self.secondsPerPixelAndIteration * Double(50 + settings.preprocess.tvIterations)
    case .train: return Double(settings.train.epochs) * secondsPerEpoch(settings, index, pass)
    case .fineTune: return Double(settings.train.fineTune.epochs) * secondsPerEpoch(settings, index, pass)
    case .evaluate: return scoredPatches * pass.forward + Double(Self.pixels(scored)) * Self.secondsPerScoredPixel
    // With one thread and with all.
    case .time: return Double(1 + settings.evaluate.timingPasses) * scoredPatches * pass.forward * 2
    case .report: return nil
    }
  }

  /// The trial of before, if any, by which a training's time is known.
  func known(_ settings: TrialSettings) -> (trial: String, ratio: Double)? {
    let found = measured.last { $0.network == settings.networkConfiguration } ?? measured.last
    return found.map { ($0.trial, $0.ratio) }
  }

  private func secondsPerEpoch(_ settings: TrialSettings, _ index: DatasetIndex, _ pass: (forward: Double, training: Double)) -> Double {
    let copies = 1 + settings.augment.copies
    // Crops that are too dark are thrown away: about half.
    let patches = Double(Self.grid(index.training, settings.patches.size) * copies)
      + Double(index.training.count * settings.patches.cropsPerImage * copies) / 2
    let validation = settings.patches.validationFraction
    return patches * ((1 - validation) * pass.training + validation * pass.forward) * (known(settings)?.ratio ?? 1)
  }

  private static func grid(_ items: [DatasetItem], _ side: Int) -> Int {
    items.reduce(0) { $0 + patchOrigins(height: $1.height, width: $1.width, size: side).count }
  }
  private static func pixels(_ items: [DatasetItem]) -> Int { items.reduce(0) { $0 + $1.height * $1.width } }

  /// Of one patch, forward alone and forward and backward; a backward pass has twice the forward's products and one and a half times its traffic.
  private static func secondsPerPatch(_ configuration: NetworkConfiguration, side: Int) -> (forward: Double, training: Double)? {
    guard let facts = try? NetworkFacts.of(configuration, side: side) else { return nil }
    let products = Double(facts.multiplyAdds) / multiplyAddsPerSecond, bytes = Double(4 * facts.valuesMoved)
    let training = bytes / (facts.needsWholeBatch ? bytesPerSecondInWholeBatches : bytesPerSecond)
    return (products + bytes / bytesPerSecond, 3 * products + 2.5 * training)
  }

  /// The share of an epoch's time that training takes; the rest validates.
  static func trainingShare(_ settings: TrialSettings) -> Double {
    let training = 3 * (1 - settings.patches.validationFraction)
    return training / (training + settings.patches.validationFraction)
  }
}

extension NetworkConfiguration {
  /// As a log's settings name it; nil where they do not. Drop-out costs nothing to speak of.
  init?(settings: [String: String]) {
    guard let architecture = settings["model.architecture"], let filters = settings["model.base_filters"].flatMap(Int.init),
      let depth = settings["model.depth"].flatMap(Int.init)
    else { return nil }
    self.init(
      architecture: architecture, baseFilters: filters, depth: depth, upsampling: settings["model.upsampling"] == "nearest" ? .nearest : .transposed,
      batchNormalization: settings["model.normalization"] == "batch", dropout: Float(settings["model.dropout"] ?? "0") ?? 0)
  }
}
