import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Schedule

/// Runs a session's plan on a cluster: submits its jobs as arrays, watches them, and submits again what ended without a result.
///
/// What the tasks have done stands in the results folder, which they share with this process; when it is killed, the tasks go on, and the same
/// command finds them.
struct SlurmExecutor {
  private let session: Session
  private let options: RunOptions
  private let surroundings: Surroundings
  private let slurm = Slurm()
  private let display: ProgressDisplay
  private var console: Console { surroundings.console }
  private var folder: ResultsFolder { session.folder }

  /// Rounds in a row that may bring nothing further before what is left is given up: a node may break, a task may be killed.
  private static let fruitlessRounds = 3

  init(_ session: Session, _ options: RunOptions, _ surroundings: Surroundings) {
    (self.session, self.options, self.surroundings) = (session, options, surroundings)
    display = ProgressDisplay(session, trials: session.openTrials.count, TimeEstimate([]), surroundings.console)
  }

  /// Throws `UserError` where Slurm or the results folder fail; a trial's own fault is in the outcome.
  func run() async throws -> RunOutcome {
    defer { display.finish() }
    var told: Set<Int> = []
    var round = session
    var jobs = try await stillRunning()
    if !jobs.isEmpty, options.fresh {
      throw UserError("--fresh: Slurm is at work on \(folder.path)", exitCode: .locked, hints: ["scancel \(jobs.joined(separator: " ")) ends that"])
    }
    if jobs.isEmpty { try forgetFailures() } else { display.say(.message("Slurm is at work already: jobs \(jobs.joined(separator: ", "))")) }
    var fruitless = 0
    var givenUp: [Int: String] = [:]
    while true {
      let before = try round.progress()
      if jobs.isEmpty { jobs = try await submit(round) }
      guard try await watch(jobs, &told) else { return RunOutcome(signal: Interrupts.signalReceived) }
      folder.removeLeftovers()
      var again = options
      // The same trials, though what made `--only-failed` choose them is gone.
      (again.fresh, again.onlyFailed, again.only) = (false, false, session.selected.map { session.graph.label(ofTrial: $0) })
      round = try Session(session.experiment, again, for: .run, surroundings)
      let left = Session.open(round.plan, round.selected).filter { failure(of: $0) == nil }
      if left.isEmpty { break }
      fruitless = try round.progress() == before ? fruitless + 1 : 0
      if fruitless == Self.fruitlessRounds {
        givenUp = try await giveUp(left, jobs)
        break
      }
      display.say(.message("\(left.count) trial\(left.count == 1 ? "" : "s") ended without a result: submitted again"))
      jobs = []
    }
    // A trial whose times never came keeps its scores, and has failed all the same.
    let failures = session.selected.compactMap { trial in
      (failure(of: trial) ?? givenUp[trial]).map { (trial: session.graph.label(ofTrial: trial), reason: $0) }
    }
    return RunOutcome(failures: failures)
  }

  // MARK: Submission

  private struct Submission: Codable { var jobs: [String] }
  private var submissionFile: String { "\(folder.cache)/slurm/submission.json" }

