import Diagnostics
import Files
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

/// Where a training keeps its place, and how often.
public struct Checkpointing {
  public var files: TwoGenerations
  /// Within an epoch; beside these, one is written after every epoch and on a stop.
  public var interval: Duration
  /// How often one was asked for so far; one is written when it rises.
  public var timesAsked: () -> Int
  public init(_ files: TwoGenerations, interval: Duration = .seconds(120), timesAsked: @escaping () -> Int = { 0 }) {
    (self.files, self.interval, self.timesAsked) = (files, interval, timesAsked)
  }
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
  /// Of an epoch.
  public var batches: Int { (trainingIndices.count + training.batch - 1) / training.batch }

  /// - Throws: `ShapeError` where the network does not fit the patches; `OutOfMemory`.
  public init(
    network configuration: NetworkConfiguration, training: TrainingConfiguration, phases: [TrainingPhase], samples: any PatchSource,
    trainingIndices: [Int], validationIndices: [Int], threads: Int
  ) throws {
    precondition(!trainingIndices.isEmpty && !validationIndices.isEmpty, "nothing to train or to validate on")
    (self.training, self.phases, self.samples) = (training, phases, samples)
    (self.trainingIndices, self.validationIndices) = (trainingIndices, validationIndices)
    network = try configuration.network(height: samples.side, width: samples.side)
    memory = try ParameterMemory(network, training: true)
    memory.initialize(seed: training.seed)
    adam = try Adam(memory, l2: training.l2)
    slices = try BatchSlices(
      network, batch: min(training.batch, trainingIndices.count), precision: configuration.precision, memory: memory, threads: threads)
  }

  /// Begins behind a phase that is done, with what it left: the next phase restores the best weights and starts Adam anew, so nothing else
  /// of the first counts.
  public func start(after epochs: [EpochResult], best weights: NetworkWeights, of epoch: Int, validationLoss: Double) {
    precondition(place(epochs.count).first, "\(epochs.count) epochs do not end a phase")
    state = TrainingState(epochs: epochs, best: weights.values, bestLoss: validationLoss, bestEpoch: epoch)
  }

  /// Takes up the place that a checkpoint holds.
  ///
  /// - Parameter damaged: told of each checkpoint that is damaged; the one before it is then taken.
  /// - Returns: whole epochs done and batches of the next; nil where there is no usable checkpoint and the training begins anew.
  /// - Throws: `UserError` (exit 5) where a checkpoint cannot be read.
  public func resume(from files: TwoGenerations, damaged: (_ error: UserError) -> Void) throws -> (epochs: Int, batches: Int)? {
    guard let saved = try TrainingState.read(files, memory: memory, adam: adam, damaged: damaged) else { return nil }
    state = saved
    return (state.epochs.count, state.batchesDone)
  }

  /// - Parameters:
  ///   - epochDone: called before the epoch's checkpoint is written: what it writes down is at least as new as the checkpoint.
  ///   - shouldStop: asked after each batch, of training and of validation.
  /// - Throws: `TrainingError.notFinite`; `UserError` (exit 5) where a checkpoint cannot be written; `OutOfMemory`; what `epochDone` throws.
  public func run(
    checkpointing: Checkpointing?, progress: (TrainingProgress) -> Void, epochDone: (EpochResult) throws -> Void, shouldStop: () -> Bool
  ) throws -> TrainingOutcome {
    let clock = ContinuousClock(), start = clock.now
    var written = start, timesAsked = checkpointing?.timesAsked() ?? 0
    func checkpoint() throws {
      try checkpointing.map { try state.write($0.files, memory: memory, adam: adam) }
      (written, timesAsked) = (clock.now, checkpointing?.timesAsked() ?? 0)
    }
    func stopped() throws -> TrainingOutcome {
      try checkpoint()
      return outcome(seconds: (clock.now - start).seconds, stopped: true)
    }
    var patchesThisRun = 0
    let totalEpochs = phases.reduce(0) { $0 + $1.epochs }

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
        let loss = try step(batch, epoch: epoch, learningRate: phase.learningRate)
        guard loss.isFinite else { throw TrainingError.notFinite(epoch: epoch, batch: state.batchesDone + 1) }
        state.lossSum += loss * Double(batch.count)
        state.batchesDone += 1
        patchesThisRun += batch.count
        progress(
          TrainingProgress(
            phase: phase.name, epoch: epoch, epochs: totalEpochs, batch: state.batchesDone, batches: batches,
            loss: state.lossSum / Double(min(state.batchesDone * training.batch, order.count)),
            patchesPerSecond: Double(patchesThisRun) / max((clock.now - start).seconds, 1e-9)))
        if shouldStop() { return try stopped() }
        if let checkpointing, clock.now - written >= checkpointing.interval || checkpointing.timesAsked() > timesAsked { try checkpoint() }
      }
      guard let validation = try validate(shouldStop) else { return try stopped() }
      guard validation.isFinite else { throw TrainingError.notFinite(epoch: epoch, batch: batches) }
      let result = EpochResult(
        phase: phase.name, epoch: epoch, trainLoss: state.lossSum / Double(order.count), validationLoss: validation,
        penalty: training.l2 * memory.squaredNorm(), learningRate: phase.learningRate)
      if validation < state.bestLoss { (state.best, state.bestLoss, state.bestEpoch) = (memory.snapshot(), validation, epoch) }
      state.epochs.append(result)
      (state.batchesDone, state.lossSum) = (0, 0)
      try epochDone(result)
      try checkpoint()
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
  private func step(_ batch: [Int], epoch: Int, learningRate: Double) throws -> Double {
    let sum = try slices.run(
      samples, batch, training: true, loss: loss, draw: { DropoutDraw(seed: self.training.seed, epoch: epoch, samples: $0) })
    adam.update(learningRate: learningRate, pool: slices.pool)
    return sum / Double(batch.count)
  }

  /// The mean loss, a few slices at a time (the sum's order is that of all at once); nil where `shouldStop` says so in between.
  private func validate(_ shouldStop: () -> Bool) throws -> Double? {
    let few = 4 * BatchSlices.slice
    var sum = 0.0
    for start in stride(from: 0, to: validationIndices.count, by: few) {
      if start > 0, shouldStop() { return nil }
      let part = Array(validationIndices[start..<min(start + few, validationIndices.count)])
      sum = try slices.run(samples, part, onto: sum, training: false, loss: loss, draw: { _ in nil })
    }
    return sum / Double(validationIndices.count)
  }

  private var loss: SegmentationLoss { SegmentationLoss(bceWeight: training.bceWeight, diceSmooth: training.diceSmooth) }

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
