/// What one finished trial leaves behind: `trials/<fingerprint>/record.json`. Nothing in it depends on the clock or the machine.
public struct TrialRecord: Sendable, Hashable, Codable {
  public var trial: String
  public var seed: Int
  public var fingerprint: String
  public var architecture: String
  public var baseFilters: Int
  public var depth: Int
  public var l2: Double
  public var upsampling: String
  /// Keras's total: trainable weights and batch norm's moving statistics.
  public var parameters: Int
  public var trainableParameters: Int
  /// For one patch.
  public var multiplyAdds: Int
  public var trainingPatches: Int
  public var validationPatches: Int
  public var losses: [EpochLoss]
  /// Epoch (counted from 1 through both phases) whose weights were kept, and its validation loss without the penalty.
  public var bestEpoch: Int
  public var validationLoss: Double
  public var images: [ImageScore]
  /// Set where the trial failed: one line.
  public var failure: String?

  public init(
    trial: String, seed: Int, fingerprint: String, architecture: String, baseFilters: Int, depth: Int, l2: Double, upsampling: String,
    parameters: Int, trainableParameters: Int, multiplyAdds: Int, trainingPatches: Int, validationPatches: Int,
    losses: [EpochLoss], bestEpoch: Int, validationLoss: Double, images: [ImageScore], failure: String? = nil
  ) {
    (self.trial, self.seed, self.fingerprint) = (trial, seed, fingerprint)
    (self.architecture, self.baseFilters, self.depth, self.l2, self.upsampling) = (architecture, baseFilters, depth, l2, upsampling)
    (self.parameters, self.trainableParameters, self.multiplyAdds) = (parameters, trainableParameters, multiplyAdds)
    (self.trainingPatches, self.validationPatches, self.losses) = (trainingPatches, validationPatches, losses)
    (self.bestEpoch, self.validationLoss, self.images, self.failure) = (bestEpoch, validationLoss, images, failure)
  }
}

extension TrialRecord {
  /// Whether the numbers can be a trial's. A file may be damaged and still be JSON; what is drawn and summed relies on this.
  public var isSound: Bool {
    let counts = [baseFilters, depth, parameters, trainableParameters, multiplyAdds, trainingPatches, validationPatches]
      + images.flatMap { [$0.nuclei, $0.objects, $0.annotatedNuclei] }
    let numbers = [l2, validationLoss] + losses.flatMap { [$0.trainLoss, $0.validationLoss, $0.penalty, $0.learningRate] }
    let scores = images.flatMap {
      [
        $0.averageIoU, $0.iouAt050, $0.averagePrecision, $0.contestScore, $0.annotatedAverageIoU, $0.annotatedIoUAt050, $0.annotatedAveragePrecision,
        $0.contestScoreByRegions,
      ]
    }
    // Losses are sums of 32-bit numbers, at most some 1e38 each.
    return losses.enumerated().allSatisfy { $0.element.epoch == $0.offset + 1 } && (0...losses.count).contains(bestEpoch) && seed >= 0
      && counts.allSatisfy { (0...(1 << 53)).contains($0) } && numbers.allSatisfy { abs($0) < 1e60 } && scores.allSatisfy { (0...1).contains($0) }
  }
}

/// One row of `losses.csv`.
public struct EpochLoss: Sendable, Hashable, Codable {
  /// "train" or "fine-tune".
  public var phase: String
  /// Counted from 1, through both phases.
  public var epoch: Int
  public var trainLoss: Double
  public var validationLoss: Double
  /// λ·Σ‖w‖² at the epoch's end; not part of the two losses.
  public var penalty: Double
  public var learningRate: Double
  public init(phase: String, epoch: Int, trainLoss: Double, validationLoss: Double, penalty: Double, learningRate: Double) {
    (self.phase, self.epoch, self.trainLoss) = (phase, epoch, trainLoss)
    (self.validationLoss, self.penalty, self.learningRate) = (validationLoss, penalty, learningRate)
  }
}

