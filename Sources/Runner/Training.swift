import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Foundation
import Report

/// The weights a trial evaluates, and what is known of how they were trained.
struct TrainedNetwork {
  var weights: NetworkWeights
  var training: TrainedWeights
}

/// Trainings of one experiment: each is done once, from its checkpoint where there is one, and its weights are shared.
struct Trainings: Sendable {
  private let session: Session
  private let patches: PatchCache
  private let display: ProgressDisplay
  private var graph: ExperimentGraph { session.graph }

  init(_ session: Session, _ patches: PatchCache, _ display: ProgressDisplay) {
    (self.session, self.patches, self.display) = (session, patches, display)
  }

  /// The trial's weights: read where they are there, else trained.
  ///
  /// - Throws: `TrainingError`, `UserError`; `CancellationError` after a signal, with a checkpoint written.
  func network(ofTrial trial: Int) throws -> TrainedNetwork {
    let folder = session.folder.trial(graph.fingerprint(ofTrial: trial))
    let job = graph.trainingJob(of: trial)
    if let there = try finished(job, for: folder, trial) {
      removeCheckpoints(nowThat: job)  // a kill may have come between the weights and this
      return there
    }
    let home = checkpointFolder(of: job) ?? folder
    let before = FileManager.default.fileExists(atPath: home.checkpoint) ? nil : try mainTraining(before: job, home, trial)
    let trained = try train(trial, job, in: home, after: before)
    removeCheckpoints(nowThat: job)
    if home.path != folder.path { try link(home.weights, to: folder.weights) }
    return trained
  }

  private func finished(_ job: Job, for folder: TrialFolder, _ trial: Int) throws -> TrainedNetwork? {
    guard let (network, home) = find(job, for: folder, trial) else { return nil }
    if home.path != folder.path { try link(home.weights, to: folder.weights) }
    return network
  }

  /// Weights that some trial of this experiment, or of an earlier state of its spec, left behind, and where.
  private func find(_ job: Job, for folder: TrialFolder, _ trial: Int) -> (network: TrainedNetwork, home: TrialFolder)? {
    let configuration = session.experiment.trials[trial].settings.networkConfiguration
    for other in [folder] + session.folder.allTrials() {
      guard let training = other.trainedWeights(), training.fingerprint == job.fingerprint else { continue }
      // Damaged weights are as good as none: they are trained again.
      guard let weights = try? NetworkWeights.read(other.weights, for: configuration) else { continue }
      return (TrainedNetwork(weights: weights, training: training), other)
    }
    return nil
  }

  /// The folder, of all trials that share the training, in which it was cut off.
  private func checkpointFolder(of job: Job) -> TrialFolder? {
    job.trials.filter { graph.trainingJob(of: $0).id == job.id }.map { session.folder.trial(graph.fingerprint(ofTrial: $0)) }
      .first { FileManager.default.fileExists(atPath: $0.checkpoint) }
  }

  /// What a fine-tuning goes on from: the training before it, where that is done, else its checkpoint. Its epochs are this trial's too, and
  /// so are their times. (Of trials that share a training, the executor runs first those that end with it.)
  private func mainTraining(before job: Job, _ home: TrialFolder, _ trial: Int) throws -> TrainedNetwork? {
    guard job.kind == .fineTune, let main = job.inputs.map({ graph[$0] }).first(where: { $0.kind == .train }) else { return nil }
    let found = find(main, for: home, trial)
    guard let source = found?.home ?? checkpointFolder(of: main) else { return nil }
    if found == nil { try link(source.checkpoint, to: home.checkpoint) }
    for line in source.log.lines() { if case .epoch(let phase, _, _, _, _) = line.event, phase == "train" { try home.log.append(line.event) } }
    return found?.network
  }

  /// Checkpoints that nothing goes on from any more.
  private func removeCheckpoints(nowThat job: Job) {
    for trial in job.trials where graph.trainingJob(of: trial).id == job.id {
      try? FileManager.default.removeItem(atPath: session.folder.trial(graph.fingerprint(ofTrial: trial)).checkpoint)
    }
  }

