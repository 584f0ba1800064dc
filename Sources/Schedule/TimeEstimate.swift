import ExperimentGraph

/// How long a sweep still takes: from what each task was expected to cost, corrected by what has been measured so far.
///
/// Expectations are often wrong by one factor for all tasks (another processor), and a little by kind (training is slowed down by
/// memory more than evaluation) and by group (one network more than another). So a task's correction is its group's ratio of
/// measured to expected time; where the group has little behind it, its kind's; and where that has little, everything's.
/// Pure: time comes in as seconds of any clock.
public struct TimeEstimate: Sendable {
  /// A piece of work with a beginning and an end.
  public struct Task: Sendable, Hashable, Identifiable {
    public var id: String
    public var kind: JobKind
    /// What costs alike within the kind: the same network on the same patches.
    public var group: String
    /// Expected before anything was measured; what counts is the proportion between tasks.
    public var seconds: Double
    /// Tasks that must be done before it; those that are not tasks of the estimate are done.
    public var inputs: [String]

    public init(id: String, kind: JobKind, group: String, seconds: Double, inputs: [String] = []) {
      precondition(seconds > 0, "\(id): no task takes \(seconds) s")
      (self.id, self.kind, self.group, self.seconds, self.inputs) = (id, kind, group, seconds, inputs)
    }
  }

  /// Expected and measured seconds of the same work.
  private struct Measured {
    var expected = 0.0, took = 0.0

    mutating func add(expected: Double, took: Double) {
      self.expected += expected
      self.took += took
    }
    /// Their ratio, drawn towards `ratio` as if that had been measured over `weight` expected seconds.
    func ratio(towards ratio: Double, weight: Double) -> Double { (took + weight * ratio) / (expected + weight) }
  }

  private enum State: Hashable {
    case waiting
    /// The share that is done, and when it was reached.
    case running(done: Double, since: Double)
  }

  /// What is not done yet, in the order in which it will begin.
  private var tasks: [Task]
  private var states: [Task.ID: State]
  private let slots: Int
  /// A measurement weighs little against the wider one until it has this many expected seconds behind it.
  private let weight: Double
  private var all = Measured()
  private var kinds: [JobKind: Measured] = [:]
  private var groups: [String: Measured] = [:]

  private static let mostScheduled = 100

  /// A step this many times as long as expected, and longer than `pauseSeconds`, is a pause: the machine slept, or the process was stopped.
  private static let pauseRatio = 8.0, pauseSeconds = 10.0

  /// - Parameters:
  ///   - tasks: what is to be done, in order.
  ///   - slots: how many run at once; one that is exclusive runs alone.
  public init(_ tasks: [Task], slots: Int = 1) {
    precondition(slots > 0, "nothing ever runs in \(slots) slots")
    (self.tasks, self.slots) = (tasks, slots)
    states = Dictionary(uniqueKeysWithValues: tasks.map { ($0.id, .waiting) })
    weight = max(1e-9, 0.01 * tasks.reduce(0) { $0 + $1.seconds })
  }

  /// - Parameter done: the share that is done already: an earlier run's.
  public mutating func begin(_ id: Task.ID, done: Double = 0, at time: Double) {
    if states[id] != nil { states[id] = .running(done: done, since: time) }
  }

  /// Whether the task is to be done and has not begun.
  public func isWaiting(_ id: Task.ID) -> Bool { states[id] == .waiting }

  /// `done` is the share of the task that is done now; it takes the time since the last call.
  public mutating func progress(_ id: Task.ID, done: Double, at time: Double) {
    guard case .running(let before, let since) = states[id], let task = tasks.first(where: { $0.id == id }) else { return }
    let done = min(1, done)
    guard done > before, time >= since else { return }
    measure(task, expected: (done - before) * task.seconds, took: time - since)
    states[id] = .running(done: done, since: time)
  }

  /// The task is done, or will never be: it failed.
  public mutating func end(_ id: Task.ID, failed: Bool = false, at time: Double) {
    if !failed { progress(id, done: 1, at: time) }
    states[id] = nil
    tasks.removeAll { $0.id == id }
  }

  private mutating func measure(_ task: Task, expected: Double, took: Double) {
    let usual = expected * ratio(of: task)
    let isPause = all.expected > 0 && took > Self.pauseSeconds && took > Self.pauseRatio * usual
    let active = isPause ? usual : took
    all.add(expected: expected, took: active)
    kinds[task.kind, default: Measured()].add(expected: expected, took: active)
    groups[Self.group(task), default: Measured()].add(expected: expected, took: active)
  }

  private static func group(_ task: Task) -> String { "\(task.kind.rawValue) \(task.group)" }

  private func ratio(of task: Task) -> Double {
    let overall = all.expected > 0 ? all.took / all.expected : 1
    let kind = (kinds[task.kind] ?? Measured()).ratio(towards: overall, weight: weight)
    return (groups[Self.group(task)] ?? Measured()).ratio(towards: kind, weight: weight)
  }

  /// Until all is done; nil until anything was measured.
  public func secondsLeft() -> Double? {
    guard all.expected > 0 else { return nil }
    return makespan { task in
      if case .running(let done, _) = states[task.id] { (1 - done) * task.seconds * ratio(of: task) } else { task.seconds * ratio(of: task) }
    }
  }

  /// Until one task, or those of one trial, are done, were they alone; nil until anything was measured.
  public func secondsLeft(of ids: some Sequence<Task.ID>) -> Double? {
    guard all.expected > 0 else { return nil }
    let wanted = Set(ids)
    return tasks.reduce(0) { sum, task in
      guard wanted.contains(task.id) else { return sum }
      guard case .running(let done, _) = states[task.id] else { return sum + task.seconds * ratio(of: task) }
      return sum + (1 - done) * task.seconds * ratio(of: task)
    }
  }

  /// The end of a schedule in which each task begins as soon as its inputs are done and a slot is free, the first in order first,
  /// and an exclusive one when nothing else runs.
  private func makespan(_ seconds: (Task) -> Double) -> Double {
    let total = tasks.reduce(0) { $0 + seconds($1) }
    // Of many tasks the schedule's ends hardly count, and drawing it up takes time with the square of their number.
    if slots == 1 || tasks.count > Self.mostScheduled { return max(total / Double(slots), tasks.map(seconds).max() ?? 0) }
    var undone = Set(tasks.map(\.id))
    var running: [(id: Task.ID, end: Double, isExclusive: Bool)] = []
    var waiting: [Task] = []
    for task in tasks {
      if states[task.id] == .waiting { waiting.append(task) } else { running.append((task.id, seconds(task), task.kind.isExclusive)) }
    }
    var now = 0.0
    while true {
      var place = 0
      while place < waiting.count, running.count < slots, !running.contains(where: \.isExclusive) {
        let task = waiting[place]
        // As in the roster: an exclusive task waits until nothing runs, and others pass it meanwhile.
        guard task.inputs.allSatisfy({ !undone.contains($0) }), running.isEmpty || !task.kind.isExclusive else {
          place += 1
          continue
        }
        running.append((task.id, now + seconds(task), task.kind.isExclusive))
        waiting.remove(at: place)
      }
      guard let next = running.min(by: { $0.end < $1.end }) else { return now }
      now = max(now, next.end)
      running.removeAll { $0.id == next.id }
      undone.remove(next.id)
    }
  }
}
