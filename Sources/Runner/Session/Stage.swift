import Foundation
import Schedule

/// Plays a roster: starts a thread for each assignment that may begin, and waits for them all.
final class Stage: @unchecked Sendable {
  // Everything below is touched under the condition's lock alone.
  private let condition = NSCondition()
  private var roster: Roster
  private var running = 0
  private var ended = Ended()

  struct Ended: Sendable {
    /// By trial.
    var failures: [Int: String] = [:]
    /// Asked to stop before all was done.
    var isCutShort = false
    /// The first fault that is not a trial's own. What ran beside it was finished.
    var error: (any Error)?
  }

  /// Does an assignment; returns why its trial failed, or nil. `isAlone`: no other will run beside it.
  typealias Work = @Sendable (_ assignment: Roster.Assignment, _ isAlone: Bool) throws -> String?

  init(_ roster: Roster) { self.roster = roster }

  /// Returns when all is done, or when what was running has stopped after `shouldStop` said so.
  func play(until shouldStop: () -> Bool, _ work: @escaping Work) -> Ended {
    condition.lock()
    defer { condition.unlock() }
    while true {
      while !shouldStop(), ended.error == nil, !ended.isCutShort, let assignment = roster.next() {
        running += 1
        start(assignment, work)
      }
      if running == 0 {
        if shouldStop(), !roster.isDone { ended.isCutShort = true }
        return ended
      }
      condition.wait()
    }
  }

  private func start(_ assignment: Roster.Assignment, _ work: @escaping Work) {
    let isAlone = roster.isSequential
    let thread = Thread {
      let result = Result { try work(assignment, isAlone) }
      self.condition.lock()
      defer { self.condition.unlock() }
      self.running -= 1
      switch result {
      case .success(let failure):
        if let failure { self.ended.failures[assignment.trial] = failure }
        self.roster.finish(assignment, succeeded: failure == nil)
      case .failure(is CancellationError):
        self.ended.isCutShort = true
      case .failure(let error):
        if self.ended.error == nil { self.ended.error = error }
      }
      self.condition.signal()
    }
    // The main thread's size: the engine was measured with it, and a secondary thread's may be smaller.
    thread.stackSize = 8 << 20
    thread.start()
  }
}
