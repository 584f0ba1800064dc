import Engine
import Foundation
import Synchronization

/// Shows progress: on a terminal one line that changes for the running trial and one for the sweep; elsewhere a plain line an epoch.
final class ProgressDisplay: Sendable {
  private let console: Console
  private let state: Mutex<State>

  private struct State {
    var sweep: SweepProgress
    var clock: WorkClock
    /// The two live lines stand above the cursor.
    var isShown = false
    var shownAt: ContinuousClock.Instant?
    var label = ""
    var epochWork = 0.0
    var epochsLeft = 0
    var batch = 0
    var epochStart = ContinuousClock.now
    var last: TrainingProgress?
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
  func beginTraining(label: String, epochWork: Double, epochs: Int, epochsDone: Int, batch: Int) {
    state.withLock { state in
      (state.label, state.epochWork, state.epochsLeft, state.batch) = (label, epochWork, epochs - epochsDone, batch)
      (state.epochStart, state.last) = (.now, nil)
      state.clock.drop(work: epochWork * Double(epochsDone))
    }
    if console.isLive { return }
    console.print("\(label): training, \(epochs) epoch\(epochs == 1 ? "" : "s")" + (epochsDone > 0 ? ", goes on after epoch \(epochsDone)" : ""))
  }

  func update(_ progress: TrainingProgress) {
    state.withLock { state in
      state.last = progress
      let further = state.epochWork * Double(progress.batch) / Double(max(1, progress.batches))
      state.sweep.secondsLeft = state.clock.secondsLeft(further: further, seconds: (ContinuousClock.now - state.epochStart).seconds)
      show(trialProgress(progress, state), &state)
    }
  }

  /// Something long begins that has no lines of its own; a terminal sees its live line instead.
  func begin(_ text: String) { if !console.isLive { console.print(text) } }

  /// Phases without epochs: patches, evaluation, timing.
  func update(_ progress: TrialProgress) { state.withLock { show(progress, &$0) } }

  func epochDone(_ result: EpochResult, seconds: Double) {
    state.withLock { state in
      state.clock.add(work: state.epochWork, seconds: seconds)
      state.epochsLeft -= 1
      state.epochStart = .now
      state.sweep.secondsLeft = state.clock.secondsLeft()
      guard !console.isLive, let last = state.last else { return }
      console.print(ProgressText.epochLine(trialProgress(last, state), validationLoss: result.validationLoss, sweep: state.sweep))
    }
  }

  /// `line` says how the trial ended.
  func trialDone(_ line: String, failed: Bool) {
    state.withLock { state in
      state.clock.drop(work: state.epochWork * Double(state.epochsLeft))
      state.epochsLeft = 0
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

  private func trialProgress(_ progress: TrainingProgress, _ state: borrowing State) -> TrialProgress {
    let batchesLeft = (progress.epochs - progress.epoch) * progress.batches + progress.batches - progress.batch
    let rate = progress.patchesPerSecond
    return TrialProgress(
      label: state.label, phase: progress.phase, epoch: progress.epoch, epochs: progress.epochs, batch: progress.batch, batches: progress.batches,
      loss: progress.loss, patchesPerSecond: rate, secondsLeft: rate > 0 ? Double(batchesLeft * state.batch) / rate : nil)
  }

  /// Draws the live lines, ten times a second at most: a terminal over a slow line must not hold the training up.
  private func show(_ progress: TrialProgress, _ state: inout State) {
    guard console.isLive else { return }
    let now = ContinuousClock.now
    if let shownAt = state.shownAt, state.isShown, (now - shownAt).seconds < 0.1 { return }
    state.shownAt = now
    var text = state.isShown ? "\r\u{1B}[1A" : ""
    text += "\u{1B}[K" + ProgressText.live(progress, columns: console.columns - 1) + "\n"
    text += "\u{1B}[K" + ProgressText.live(state.sweep, columns: console.columns - 1)
    state.isShown = true
    console.put(text)
  }

  private func erase(_ state: inout State) {
    guard state.isShown else { return }
    console.put("\r\u{1B}[K\u{1B}[1A\u{1B}[K")
    state.isShown = false
  }
}
