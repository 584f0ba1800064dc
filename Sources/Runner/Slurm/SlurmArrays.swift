import Engine
import ExperimentGraph
import ExperimentSpec
import Foundation

/// One array of tasks for each kind of job: what `sbatch` is given.
struct SlurmArray: Sendable {
  var kind: JobKind
  /// By the task's number, which is the trial's (of patches: their own count). nil: nothing to do for that trial; the task is there because the
  /// corresponding task of a later array waits for it.
  var jobs: [Int: Job.ID?]
  /// Arrays whose corresponding task must have succeeded.
  var afterCorresponding: [JobKind] = []
  /// Arrays that must have ended, however.
  var afterAny: [JobKind] = []

  /// What is to be done of a session's plan: preparing patches, training, fine-tuning, scores, times. The report is for whoever submits.
  ///
  /// A trial's tasks wait for each other alone, so that a short trial has its scores while a long one trains; one that fails takes only its own with it.
  static func all(of session: Session) -> [SlurmArray] {
    let graph = session.graph, open = Session.open(session.plan, session.selected)
    func jobs(_ job: (Int) -> Job?) -> [Int: Job.ID?] {
      Dictionary(uniqueKeysWithValues: open.map { trial in (trial, job(trial).flatMap { session.plan.mustDo($0) ? $0.id : nil }) })
    }
    var arrays: [SlurmArray] = []
    var kinds: Set<JobKind> { Set(arrays.map(\.kind)) }
    func add(_ array: SlurmArray) { if array.jobs.values.contains(where: { $0 != nil }) { arrays.append(array) } }

    let patches = session.plan.work.map(\.job).filter { $0.kind == .patches && !Set($0.trials).isDisjoint(with: open) }
    add(SlurmArray(kind: .patches, jobs: Dictionary(uniqueKeysWithValues: patches.enumerated().map { ($0.offset, $0.element.id) })))
    for kind in [JobKind.train, .fineTune] {
      // A training that only a fine-tuning goes on from is part of that job: one process, one checkpoint.
      let own = jobs { trial in graph.trainingJob(of: trial).flatMap { $0.kind == kind ? $0 : nil } }
      add(SlurmArray(kind: kind, jobs: own, afterAny: [.patches, .train].filter { kinds.contains($0) }))
    }
    let trainings = [JobKind.train, .fineTune].filter { kinds.contains($0) }
    add(SlurmArray(kind: .evaluate, jobs: jobs { graph.job(.evaluate, of: $0) }, afterCorresponding: trainings))
    add(SlurmArray(kind: .time, jobs: jobs { graph.job(.time, of: $0) }, afterCorresponding: kinds.contains(.evaluate) ? [.evaluate] : trainings))
    return arrays
  }

  /// The arguments of `sbatch`; `submitted` are the numbers of the arrays before.
  func arguments(_ settings: SlurmSettings, name: String, memory: String, logs: String, submitted: [JobKind: String]) -> [String] {
    var arguments = [
      "--job-name=\(name)-\(kind.rawValue)", "--array=\(jobs.keys.sorted().map(String.init).joined(separator: ","))",
      "--output=\(logs)/\(kind.rawValue)-%A_%a.log", "--open-mode=append", "--requeue", "--ntasks=1",
      // To the script's process, which is the runner itself.
      "--signal=B:USR1@\(settings.grace)", "--cpus-per-task=\(settings.cpus)", "--mem=\(memory)",
      // What waits for a task that failed has nothing to wait for.
      "--kill-on-invalid-dep=yes",
    ]
    if let partition = settings.partition { arguments.append("--partition=\(partition)") }
    if let time = settings.time { arguments.append("--time=\(time)") }
    // Times are taken with the node to oneself.
    if kind == .time { arguments.append("--exclusive") }
    let dependencies = afterCorresponding.map { "aftercorr:\(submitted[$0]!)" } + afterAny.map { "afterany:\(submitted[$0]!)" }
    if !dependencies.isEmpty { arguments.append("--dependency=\(dependencies.joined(separator: ","))") }
    return arguments + settings.options
  }

  /// The batch script: each task becomes the runner with one job.
  func script(_ command: [String]) -> String {
    let cases = jobs.sorted { $0.key < $1.key }.compactMap { index, job in job.map { "\(index)) job=\($0) ;;" } }
    return (["#!/bin/sh", "case $SLURM_ARRAY_TASK_ID in"] + cases + ["*) exit 0 ;;  # nothing to do for this trial", "esac"]
      + ["exec \(command.map(shellQuoted).joined(separator: " ")) --only-job \"$job\""]).joined(separator: "\n") + "\n"
  }
}

/// `text` as one word for a shell.
func shellQuoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

extension Session {
  /// `--mem` of a task: the largest planned training among the open trials, a quarter for what no plan sees, and half a gigabyte for the
  /// process and the patches it reads.
  var slurmMemory: String {
    if let memory = experiment.slurm.memory { return memory }
    let planned = Session.open(plan, selected).map { plan.megabytesLeft(ofTrial: $0, threads: experiment.slurm.cpus) }.max() ?? 0
    return "\(Int(planned * 1.25) + 512)M"
  }
}
