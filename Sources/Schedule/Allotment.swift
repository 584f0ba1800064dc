import ExperimentGraph

/// What this process may use of the machine.
public struct Capacity: Sendable, Hashable {
  public var cores: Int
  /// 10⁶ bytes.
  public var megabytes: Double
  public init(cores: Int, megabytes: Double) { (self.cores, self.megabytes) = (cores, megabytes) }
}

/// One trial, as far as sharing the machine goes.
public struct Workload: Sendable {
  /// Time on one thread, in any unit that the trials of an experiment share.
  public var work: Double
  /// The share of that time which further threads do not shorten.
  public var serialShare: Double
  /// Trials of one group never run at once (`Roster.Entry`); nil: no other is of this one's.
  public var group: Job.ID?
  /// Planned memory at a number of threads, 10⁶ bytes.
  public var megabytes: @Sendable (_ threads: Int) -> Double
  public init(work: Double, serialShare: Double, group: Job.ID? = nil, megabytes: @escaping @Sendable (_ threads: Int) -> Double) {
    (self.work, self.serialShare, self.group, self.megabytes) = (work, serialShare, group, megabytes)
  }

  /// Amdahl's law.
  func time(threads: Int) -> Double { work * (serialShare + (1 - serialShare) / Double(threads)) }
}

/// How trials share a machine: so many at once, so many threads each.
public struct Allotment: Sendable, Hashable {
  public var jobs: Int
  public var threads: Int
  /// For the plan's reader.
  public var reason: String

  /// What was asked for; for what was not, the choice with which `workloads` are done soonest, by the model above and a simulated run with
  /// as many threads in all as there are cores. Of equals the one with fewer trials at once wins: it needs less memory, and its first result
  /// comes earlier.
  public init(of capacity: Capacity, to workloads: [Workload], jobs: Int?, threads: Int?) {
    let cores = max(1, capacity.cores), onCores = cores == 1 ? "on one core" : "on \(cores) cores"
    switch (jobs, threads) {
    case (let jobs?, let threads?):
      self.init(jobs: jobs, threads: threads, reason: "as asked" + (jobs * threads > cores ? ", more threads than cores: \(onCores)" : ", \(onCores)"))
    case (let jobs?, nil):
      self.init(jobs: jobs, threads: max(1, cores / jobs), reason: "\(jobs) at once as asked, \(onCores)")
    case (nil, let threads):
      let most = max(1, min(threads.map { cores / $0 } ?? cores, workloads.count))
      let choices = (1...most).map { jobs in
        let threads = threads ?? cores / jobs
        return (jobs: jobs, threads: threads, time: Self.makespan(workloads, jobs: jobs, threads: threads, megabytes: capacity.megabytes))
      }
      // A gain below a hundredth is not worth the memory.
      let best = choices.dropFirst().reduce(choices[0]) { best, next in next.time < best.time * 0.99 ? next : best }
      self.init(jobs: best.jobs, threads: best.threads, reason: Self.reason(best, among: choices) ?? onCores)
    }
  }

  private init(jobs: Int, threads: Int, reason: String) { (self.jobs, self.threads, self.reason) = (jobs, threads, reason) }

  private typealias Choice = (jobs: Int, threads: Int, time: Double)

  /// The best beside the next best; nil where there was no choice.
  private static func reason(_ best: Choice, among choices: [Choice]) -> String? {
    guard best.time > 0, let next = choices.filter({ $0.jobs != best.jobs }).min(by: { $0.time < $1.time }) else { return nil }
    let percent = Int(((next.time / best.time - 1) * 100).rounded())
    return percent > 0
      ? "done soonest: \(next.jobs) × \(next.threads) would take about \(percent) % longer"
      : "\(next.jobs) × \(next.threads) would not be done sooner"
  }

  /// When the last of `workloads` is done, the longest started first, each as soon as a place and its memory are free.
  static func makespan(_ workloads: [Workload], jobs: Int, threads: Int, megabytes: Double) -> Double {
    var waiting = workloads.map { (time: $0.time(threads: threads), group: $0.group, megabytes: $0.megabytes(threads)) }.filter { $0.megabytes <= megabytes }
    waiting.sort { $0.time > $1.time }
    var running: [(end: Double, group: Job.ID?, megabytes: Double)] = []
    var now = 0.0
    while !waiting.isEmpty || !running.isEmpty {
      let used = running.reduce(0) { $0 + $1.megabytes }, busy = Set(running.compactMap(\.group))
      if running.count < jobs, let next = waiting.firstIndex(where: { used + $0.megabytes <= megabytes && !($0.group.map(busy.contains) ?? false) }) {
        let started = waiting.remove(at: next)
        running.append((now + started.time, started.group, started.megabytes))
      } else {
        let first = running.indices.min { running[$0].end < running[$1].end }!
        now = running.remove(at: first).end
      }
    }
    return now
  }
}