/// One row of `images.csv`: one test image's scores, fractions in [0, 1] (definitions: `Metrics`).
public struct ImageScore: Sendable, Hashable, Codable {
  public var image: String
  /// Truth objects by connected regions, and predicted objects.
  public var nuclei: Int
  public var objects: Int
  public var averageIoU: Double
  public var iouAt050: Double
  public var averagePrecision: Double
  public var contestScore: Double
  /// The same with one truth object per annotated nucleus (and, for the contest, by connected regions).
  public var annotatedNuclei: Int
  public var annotatedAverageIoU: Double
  public var annotatedIoUAt050: Double
  public var annotatedAveragePrecision: Double
  public var contestScoreByRegions: Double
  /// Neither truth nor prediction: left out of every mean and counted.
  public var empty: Bool
  public init(
    image: String, nuclei: Int, objects: Int, averageIoU: Double, iouAt050: Double, averagePrecision: Double, contestScore: Double,
    annotatedNuclei: Int, annotatedAverageIoU: Double, annotatedIoUAt050: Double, annotatedAveragePrecision: Double,
    contestScoreByRegions: Double, empty: Bool
  ) {
    (self.image, self.nuclei, self.objects) = (image, nuclei, objects)
    (self.averageIoU, self.iouAt050, self.averagePrecision, self.contestScore) = (averageIoU, iouAt050, averagePrecision, contestScore)
    (self.annotatedNuclei, self.annotatedAverageIoU, self.annotatedIoUAt050) = (annotatedNuclei, annotatedAverageIoU, annotatedIoUAt050)
    (self.annotatedAveragePrecision, self.contestScoreByRegions, self.empty) = (annotatedAveragePrecision, contestScoreByRegions, empty)
  }
}

/// One row of `timings.csv`: what depends on the clock and the machine, kept apart from the record.
public struct TimingRecord: Sendable, Hashable, Codable {
  public var trial: String
  public var seed: Int
  public var threads: Int
  public var precision: String
  public var millisecondsPerPatchMedian: Double
  public var millisecondsPerPatchMinimum: Double
  /// Mean milliseconds a patch of each timed pass over the test set.
  public var passes: [Double]
  public var trainSeconds: Double
  public var peakRSSMegabytes: Double
  /// Threads of the training; nil in logs from before it was noted.
  public var trainThreads: Int?
  /// Whether this is the trial's time: in the precision it was trained in, with all the threads it was given. The others stand beside it.
  /// nil in logs from before there were others.
  public var isMain: Bool?
  /// When the turn began in which it was taken: times of one turn were taken pass by pass beside each other. nil in logs from before there were turns.
  public var turn: String?
  /// What it was taken on; nil in logs from before it was noted.
  public var processor: String?
  /// False where the trained weights were not at hand, and made-up ones took their place; nil in logs from before that could be.
  public var isOfTrainedWeights: Bool?
  public init(
    trial: String, seed: Int, threads: Int, precision: String, millisecondsPerPatchMedian: Double, millisecondsPerPatchMinimum: Double,
    passes: [Double], trainSeconds: Double, peakRSSMegabytes: Double, trainThreads: Int? = nil,
    isMain: Bool? = nil, turn: String? = nil, processor: String? = nil, isOfTrainedWeights: Bool? = nil
  ) {
    (self.trial, self.seed, self.threads, self.precision) = (trial, seed, threads, precision)
    (self.millisecondsPerPatchMedian, self.millisecondsPerPatchMinimum) = (millisecondsPerPatchMedian, millisecondsPerPatchMinimum)
    (self.passes, self.trainSeconds, self.peakRSSMegabytes) = (passes, trainSeconds, peakRSSMegabytes)
    (self.trainThreads, self.isMain, self.turn) = (trainThreads, isMain, turn)
    (self.processor, self.isOfTrainedWeights) = (processor, isOfTrainedWeights)
  }
}

/// What one kind of operation takes of one patch's inference: of all the layers of that kind, medians over several passes.
public struct OperationTime: Sendable, Hashable, Codable {
  public var operation: String
  public var milliseconds: Double
  public var multiplyAdds: Int
  public init(operation: String, milliseconds: Double, multiplyAdds: Int) {
    (self.operation, self.milliseconds, self.multiplyAdds) = (operation, milliseconds, multiplyAdds)
  }
}

/// Where the time of one network's inference goes.
public struct OperationProfile: Sendable, Hashable, Codable {
  public var threads: Int
  /// Of the network as it runs: concatenations are no operation, because convolutions read the parts where they stand.
  public var operations: [OperationTime]
  /// What the concatenations would take as copies.
  public var concatenationAsCopies: Double
  /// Of all layers' time, by round; nil in logs from before there were rounds.
  public var leastShare: Double?, largestShare: Double?
  public init(threads: Int, operations: [OperationTime], concatenationAsCopies: Double, leastShare: Double? = nil, largestShare: Double? = nil) {
    (self.threads, self.operations, self.concatenationAsCopies) = (threads, operations, concatenationAsCopies)
    (self.leastShare, self.largestShare) = (leastShare, largestShare)
  }
}
