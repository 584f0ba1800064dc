import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
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
  private let checkpointInterval: Duration
  private var graph: ExperimentGraph { session.graph }

  init(_ session: Session, _ patches: PatchCache, _ display: ProgressDisplay, checkpointInterval: Duration) {
    (self.session, self.patches, self.display, self.checkpointInterval) = (session, patches, display, checkpointInterval)
  }

  /// The trial's weights: read where they are there, else trained.
  ///
  /// - Throws: `TrainingError`, `UserError`; `CancellationError` after a signal, with a checkpoint written.
  func network(ofTrial trial: Int) throws -> TrainedNetwork {
    let folder = session.folder.trial(graph.fingerprint(ofTrial: trial))
    guard let job = graph.trainingJob(of: trial) else { preconditionFailure("a trial without a network is asked for its weights") }
    if let there = try finished(job, for: folder, trial) {
      try removeCheckpoints(nowThat: job)  // a kill may have come between the weights and this
      return there
    }
    let home = checkpointFolder(of: job) ?? folder
    let before = home.checkpoint.present.isEmpty ? try mainTraining(before: job, home, trial) : nil
    let trained = try train(trial, job, in: home, after: before)
    try removeCheckpoints(nowThat: job)
    if home.path != folder.path { try write(trained, to: folder, trial) }
    return trained
  }

  /// The trial's weights, where they are there.
  func weightsAtHand(ofTrial trial: Int) throws -> NetworkWeights? {
    guard let job = graph.trainingJob(of: trial) else { return nil }
    return try find(job, for: session.folder.trial(graph.fingerprint(ofTrial: trial)), trial)?.network.weights
  }

  private func finished(_ job: Job, for folder: TrialFolder, _ trial: Int) throws -> TrainedNetwork? {
    guard let (network, home) = try find(job, for: folder, trial) else { return nil }
    if home.path != folder.path { try write(network, to: folder, trial) }
    return network
  }

  /// Weights that some trial of this experiment, or of an earlier state of its spec, left behind, and where.
  private func find(_ job: Job, for folder: TrialFolder, _ trial: Int) throws -> (network: TrainedNetwork, home: TrialFolder)? {
    let configuration = session.experiment.trials[trial].settings.networkConfiguration
    for other in try [folder] + session.folder.allTrials() {
      guard let training = other.trainedWeights(), training.fingerprint == job.fingerprint else { continue }
      // Damaged weights, of which the snapshot has said so, are as good as none.
      guard let weights = try? NetworkWeights.read(other.weights, for: configuration, ours: true) else { continue }
      return (TrainedNetwork(weights: weights, training: training), other)
    }
    return nil
  }

  /// The folder, of all trials that share the training, in which it was cut off.
  private func checkpointFolder(of job: Job) -> TrialFolder? {
    job.trials.filter { graph.trainingJob(of: $0)?.id == job.id }.map { session.folder.trial(graph.fingerprint(ofTrial: $0)) }
      .first { !$0.checkpoint.present.isEmpty }
  }

  /// What a fine-tuning goes on from: the training before it, where that is done, else its checkpoint. Its epochs are this trial's too, and
  /// so are their times. (Of trials that share a training, the executor runs first those that end with it.)
  private func mainTraining(before job: Job, _ home: TrialFolder, _ trial: Int) throws -> TrainedNetwork? {
    guard job.kind == .fineTune, let main = job.inputs.map({ graph[$0] }).first(where: { $0.kind == .train }) else { return nil }
    let found = try find(main, for: home, trial)
    guard let source = found?.home ?? checkpointFolder(of: main) else { return nil }
    try home.log.goBack(to: 0)
    for line in try source.log.lines() { if case .epoch(let phase, _, _, _, _) = line.event, phase == "train" { try home.log.append(line.event) } }
    if found == nil {
      for (from, to) in [(source.checkpoint.previous, home.checkpoint.previous), (source.checkpoint.newest, home.checkpoint.newest)] {
        if FileManager.default.fileExists(atPath: from) { try link(from, to: to) }
      }
    }
    return found?.network
  }

  /// Checkpoints that nothing goes on from any more.
  private func removeCheckpoints(nowThat job: Job) throws {
    for trial in job.trials where graph.trainingJob(of: trial)?.id == job.id {
      try session.folder.trial(graph.fingerprint(ofTrial: trial)).checkpoint.remove()
    }
  }

  private func train(_ trial: Int, _ job: Job, in home: TrialFolder, after before: TrainedNetwork?) throws -> TrainedNetwork {
    let settings = session.experiment.trials[trial].settings
    let store = try patches.training(ofTrial: trial)
    let split = store.split(settings.patches, seed: settings.seed)
    guard !split.training.isEmpty, !split.validation.isEmpty else {
      throw UserError(
        "\(store.count) patch\(store.count == 1 ? "" : "es") cannot be split into training and validation", exitCode: .badCommandOrSpec,
        hints: ["give more images, or smaller patches (patches.size)"])
    }
    let trainer = try Trainer(
      network: settings.networkConfiguration, training: settings.trainingConfiguration, phases: settings.phases,
      samples: store, trainingIndices: split.training, validationIndices: split.validation, threads: session.threads)
    let place = try trainer.resume(from: home.checkpoint) { display.warn($0, "the training goes on from the checkpoint before it, or begins again") }
    if place == nil, let done = before?.training, let weights = before?.weights {
      trainer.start(after: done.losses.map(EpochResult.init), best: weights, of: done.bestEpoch, validationLoss: done.validationLoss)
    }
    let epochsDone = place?.epochs ?? before?.training.losses.count ?? 0
    // A checkpoint's place in the log is its number of epochs.
    try home.log.goBack(to: epochsDone)
    if let place { try home.log.append(.resumed(epoch: place.epochs, batch: place.batches)) }

    display.beginTraining(trial, epochsDone: epochsDone, ofTheNext: Double(place?.batches ?? 0) / Double(trainer.batches))
    var curves = try LossCurves(home)
    let clock = ContinuousClock()
    var epochStart = clock.now
    let outcome = try trainer.run(
      checkpointing: Checkpointing(home.checkpoint, interval: checkpointInterval) { Interrupts.checkpointsAsked },
      progress: { display.update(trial, $0) },
      epochDone: { result in
        let seconds = (clock.now - epochStart).seconds, time = Date()
        epochStart = clock.now
        try home.log.append(
          .epoch(phase: result.phase, epoch: result.epoch, trainLoss: result.trainLoss, validationLoss: result.validationLoss, seconds: seconds),
          at: time)
        try curves.hold(trainer.epochs, at: time)
        display.epochDone(trial, result, seconds: seconds)
      },
      shouldStop: { Interrupts.signalReceived != nil })
    try curves.hold(outcome.epochs, at: Date())
    if outcome.stopped {
      try home.log.append(.interrupted(epoch: outcome.epochs.count, seconds: (clock.now - epochStart).seconds))
      throw CancellationError()
    }
    let training = TrainedWeights(
      fingerprint: job.fingerprint,
      losses: outcome.epochs.map {
        EpochLoss(
          phase: $0.phase, epoch: $0.epoch, trainLoss: $0.trainLoss, validationLoss: $0.validationLoss, penalty: $0.penalty, learningRate: $0.learningRate)
      },
      bestEpoch: outcome.bestEpoch, validationLoss: outcome.validationLoss, trainingPatches: split.training.count, validationPatches: split.validation.count)
    let trained = TrainedNetwork(weights: outcome.weights, training: training)
    // In the folder of another trial of this training, which was cut off there: what the file says besides is that trial's.
    try write(trained, to: home, job.trials.first { session.folder(ofTrial: $0).path == home.path } ?? trial)
    try home.log.append(.trained(fingerprint: job.fingerprint.description, bestEpoch: outcome.bestEpoch, threads: session.threads))
    return trained
  }

  /// The training may be several trials' own; what the file says of post-processing is this trial's.
  private func write(_ network: TrainedNetwork, to folder: TrialFolder, _ trial: Int) throws {
    let stated = try TrainedModel.metadata(session.experiment.trials[trial].settings)
    try network.weights.write(to: folder.weights, metadata: network.training.metadata.merging(stated) { training, _ in training })
  }

  /// The same file under a second name, copied where the file system has no links.
  private func link(_ from: String, to: String) throws {
    try DurableFile.remove(to)
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
