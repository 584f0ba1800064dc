import ExperimentGraph

/// Who works next. Trials run side by side as far as places and memory go; times are taken only while nothing else runs.
///
/// Pure: the executor asks and tells, and brings the threads.
public struct Roster: Sendable {
  public struct Entry: Sendable {
    public var trial: Int
    /// Trials of one group (they share a training) never run at once: the second finds what the first has done.
    public var group: Job.ID
    /// Planned, 10⁶ bytes.
    public var megabytes: Double
    public init(trial: Int, group: Job.ID, megabytes: Double) { (self.trial, self.group, self.megabytes) = (trial, group, megabytes) }
  }

  public enum Assignment: Sendable, Hashable {
    /// Training and scores of a trial.
    case scores(Int)
    /// Its times: alone.
    case times(Int)

    public var trial: Int { switch self { case .scores(let trial), .times(let trial): trial } }
  }

  private let jobs: Int
  private let megabytes: Double
  private var waiting: [Entry]
  private var running: [Entry] = []
  private var untimed: [Int] = []
  private var isTiming = false

  /// - Parameters:
  ///   - entries: in the order in which they may start; a group's first goes before its others.
  ///   - megabytes: what all may hold together. No entry alone exceeds it: such a trial can never run, and is not for the roster.
  public init(_ entries: [Entry], jobs: Int, megabytes: Double) {
    precondition(entries.allSatisfy { $0.megabytes <= megabytes }, "a trial that can never be admitted stands in the roster")
    (waiting, self.jobs, self.megabytes) = (entries, jobs, megabytes)
  }

  /// One after the other.
  public var isSequential: Bool { jobs == 1 }
  /// Nothing waits and nothing runs.
  public var isDone: Bool { waiting.isEmpty && running.isEmpty && untimed.isEmpty && !isTiming }

  /// What may start now; nil where something must end first, or nothing is left.
  public mutating func next() -> Assignment? {
    if isTiming { return nil }
    if running.isEmpty, !untimed.isEmpty {
      isTiming = true
      return .times(untimed.removeFirst())
    }
    guard running.count < jobs else { return nil }
    let used = running.reduce(0) { $0 + $1.megabytes }, busy = Set(running.map(\.group))
    var passed: Set<Job.ID> = []
    for (place, entry) in waiting.enumerated() {
      if used + entry.megabytes <= megabytes, !busy.contains(entry.group), !passed.contains(entry.group) {
        running.append(waiting.remove(at: place))
        return .scores(entry.trial)
      }
      passed.insert(entry.group)
    }
    return nil
  }

  /// - Parameter succeeded: a trial that failed is not timed.
  public mutating func finish(_ assignment: Assignment, succeeded: Bool) {
    switch assignment {
    case .scores(let trial):
      running.removeAll { $0.trial == trial }
      if succeeded { untimed.append(trial) }
    case .times: isTiming = false
    }
  }
}
