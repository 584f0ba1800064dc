import Diagnostics
import Engine
import ExperimentGraph
import Foundation
import Schedule
import Synchronization

/// Shows progress: on a terminal a line for each running trial and one for the sweep, which change; elsewhere plain lines or JSON
/// objects, one an epoch. May be told from several threads.
final class ProgressDisplay: Sendable {
  private let console: Console
  private let graph: ExperimentGraph
  private let start = ContinuousClock.now
  private let state: Mutex<State>

  private struct Running {
    var progress: TrialProgress
    var epochsDone = 0
  }

  private struct State {
    var sweep: SweepProgress
    var estimate: TimeEstimate
    /// By trial.
    var running: [Int: Running] = [:]
    var ended: Set<Int> = []
    /// The live lines that stand above the cursor and in its line.
    var lines = 0
    var shownAt: ContinuousClock.Instant?
  }

  /// - Parameters:
  ///   - trials: how many are to be run.
  ///   - estimate: of their jobs; without tasks, where no time left is known.
  init(_ session: Session, trials: Int, _ estimate: TimeEstimate, _ console: Console) {
    (self.console, graph) = (console, session.graph)
    state = Mutex(State(sweep: SweepProgress(trialsDone: 0, trials: trials), estimate: estimate))
    console.say(
      RunEvent(
        "run_started",
        [
          ("experiment", .text(session.experiment.name)), ("results", .text(session.folder.path)), ("trials", .count(session.experiment.trials.count)),
          ("trials_to_run", .count(trials)), ("jobs_to_run", .count(session.plan.work.count)),
        ]))
  }

  private var now: Double { (ContinuousClock.now - start).seconds }

  // MARK: Phases without epochs: patches, evaluation, timing

  /// - Parameter text: for where no live line shows it, after the trial's label.
  func begin(_ trial: Int, _ kind: JobKind, of total: Int, _ text: String? = nil) {
    state.withLock { state in
      if let job = graph.job(kind, of: trial) { state.estimate.begin(job.id, at: now) }
      let progress = TrialProgress(label: graph.label(ofTrial: trial), phase: kind.rawValue, batch: 0, batches: total)
      state.running[trial, default: Running(progress: progress)].progress = progress
      let event = RunEvent("phase_started", identity(trial) + [("phase", .text(kind.rawValue)), ("steps", .count(total))], text: text.map { "\(progress.label): \($0)" })
      sayUnlessLive(event)
      show(&state)
    }
  }

  func update(_ trial: Int, _ kind: JobKind, done: Int) {
    state.withLock { state in
      guard let total = state.running[trial]?.progress.batches, total > 0 else { return }
      if let job = graph.job(kind, of: trial) { state.estimate.progress(job.id, done: Double(done) / Double(total), at: now) }
      state.running[trial]?.progress.batch = done
      show(&state)
    }
  }

  /// The trial has its scores and waits for its times.
  func scored(_ trial: Int) {
    end(trial, .evaluate)
    state.withLock { $0.running[trial] = nil }
  }

  private func end(_ trial: Int, _ kind: JobKind) {
    state.withLock { state in if let job = graph.job(kind, of: trial) { state.estimate.end(job.id, at: now) } }
  }

  // MARK: Training

  /// - Parameters:
  ///   - epochsDone: by an earlier run.
  ///   - batches: the share of the next epoch's batches that it has done as well.
  func beginTraining(_ trial: Int, epochsDone: Int, ofTheNext batches: Double) {
    end(trial, .patches)
    state.withLock { state in
      let epochs = self.epochs(trial), total = epochs.reduce(0, +), label = graph.label(ofTrial: trial)
      state.running[trial] = Running(progress: TrialProgress(label: label, phase: "train", epoch: epochsDone, epochs: total, batch: 0, batches: 0), epochsDone: epochsDone)
      follow(trial, epochsDone: Double(epochsDone) + Costs.trainingShare(graph.experiment.trials[trial].settings) * batches, &state)
      guard !console.isLive else { return }
      let text = "\(label): training, \(total) epoch\(total == 1 ? "" : "s")" + (epochsDone > 0 ? ", goes on after epoch \(epochsDone)" : "")
      console.say(RunEvent("training_started", identity(trial) + [("epochs", .count(total)), ("epochs_done", .count(epochsDone))], text: text))
    }
  }

  func update(_ trial: Int, _ progress: TrainingProgress) {
    state.withLock { state in
      guard var running = state.running[trial] else { return }
      let share = Costs.trainingShare(graph.experiment.trials[trial].settings)
      follow(trial, epochsDone: Double(running.epochsDone) + share * Double(progress.batch) / Double(max(1, progress.batches)), &state)
      running.progress = TrialProgress(
        label: running.progress.label, phase: progress.phase, epoch: progress.epoch, epochs: progress.epochs, batch: progress.batch,
        batches: progress.batches, loss: progress.loss, patchesPerSecond: progress.patchesPerSecond)
      state.running[trial] = running
      show(&state)
    }
  }

  func epochDone(_ trial: Int, _ result: EpochResult, seconds: Double) {
    state.withLock { state in
      state.running[trial]?.epochsDone = result.epoch
      follow(trial, epochsDone: Double(result.epoch), &state)
      guard !console.isLive, var progress = state.running[trial]?.progress else { return }
      progress.secondsLeft = secondsLeft(trial, state)
      let sweep = sweep(state)
      let event = RunEvent(
        "epoch",
        identity(trial) + [
          ("phase", .text(result.phase)), ("epoch", .count(result.epoch)), ("epochs", .count(progress.epochs)), ("train_loss", .init(result.trainLoss)),
          ("validation_loss", .init(result.validationLoss)), ("penalty", .init(result.penalty)), ("learning_rate", .init(result.learningRate)),
          ("seconds", .init(seconds)), ("patches_per_second", .init(progress.patchesPerSecond)), ("trial_seconds_left", .init(progress.secondsLeft)),
        ] + sweep.fields,
        text: ProgressText.isShown(epoch: result.epoch, of: progress.epochs)
          ? ProgressText.epochLine(progress, validationLoss: result.validationLoss, sweep: sweep) : nil)
      console.say(event)
    }
  }

