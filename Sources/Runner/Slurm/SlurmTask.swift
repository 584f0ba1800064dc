import Diagnostics
import Engine
import ExperimentGraph
import Foundation
import Schedule

extension Runner {
  /// One job of an experiment, by its id: what a task of a cluster does. Tasks of one submission work side by side; those that share a training
  /// take turns.
  ///
  /// SIGUSR1, which Slurm sends before the time limit, stops it with a checkpoint, and the task asks to be queued again.
  public static func runJob(_ id: String, spec: String, _ options: RunOptions, _ surroundings: Surroundings) async throws -> ExitCode {
    Interrupts.listen(alsoTo: SIGUSR1)
    let experiment = try load([spec], options)[0]
    let session = try Session(experiment, options, for: .run, surroundings)
    guard let job = session.graph.jobs.first(where: { $0.id == id }) else {
      throw UserError(
        "\(experiment.name) has no job \(id) here", exitCode: .badCommandOrSpec,
        hints: ["the spec or the data were changed since, or this node computes otherwise (\(Processor.arithmetic(for: session.precision))) than the one it was planned on"])
    }
    do {
      let failure = try perform(job, session, options, surroundings.console)
      return failure == nil ? .done : .someTrialsFailed
    } catch is CancellationError {
      switch Interrupts.signalReceived {
      case SIGTERM: return .terminated
      case SIGUSR1:
        let environment = surroundings.environment
        guard let array = environment["SLURM_ARRAY_JOB_ID"], let index = environment["SLURM_ARRAY_TASK_ID"] else { return .interrupted }
        surroundings.console.say(.message("the time limit is near: checkpoint written, to be queued again"))
        try await Slurm().requeue("\(array)_\(index)")
        return .interrupted
      default: return .interrupted
      }
    }
  }

  /// Returns why the job's trial failed, or nil; `CancellationError` after a signal.
  private static func perform(_ job: Job, _ session: Session, _ options: RunOptions, _ console: Console) throws -> String? {
    let folder = session.folder, graph = session.graph
    // No run of this machine's own works in the folder meanwhile.
    let among = try ResultsLock(at: folder.tasksLock, of: folder.path, isShared: true)
    let trial = job.trials.first { [.train, .fineTune].contains(job.kind) ? graph.trainingJob(of: $0)?.id == job.id : true } ?? job.trials[0]
    let group = job.kind == .patches ? job.id : (graph.job(.train, of: trial) ?? job).id
    let turn = try ResultsLock(at: "\(folder.cache)/slurm/\(group).lock", of: group) { console.say(.message($0)) }
    defer { withExtendedLifetime((among, turn)) {} }

    let tasks = Costs(session, try EarlierTrials(folder)).tasks().filter { $0.id == job.id }
    let trials = TrialJobs(session, options, ProgressDisplay(session, trials: 1, TimeEstimate(tasks), console))
    switch job.kind {
    case .index, .preprocess, .report:
      throw UserError("\(job.id): a job of this kind has no task of its own", exitCode: .badCommandOrSpec)
    case .patches:
      try trials.preparePatches(ofTrial: trial)
      return nil
    case .train, .fineTune: return try trials.train(trial)
    case .evaluate: return try trials.score(trial, isAlone: true)
    case .time: return try trials.time(trial)
    }
  }
}
