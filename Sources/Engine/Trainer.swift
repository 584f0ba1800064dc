import CKernels
import NetworkGraph
import Ops
import TensorCore

/// Where a training stands, for whoever watches.
public struct TrainingProgress: Sendable {
  public var phase: String
  /// Both counted from 1, through all phases.
  public var epoch, epochs: Int
  /// Batches done of this epoch.
  public var batch, batches: Int
  /// Mean training loss of this epoch so far.
  public var loss: Double
  public var patchesPerSecond: Double
}

public struct EpochResult: Sendable, Hashable, Codable {
  public var phase: String
  /// Counted from 1 through all phases.
  public var epoch: Int
  /// Means over samples, without the penalty.
  public var trainLoss, validationLoss: Double
  /// λ·Σ‖w‖² at the epoch's end.
  public var penalty: Double
  public var learningRate: Double

  public init(phase: String, epoch: Int, trainLoss: Double, validationLoss: Double, penalty: Double, learningRate: Double) {
    (self.phase, self.epoch, self.trainLoss, self.validationLoss) = (phase, epoch, trainLoss, validationLoss)
    (self.penalty, self.learningRate) = (penalty, learningRate)
  }
}

public struct TrainingOutcome: Sendable {
  /// Those with the lowest validation loss.
  public var weights: NetworkWeights
  public var epochs: [EpochResult]
  public var bestEpoch: Int
  public var validationLoss: Double
  /// Of this process; work done before a resume is not in it.
  public var seconds: Double
  /// True where `shouldStop` ended it early; the checkpoint holds its place.
  public var stopped: Bool
}

public enum TrainingError: Error, Sendable, CustomStringConvertible {
  case notFinite(epoch: Int, batch: Int)
  public var description: String {
    switch self {
    case .notFinite(let epoch, let batch): "the loss is not a finite number in epoch \(epoch), batch \(batch)"
    }
  }
}

/// Trains one network on one set of patches: Adam on the paper's loss, lowest-validation-loss weights kept.
///
/// The same inputs give the same bits, for any number of threads and however often the run was interrupted: random numbers
/// depend on (seed, epoch, sample) and sums have a fixed order.
public final class Trainer {
  private let training: TrainingConfiguration
  private let phases: [TrainingPhase]
  private let samples: any PatchSource
  private let trainingIndices: [Int]
  private let validationIndices: [Int]
  private let network: Network
  private let memory: ParameterMemory
  private let adam: Adam
  private let slices: BatchSlices
  private var state = TrainingState()
  /// Those that are done, an earlier run's among them.
  public var epochs: [EpochResult] { state.epochs }

  /// - Throws: `ShapeError` where the network does not fit the patches.
  public init(
    network configuration: NetworkConfiguration, training: TrainingConfiguration, phases: [TrainingPhase], samples: any PatchSource,
    trainingIndices: [Int], validationIndices: [Int], threads: Int
  ) throws {
    precondition(!trainingIndices.isEmpty && !validationIndices.isEmpty, "nothing to train or to validate on")
    (self.training, self.phases, self.samples) = (training, phases, samples)
    (self.trainingIndices, self.validationIndices) = (trainingIndices, validationIndices)
    network = try configuration.network(height: samples.side, width: samples.side)
    memory = ParameterMemory(network, training: true)
    memory.initialize(seed: training.seed)
    adam = Adam(memory, l2: training.l2)
    slices = BatchSlices(
      network, batch: min(training.batch, trainingIndices.count), precision: configuration.precision, memory: memory, threads: threads)
  }

  /// Begins behind a phase that is done, with what it left: the next phase restores the best weights and starts Adam anew, so nothing else
  /// of the first counts. A checkpoint that `run` finds goes before it.
  public func start(after epochs: [EpochResult], best weights: NetworkWeights, of epoch: Int, validationLoss: Double) {
    precondition(place(epochs.count).first, "\(epochs.count) epochs do not end a phase")
    state = TrainingState(epochs: epochs, best: weights.values, bestLoss: validationLoss, bestEpoch: epoch)
  }

