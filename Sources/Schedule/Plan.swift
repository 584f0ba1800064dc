import ExperimentGraph

/// Which jobs must run, why, and in what order. Pure: the same graph and snapshot give the same plan.
public struct Plan: Sendable {
  public enum State: String, Sendable, Hashable, Codable {
    case run
    /// Goes on from a checkpoint.
    case resume
    /// Done, or not needed by anything that is to be done.
    case cached
  }

  public struct Step: Sendable {
    public var job: Job
    public var state: State
    public var reason: String
    /// The share of the job that is still to be done: 1, less where it goes on from a checkpoint, 0 where it is cached.
    public var left = 0.0
    /// Neither done nor to be done: it serves only trials that were not asked for.
    public var isLeftOut = false
  }

  public let graph: ExperimentGraph
  /// One a job of the graph, in its order: every job after its inputs.
  public let steps: [Step]
  /// How many trials of the experiment have a seed.
  let trialsPerSeed: [Int: Int]

  public func step(_ kind: JobKind, of trial: Int) -> Step? { graph.place(kind, of: trial).map { steps[$0] } }
  public var hasWork: Bool { steps.contains { $0.state != .cached } }
  public func mustDo(_ job: Job) -> Bool { step(job.kind, of: job.trials[0]).map { $0.state != .cached } ?? false }
  /// Steps to be done, in order.
  public var work: [Step] { steps.filter { $0.state != .cached } }

  /// - Parameter only: the trials wanted; nil for all.
  public init(_ graph: ExperimentGraph, given snapshot: Snapshot, only: Set<Int>? = nil) {
    self.graph = graph
    trialsPerSeed = Dictionary(graph.experiment.trials.map { ($0.settings.seed, 1) }, uniquingKeysWith: +)
    let toRun = Plan.jobsToRun(graph, snapshot, only)
    let onlyTimed = Set(graph.jobs.filter { $0.kind == .time && toRun.contains($0.id) }.flatMap(\.inputs))
    func leftOut(_ job: Job) -> Bool { only.map { $0.isDisjoint(with: job.trials) } ?? false }
    var steps: [Step] = []
    for job in graph.jobs {
      guard toRun.contains(job.id) else {
        let isThere = snapshot.finished.contains(job.fingerprint), isLeftOut = !isThere && leftOut(job)
        let reason = isThere ? "its result is there" : isLeftOut ? "left out by --only" : onlyTimed.contains(job.id) ? "not needed for times alone" : "not needed: all that uses it is done"
        steps.append(Step(job: job, state: .cached, reason: reason, isLeftOut: isLeftOut))
        continue
      }
      if let checkpoint = snapshot.checkpoints[job.fingerprint] {
        steps.append(
          Step(
            job: job, state: .resume, reason: "checkpoint after epoch \(checkpoint.epoch) of \(checkpoint.epochs)",
            left: 1 - Double(checkpoint.epoch) / Double(checkpoint.epochs)))
      } else {
        steps.append(Step(job: job, state: .run, reason: Plan.reason(for: job, in: graph, snapshot), left: 1))
      }
    }
    self.steps = steps
  }

  /// A job runs where its result is missing and something wanted needs it; what is wanted are scores, times and the report.
  /// A result that is there stays valid when its inputs are made again: its fingerprint covers theirs. The report alone is made
  /// again whenever a record is, because it also shows what no fingerprint covers: the times. For times alone nothing is trained: what a network
  /// takes does not depend on its weights' values.
  private static func jobsToRun(_ graph: ExperimentGraph, _ snapshot: Snapshot, _ only: Set<Int>?) -> Set<Job.ID> {
    var toRun: Set<Job.ID> = []
    var needed: Set<Job.ID> = []
    for job in graph.jobs.reversed() where job.kind != .report {
      let isAskedFor = only.map { !$0.isDisjoint(with: job.trials) } ?? true
      let wanted = (isAskedFor && (job.kind == .evaluate || job.kind == .time)) || needed.contains(job.id)
      guard wanted, !snapshot.finished.contains(job.fingerprint) else { continue }
      toRun.insert(job.id)
      needed.formUnion(job.kind == .time ? job.inputs.filter { graph[$0].kind == .evaluate } : job.inputs)
    }
    for job in graph.jobs where job.kind == .report {
      if !toRun.isEmpty || !snapshot.finished.contains(job.fingerprint) { toRun.insert(job.id) }
    }
    return toRun
  }

  private static func reason(for job: Job, in graph: ExperimentGraph, _ snapshot: Snapshot) -> String {
    if let failure = snapshot.failures[job.fingerprint] { return "failed before: \(failure)" }
    let trial = graph.experiment.trials[job.trials[0]]
    let earlier =
      snapshot.earlier.last { $0.trial == trial.name && $0.seed == trial.settings.seed } ?? snapshot.earlier.last { $0.trial == trial.name }
    guard let earlier, job.kind != .report else { return job.kind == .report ? "records or the report's settings changed" : "no record" }
    if let own = changes(job, since: earlier) { return own }
    for ancestor in ancestors(of: job, in: graph) {
      if let change = changes(ancestor, since: earlier) { return "\(ancestor.kind.rawValue) changed: \(change)" }
    }
    return "its result is not there"
  }

  /// "train.epochs 20 → 25, train.batch 16 → 8"; nil where nothing changed.
  private static func changes(_ job: Job, since earlier: Snapshot.EarlierTrial) -> String? {
    let changes = job.settings.compactMap { setting -> String? in
      let before = earlier.settings[setting.key]
      return before == setting.value ? nil : "\(setting.key) \(before ?? "unset") → \(setting.value)"
    }
    return changes.isEmpty ? nil : changes.joined(separator: ", ")
  }

  /// All that `job` stands on, nearest first.
  private static func ancestors(of job: Job, in graph: ExperimentGraph) -> [Job] {
    var found: [Job] = []
    var seen: Set<Job.ID> = []
    var waiting = job.inputs
    while !waiting.isEmpty {
      let id = waiting.removeFirst()
      guard seen.insert(id).inserted else { continue }
      found.append(graph[id])
      waiting += graph[id].inputs
    }
    return found.sorted { $1.kind < $0.kind }
  }
}