  /// The jobs of an earlier submission of this folder that wait or run.
  private func stillRunning() async throws -> [String] {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: submissionFile)), let known = try? JSONDecoder().decode(Submission.self, from: data) else {
      return []
    }
    let active = Set(try await slurm.tasks(of: known.jobs)?.map(\.id.job) ?? known.jobs)
    return active.isEmpty ? [] : known.jobs
  }

  /// Trials that are to run again are no longer failed; `--fresh` takes away all that they left.
  private func forgetFailures() throws {
    if options.fresh { try session.removeTrials() }
    for trial in session.openTrials where failure(of: trial) != nil {
      try? FileManager.default.removeItem(atPath: session.folder(ofTrial: trial).record)
    }
  }

  private func submit(_ session: Session) async throws -> [String] {
    let logs = absolute("\(folder.cache)/slurm"), spec = "\(logs)/spec.yaml"
    try DurableFile.makeFolder(logs)
    // Tasks read what was resolved now, so that editing the spec meanwhile changes nothing.
    try DurableFile.write(session.experiment.resolvedYAML(), to: spec)
    var command = [try program(), "run", spec, "--out", absolute(folder.path), "--threads", "\(session.experiment.slurm.cpus)", "--jobs", "1"]
    command += ["--isa", Processor.instructionSet(for: session.precision), "--retries", "\(options.retries)"]
    command += ["--checkpoint-every", "\(options.checkpointInterval.seconds)"]
    if let data = options.data { command += ["--data", absolute(data)] }
    var submitted: [JobKind: String] = [:]
    var jobs: [String] = []
    for array in SlurmArray.all(of: session) where Interrupts.signalReceived == nil {  // what is submitted by then is cancelled by the watch
      let arguments = array.arguments(
        session.experiment.slurm, name: session.experiment.name, memory: session.slurmMemory, logs: logs, submitted: submitted)
      do {
        let job = try await slurm.submit(array.script(command), arguments)
        submitted[array.kind] = job
        jobs.append(job)
        // After each: a kill between two of them must not leave tasks that nobody knows of.
        try DurableFile.write(try JSONEncoder().encode(Submission(jobs: jobs)), to: submissionFile)
      } catch {
        if !jobs.isEmpty { try await slurm.cancel(jobs) }
        throw error
      }
      let count = array.jobs.values.count { $0 != nil }
      display.say(.message("Slurm job \(jobs.last!): \(array.kind.rawValue), \(count) task\(count == 1 ? "" : "s")"))
    }
    return jobs
  }

  private func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
  }

  /// This program, as the nodes are to start it.
  private func program() throws -> String {
    do { return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") } catch {
      throw UserError("--executor slurm: this program does not find itself: \(error.localizedDescription)", exitCode: .inputOrOutputFailed)
    }
  }

  // MARK: Watching

  /// Until none of the jobs waits or runs; false where a signal came, with the tasks cancelled.
  private func watch(_ jobs: [String], _ told: inout Set<Int>) async throws -> Bool {
    var seen: [Slurm.Task] = [], isSilent = false, pause = 1.0
    while true {
      if Interrupts.signalReceived != nil {
        try await cancel(jobs)
        return false
      }
      if let tasks = try await slurm.tasks(of: jobs) {
        isSilent = false
        try tell(&told, tasks)
        if tasks.isEmpty { return true }
        // A cluster's controller serves many: seldom asked while nothing changes.
        pause = tasks == seen ? min(pause * 1.5, 15) : 1
        if Self.counts(tasks) != Self.counts(seen) {
          display.sayUnlessLive(.message("Slurm: \(Self.counts(tasks)); \(told.count) of \(session.openTrials.count) trials ended"))
        }
        seen = tasks
      } else if !isSilent {
        isSilent = true
        display.say(.message("squeue does not answer; asking again"))
      }
      let end = ContinuousClock.now + .seconds(pause)
      while ContinuousClock.now < end, Interrupts.signalReceived == nil { try await Task.sleep(for: .milliseconds(100)) }
    }
  }

  /// "2 running, 3 waiting (Dependency, Resources)".
  private static func counts(_ tasks: [Slurm.Task]) -> String {
    let waiting = tasks.filter { $0.state == "PENDING" }, reasons = Set(waiting.map(\.reason)).sorted().joined(separator: ", ")
    let parts = [
      tasks.count > waiting.count ? "\(tasks.count - waiting.count) running" : "", waiting.isEmpty ? "" : "\(waiting.count) waiting (\(reasons))",
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: ", ")
  }

  /// Trials that have ended since, and on a terminal where those are that run.
  private func tell(_ told: inout Set<Int>, _ tasks: [Slurm.Task]) throws {
    let running = Dictionary(tasks.filter { $0.state == "RUNNING" }.map { ($0.id.index, $0) }, uniquingKeysWith: { first, _ in first })
    for trial in session.openTrials where !told.contains(trial) {
      let label = session.graph.label(ofTrial: trial), trialFolder = session.folder(ofTrial: trial)
      if let reason = failure(of: trial) {
        display.trialFailed(trial, reason)
        told.insert(trial)
      } else if let record = trialFolder.readRecord(), case let timing = try trialFolder.log.lines().timing,
        timing?.fingerprint == session.graph.job(.time, of: trial)?.fingerprint.description
      {
        display.trialDone(trial, TrialScores(record, millisecondsPerPatch: timing?.timing.millisecondsPerPatchMedian))
        told.insert(trial)
      } else if let task = running[trial] {
        let epochs = session.experiment.trials[trial].settings.phases.reduce(0) { $0 + $1.epochs }
        display.show(
          trial, TrialProgress(label: label, phase: "task \(task.id) on \(task.node), epochs", batch: try trialFolder.log.lines().epochsDone, batches: epochs))
      }
    }
  }

  /// Ctrl-C: Slurm sends each task SIGTERM, on which it writes its checkpoint.
  private func cancel(_ jobs: [String]) async throws {
    guard !jobs.isEmpty else { return }
    display.say(.message("cancelling Slurm jobs \(jobs.joined(separator: ", "))"))
    try await slurm.cancel(jobs)
    // Not longer than Slurm itself lets them live (KillWait, 30 s by default), with something to spare.
    let end = ContinuousClock.now + .seconds(45)
    while ContinuousClock.now < end {
      if let tasks = try await slurm.tasks(of: jobs), tasks.isEmpty { return }
      try await Task.sleep(for: .seconds(1))
    }
  }

  // MARK: Ends

  private func failure(of trial: Int) -> String? { session.folder(ofTrial: trial).readRecord()?.failure }

  /// What is left fails with what Slurm says of its tasks, where it keeps accounts. Returns why.
  private func giveUp(_ trials: [Int], _ jobs: [String]) async throws -> [Int: String] {
    let endings = try await slurm.endings(of: jobs)
    let trialJobs = TrialJobs(session, RunOptions(), display)
    var reasons: [Int: String] = [:]
    for trial in trials {
      let states = Set(endings.filter { $0.key.index == trial && $0.value != "COMPLETED" }.map(\.value)).sorted().joined(separator: ", ")
      reasons[trial] =
        "its Slurm tasks ended \(Self.fruitlessRounds) times in a row without getting on\(states.isEmpty ? "" : " (\(states))"); their logs are in cache/slurm"
      trialJobs.refuse(trial, because: reasons[trial]!)
    }
    return reasons
  }
}

extension Session {
  /// Falls with every job done and every epoch trained: equal, nothing was.
  fileprivate func progress() throws -> [Int] { [plan.work.count, try EarlierTrials(folder).entries.reduce(0) { $0 + $1.epochsDone }] }
}