  /// - Parameters:
  ///   - checkpoint: a file resumed from where it is there, and written after every epoch and on a stop.
  ///   - shouldStop: asked after each batch.
  /// - Throws: `TrainingError.notFinite`; `UserError` where the checkpoint cannot be read or written.
  public func run(
    checkpoint: String?, progress: (TrainingProgress) -> Void, epochDone: (EpochResult) -> Void, shouldStop: () -> Bool
  ) throws -> TrainingOutcome {
    let clock = ContinuousClock(), start = clock.now
    if let checkpoint, let saved = try TrainingState.read(checkpoint, memory: memory, adam: adam) { state = saved }
    var patchesThisRun = 0
    let totalEpochs = phases.reduce(0) { $0 + $1.epochs }
    let batches = (trainingIndices.count + training.batch - 1) / training.batch

    while state.epochs.count < totalEpochs {
      let (phase, first) = place(state.epochs.count)
      if first && state.batchesDone == 0 && !state.epochs.isEmpty {
        memory.restore(state.best)
        adam.reset()
      }
      let epoch = state.epochs.count + 1
      var random = CounterRandom(seed: training.seed, purpose: .shuffle, epoch: epoch)
      let order = random.permutation(trainingIndices.count).map { trainingIndices[$0] }
      while state.batchesDone < batches {
        let from = state.batchesDone * training.batch, batch = Array(order[from..<min(from + training.batch, order.count)])
        let loss = step(batch, epoch: epoch, learningRate: phase.learningRate)
        guard loss.isFinite else { throw TrainingError.notFinite(epoch: epoch, batch: state.batchesDone + 1) }
        state.lossSum += loss * Double(batch.count)
        state.batchesDone += 1
        patchesThisRun += batch.count
        progress(
          TrainingProgress(
            phase: phase.name, epoch: epoch, epochs: totalEpochs, batch: state.batchesDone, batches: batches,
            loss: state.lossSum / Double(min(state.batchesDone * training.batch, order.count)),
            patchesPerSecond: Double(patchesThisRun) / max((clock.now - start).seconds, 1e-9)))
        if shouldStop() && !(state.batchesDone == batches) {
          if let checkpoint { try state.write(checkpoint, memory: memory, adam: adam) }
          return outcome(seconds: (clock.now - start).seconds, stopped: true)
        }
      }
      let validation = validate()
      guard validation.isFinite else { throw TrainingError.notFinite(epoch: epoch, batch: batches) }
      let result = EpochResult(
        phase: phase.name, epoch: epoch, trainLoss: state.lossSum / Double(order.count), validationLoss: validation,
        penalty: training.l2 * memory.squaredNorm(), learningRate: phase.learningRate)
      if validation < state.bestLoss { (state.best, state.bestLoss, state.bestEpoch) = (memory.snapshot(), validation, epoch) }
      state.epochs.append(result)
      (state.batchesDone, state.lossSum) = (0, 0)
      if let checkpoint { try state.write(checkpoint, memory: memory, adam: adam) }
      epochDone(result)
      if shouldStop() && state.epochs.count < totalEpochs { return outcome(seconds: (clock.now - start).seconds, stopped: true) }
    }
    return outcome(seconds: (clock.now - start).seconds, stopped: false)
  }

  /// The phase of the epoch that follows `done` finished ones, and whether it is the phase's first.
  private func place(_ done: Int) -> (TrainingPhase, first: Bool) {
    var before = 0
    for phase in phases {
      if done < before + phase.epochs { return (phase, done == before) }
      before += phase.epochs
    }
    preconditionFailure("epoch \(done + 1) lies behind the last phase")
  }

  /// Gradient of the batch's mean loss, then one step of Adam.
  private func step(_ batch: [Int], epoch: Int, learningRate: Double) -> Double {
    let loss = SegmentationLoss(bceWeight: training.bceWeight, diceSmooth: training.diceSmooth)
    let sum = slices.run(samples, batch, training: true, loss: loss, draw: { DropoutDraw(seed: self.training.seed, epoch: epoch, samples: $0) })
    adam.update(learningRate: learningRate, pool: slices.pool)
    return sum / Double(batch.count)
  }

  private func validate() -> Double {
    let loss = SegmentationLoss(bceWeight: training.bceWeight, diceSmooth: training.diceSmooth)
    return slices.run(samples, validationIndices, training: false, loss: loss, draw: { _ in nil }) / Double(validationIndices.count)
  }

  private func outcome(seconds: Double, stopped: Bool) -> TrainingOutcome {
    TrainingOutcome(
      weights: NetworkWeights(parameters: network.parameters, values: state.best.isEmpty ? memory.snapshot() : state.best), epochs: state.epochs,
      bestEpoch: state.bestEpoch, validationLoss: state.bestLoss, seconds: seconds, stopped: stopped)
  }
}

extension Duration {
  /// As a floating-point number of seconds.
  public var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