  /// Tells the estimate how far the trial's training and fine-tuning are: jobs that follow each other.
  private func follow(_ trial: Int, epochsDone: Double, _ state: inout State) {
    var before = 0.0
    for (kind, epochs) in zip([JobKind.train, .fineTune], epochs(trial)) where epochs > 0 {
      guard let job = graph.job(kind, of: trial) else { continue }
      let done = (epochsDone - before) / Double(epochs)
      if done >= 1 {
        state.estimate.end(job.id, at: now)
      } else if done >= 0 {
        if state.estimate.isWaiting(job.id) { state.estimate.begin(job.id, done: done, at: now) }
        state.estimate.progress(job.id, done: done, at: now)
      }
      before += Double(epochs)
    }
  }

  private func epochs(_ trial: Int) -> [Int] {
    let settings = graph.experiment.trials[trial].settings.train
    return [settings.epochs, settings.fineTune.epochs]
  }

  // MARK: The end of a trial

  func trialDone(_ trial: Int, _ scores: TrialScores) {
    trialEnded(trial, failed: false, scores.text) { RunEvent("trial_done", identity(trial) + scores.fields + $0.fields, text: $1) }
  }

  func trialFailed(_ trial: Int, _ reason: String) {
    trialEnded(trial, failed: true, "failed: \(reason)") { RunEvent("trial_failed", identity(trial) + [("reason", .text(reason))] + $0.fields, text: $1) }
  }

  private func trialEnded(_ trial: Int, failed: Bool, _ text: String, _ event: (SweepProgress, String) -> RunEvent) {
    state.withLock { state in
      state.ended.insert(trial)
      state.running[trial] = nil
      // What another trial waits for is still to be done.
      for job in graph.jobs where job.trials.contains(trial) && state.ended.isSuperset(of: job.trials) {
        state.estimate.end(job.id, failed: true, at: now)
      }
      if failed { state.sweep.failed += 1 } else { state.sweep.trialsDone += 1 }
      erase(&state)
      let sweep = sweep(state)
      console.say(event(sweep, "\(graph.label(ofTrial: trial)): \(text)  (\(ProgressText.text(sweep)))"))
    }
  }

  /// A trial that runs elsewhere, on a terminal.
  func show(_ trial: Int, _ progress: TrialProgress) {
    state.withLock { state in
      state.running[trial] = Running(progress: progress)
      show(&state)
    }
  }

  /// What a terminal sees by its live lines.
  func sayUnlessLive(_ event: RunEvent) { if !console.isLive { console.say(event) } }

  /// An event that is none of the above.
  func say(_ event: RunEvent) {
    state.withLock { state in
      erase(&state)
      console.say(event)
    }
  }

  /// What a trial has to say beside its progress; the text begins with the trial's label.
  func message(_ trial: Int, _ text: String) {
    say(RunEvent("message", identity(trial) + [("text", .text(text))], text: "\(graph.label(ofTrial: trial)): \(text)"))
  }

  /// A fault that the run survives: what is wrong and what comes of it.
  func warn(_ error: UserError, _ consequence: String) {
    state.withLock { state in
      erase(&state)
      console.show(error.diagnostics.map { Diagnostic(.warning, "\($0.message); \(consequence)", at: $0.location) })
    }
  }

  /// Takes the live lines away.
  func finish() { state.withLock { erase(&$0) } }

  private func identity(_ trial: Int) -> [RunEvent.Field] {
    [("trial", .text(graph.experiment.trials[trial].name)), ("seed", .count(graph.experiment.trials[trial].settings.seed))]
  }

  private func sweep(_ state: borrowing State) -> SweepProgress {
    var sweep = state.sweep
    sweep.secondsLeft = state.estimate.secondsLeft()
    return sweep
  }

  private func secondsLeft(_ trial: Int, _ state: borrowing State) -> Double? {
    state.estimate.secondsLeft(of: graph.jobs.lazy.filter { $0.kind != .report && $0.trials.contains(trial) }.map(\.id))
  }

  // MARK: Live lines

  /// Draws them, ten times a second at most: a terminal over a slow line must not hold the training up.
  private func show(_ state: inout State) {
    guard console.isLive else { return }
    let now = ContinuousClock.now
    if let shownAt = state.shownAt, state.lines > 0, (now - shownAt).seconds < 0.1 { return }
    var lines = state.running.sorted { $0.key < $1.key }.map { trial, running in
      var progress = running.progress
      progress.secondsLeft = secondsLeft(trial, state)
      return ProgressText.live(progress, columns: console.columns - 1)
    }
    lines.append(ProgressText.live(sweep(state), columns: console.columns - 1))
    erase(&state)
    console.put(lines.joined(separator: "\n"))
    state.lines = lines.count
    // After the work, which takes its time in a large sweep.
    state.shownAt = .now
  }

  private func erase(_ state: inout State) {
    guard state.lines > 0 else { return }
    console.put("\r\u{1B}[K" + String(repeating: "\u{1B}[1A\u{1B}[K", count: state.lines - 1))
    state.lines = 0
  }
}

extension SweepProgress {
  var fields: [RunEvent.Field] {
    [
      ("trials_done", .count(trialsDone)), ("trials_failed", .count(failed)), ("trials_to_run", .count(trials)), ("seconds_left", .init(secondsLeft)),
    ]
  }
}