  private func train(_ trial: Int, _ job: Job, in home: TrialFolder, after before: TrainedNetwork?) throws -> TrainedNetwork {
    let settings = session.experiment.trials[trial].settings
    let store = try patches.training(ofTrial: trial)
    let split = store.split(settings.patches, seed: settings.seed)
    guard !split.training.isEmpty, !split.validation.isEmpty else {
      throw UserError(
        "\(store.count) patches cannot be split into training and validation", exitCode: .inputOrOutputFailed,
        hints: ["give more images, or smaller patches (patches.size)"])
    }
    func makeTrainer() throws -> Trainer {
      let trainer = try Trainer(
        network: settings.networkConfiguration, training: settings.trainingConfiguration, phases: settings.phases,
        samples: store, trainingIndices: split.training, validationIndices: split.validation, threads: session.threads)
      if let done = before?.training, let weights = before?.weights {
        trainer.start(after: done.losses.map(EpochResult.init), best: weights, of: done.bestEpoch, validationLoss: done.validationLoss)
      }
      return trainer
    }
    let isResumed = FileManager.default.fileExists(atPath: home.checkpoint), epochsDone = isResumed ? home.log.lines().epochsDone : before?.training.losses.count ?? 0
    display.beginTraining(trial, epochsDone: epochsDone)
    var curves = LossCurves(home)

    var logFault: (any Error)?
    let clock = ContinuousClock()
    var epochStart = clock.now
    func run() throws -> TrainingOutcome {
      let trainer = try makeTrainer()
      return try trainer.run(
        checkpoint: home.checkpoint, progress: { display.update(trial, $0) },
        epochDone: { result in
          let seconds = (clock.now - epochStart).seconds, time = Date()
          epochStart = clock.now
          do {
            try home.log.append(
              .epoch(phase: result.phase, epoch: result.epoch, trainLoss: result.trainLoss, validationLoss: result.validationLoss, seconds: seconds),
              at: time)
            try curves.hold(trainer.epochs, at: time)
          } catch { logFault = error }
          display.epochDone(trial, result, seconds: seconds)
        },
        shouldStop: { Interrupts.signalReceived != nil || logFault != nil })
    }
    if isResumed { try home.log.append(.resumed(epoch: epochsDone)) }
    let outcome: TrainingOutcome
    do {
      outcome = try run()
    } catch let error as UserError where error.exitCode == .damagedData {
      display.message(trial, "its checkpoint is damaged; training starts again from the first epoch")
      try FileManager.default.removeItem(atPath: home.checkpoint)
      outcome = try run()
    }
    if let logFault { throw logFault }
    try curves.hold(outcome.epochs, at: Date())
    if outcome.stopped {
      try home.log.append(.interrupted(epoch: outcome.epochs.count))
      throw CancellationError()
    }
    let training = TrainedWeights(
      fingerprint: job.fingerprint,
      losses: outcome.epochs.map {
        EpochLoss(
          phase: $0.phase, epoch: $0.epoch, trainLoss: $0.trainLoss, validationLoss: $0.validationLoss, penalty: $0.penalty, learningRate: $0.learningRate)
      },
      bestEpoch: outcome.bestEpoch, validationLoss: outcome.validationLoss, trainingPatches: split.training.count, validationPatches: split.validation.count)
    try outcome.weights.write(to: home.weights, metadata: training.metadata)
    try home.log.append(.trained(fingerprint: job.fingerprint.description, bestEpoch: outcome.bestEpoch))
    return TrainedNetwork(weights: outcome.weights, training: training)
  }

  /// The same file under a second name, copied where the file system has no links.
  private func link(_ from: String, to: String) throws {
    try? FileManager.default.removeItem(atPath: to)
    do {
      do { try FileManager.default.linkItem(atPath: from, toPath: to) } catch { try FileManager.default.copyItem(atPath: from, toPath: to) }
    } catch {
      throw UserError("\(to): \(error.localizedDescription)", exitCode: .inputOrOutputFailed)
    }
  }
}

extension EpochResult {
  fileprivate init(_ loss: EpochLoss) {
    self.init(
      phase: loss.phase, epoch: loss.epoch, trainLoss: loss.trainLoss, validationLoss: loss.validationLoss, penalty: loss.penalty,
      learningRate: loss.learningRate)
  }
}
