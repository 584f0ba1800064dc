import Engine
import Foundation
import Synchronization

/// Shows progress: on a terminal a line that changes for every running trial and one for the sweep; elsewhere a plain line an epoch.
final class ProgressDisplay: Sendable {
  private let console: Console
  private let state: Mutex<State>

  private struct State {
    var sweep: SweepProgress
    var clock: WorkClock
    var running: [Running] = []
    /// Live lines above the cursor.
    var shownLines = 0
    var shownAt: ContinuousClock.Instant?

    /// The running trial; a new one begins where it is not there.
    subscript(trial: Int) -> Running {
      get { running.first { $0.trial == trial } ?? Running(trial: trial) }
      set {
        if let place = running.firstIndex(where: { $0.trial == trial }) { running[place] = newValue } else { running.append(newValue) }
      }
    }

    /// Seconds left in all: what the trainings of now take for their work, shared out among as many as run side by side.
    mutating func estimate() {
      let training = running.filter { $0.last != nil }
      let further = training.reduce(0) { $0 + $1.workOfThisEpoch }
      let seconds = training.reduce(0) { $0 + (ContinuousClock.now - $1.epochStart).seconds }
      sweep.secondsLeft = clock.secondsLeft(further: further, seconds: seconds).map { $0 / Double(max(1, training.count)) }
    }
  }

  private struct Running {
    var trial: Int
    var label = ""
    var epochWork = 0.0
    var epochsLeft = 0
    var batch = 0
    var epochStart = ContinuousClock.now
    var last: TrainingProgress?
    var shown: TrialProgress?

    init(trial: Int) { self.trial = trial }

    var workOfThisEpoch: Double { last.map { epochWork * Double($0.batch) / Double(max(1, $0.batches)) } ?? 0 }

    func progress(_ progress: TrainingProgress) -> TrialProgress {
      let batchesLeft = (progress.epochs - progress.epoch) * progress.batches + progress.batches - progress.batch
      let rate = progress.patchesPerSecond
      return TrialProgress(
        label: label, phase: progress.phase, epoch: progress.epoch, epochs: progress.epochs, batch: progress.batch, batches: progress.batches,
        loss: progress.loss, patchesPerSecond: rate, secondsLeft: rate > 0 ? Double(batchesLeft * batch) / rate : nil)
    }
  }

  /// - Parameter work: all trainings' epochs, each as `beginTraining` measures it.
  init(_ console: Console, trials: Int, work: Double) {
    self.console = console
    state = Mutex(State(sweep: SweepProgress(trialsDone: 0, trials: trials), clock: WorkClock(total: work)))
  }

  /// - Parameters:
  ///   - epochWork: an epoch's multiply–adds, for one patch.
  ///   - epochsDone: before this run.
  ///   - batch: patches a step.
  func beginTraining(of trial: Int, label: String, epochWork: Double, epochs: Int, epochsDone: Int, batch: Int) {
    state.withLock { state in
      var running = Running(trial: trial)
      (running.label, running.epochWork, running.epochsLeft, running.batch) = (label, epochWork, epochs - epochsDone, batch)
      state[trial] = running
      state.clock.drop(work: epochWork * Double(epochsDone))
    }
    if console.isLive { return }
    console.print("\(label): training, \(epochs) epoch\(epochs == 1 ? "" : "s")" + (epochsDone > 0 ? ", goes on after epoch \(epochsDone)" : ""))
  }

  func update(_ progress: TrainingProgress, of trial: Int) {
    state.withLock { state in
      state[trial].last = progress
      state[trial].shown = state[trial].progress(progress)
      state.estimate()
      show(&state)
    }
  }

  /// Something long begins that has no lines of its own; a terminal sees its live line instead.
  func begin(_ text: String) { if !console.isLive { console.print(text) } }

  /// Phases without epochs: patches, evaluation, timing.
  func update(_ progress: TrialProgress, of trial: Int) {
    state.withLock { state in
      state[trial].shown = progress
      show(&state)
    }
  }

  func epochDone(_ result: EpochResult, seconds: Double, of trial: Int) {
    state.withLock { state in
      state.clock.add(work: state[trial].epochWork, seconds: seconds)
      let last = state[trial].last
      state[trial].epochsLeft -= 1
      (state[trial].epochStart, state[trial].last) = (.now, nil)
      state.estimate()
      guard !console.isLive, let last else { return }
      console.print(ProgressText.epochLine(state[trial].progress(last), validationLoss: result.validationLoss, sweep: state.sweep))
    }
  }

  /// The trial waits for its times, or has ended.
  func scored(_ trial: Int) { state.withLock { $0.running.removeAll { $0.trial == trial } } }

  /// `line` says how the trial ended.
  func trialDone(_ line: String, of trial: Int, failed: Bool) {
    state.withLock { state in
      state.clock.drop(work: state[trial].epochWork * Double(state[trial].epochsLeft))
      state.running.removeAll { $0.trial == trial }
      if failed { state.sweep.failed += 1 } else { state.sweep.trialsDone += 1 }
      erase(&state)
      console.print("\(line)  (\(ProgressText.text(state.sweep)))")
    }
  }

  /// A line that stays.
  func message(_ text: String) {
    state.withLock { state in
      erase(&state)
      console.print(text)
    }
  }

  /// Takes the live lines away.
  func finish() { state.withLock { erase(&$0) } }

  /// Draws the live lines, ten times a second at most: a terminal over a slow line must not hold the training up.
  private func show(_ state: inout State) {
    guard console.isLive else { return }
    let now = ContinuousClock.now
    if let shownAt = state.shownAt, state.shownLines > 0, (now - shownAt).seconds < 0.1 { return }
    state.shownAt = now
    let lines = state.running.compactMap { $0.shown.map { ProgressText.live($0, columns: console.columns - 1) } }
      + [ProgressText.live(state.sweep, columns: console.columns - 1)]
    // Up to the first line, and away with what is below it: there may be fewer trials than before.
    console.put(Self.toTop(of: state.shownLines) + lines.joined(separator: "\n"))
    state.shownLines = lines.count
  }

  private func erase(_ state: inout State) {
    guard state.shownLines > 0 else { return }
    console.put(Self.toTop(of: state.shownLines))
    state.shownLines = 0
  }

  /// Back to the first of `lines` live lines, the cursor being on the last, and everything from there on cleared.
  private static func toTop(of lines: Int) -> String { "\r" + (lines > 1 ? "\u{1B}[\(lines - 1)A" : "") + (lines > 0 ? "\u{1B}[J" : "") }
}
