import Diagnostics
import Foundation
import Subprocess

/// Slurm's own commands. Only `sbatch`, `squeue`, `scancel` and `scontrol` are needed; `sacct` is asked where the cluster keeps accounts.
struct Slurm: Sendable {
  /// One task of an array.
  struct TaskID: Hashable, Sendable, CustomStringConvertible {
    var job: String
    var index: Int
    var description: String { "\(job)_\(index)" }
  }

  /// What `squeue` says of a task.
  struct Task: Hashable, Sendable {
    var id: TaskID
    /// `PENDING`, `RUNNING`, `COMPLETING` and so on.
    var state: String
    var node: String
    /// Why it waits.
    var reason: String
  }

  /// - Returns: the job's number.
  /// - Throws: `UserError` (exit 5) with what `sbatch` said.
  func submit(_ script: String, _ arguments: [String]) async throws -> String {
    let answer = try await Self.ask("sbatch", ["--parsable"] + arguments, input: script)
    guard answer.isSuccess else {
      throw UserError("sbatch refused a job: \(answer.errors)", exitCode: .inputOrOutputFailed, hints: ["it was asked for: \(arguments.joined(separator: " "))"])
    }
    // "<job>" or "<job>;<cluster>"
    return String(answer.output.prefix { $0 != ";" && !$0.isWhitespace })
  }

  /// Tasks of these jobs that wait or run; nil where `squeue` could not say (the controller is being restarted, the network is down).
  func tasks(of jobs: [String]) async throws -> [Task]? {
    // Asked for all of the user's: for a job that is no longer known, --jobs is an error.
    let answer = try await Self.ask("squeue", ["--noheader", "--array", "--user=\(getuid())", "--format=%F|%K|%T|%N|%r"])
    guard answer.isSuccess else { return nil }
    return answer.output.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
      guard fields.count == 5, jobs.contains(fields[0]), let index = Int(fields[1]) else { return nil }
      return Task(id: TaskID(job: fields[0], index: index), state: fields[2], node: fields[3], reason: fields[4])
    }
  }

  /// How tasks ended (`COMPLETED`, `TIMEOUT`, `OUT_OF_MEMORY`, …); empty where the cluster keeps no accounts.
  func endings(of jobs: [String]) async throws -> [TaskID: String] {
    guard let answer = try? await Self.ask("sacct", ["--noheader", "--allocations", "--parsable2", "--jobs=\(jobs.joined(separator: ","))", "--format=JobID,State"]),
      answer.isSuccess
    else { return [:] }
    var endings: [TaskID: String] = [:]
    for line in answer.output.split(separator: "\n") {
      let fields = line.split(separator: "|"), id = fields.first?.split(separator: "_") ?? []
      guard fields.count == 2, id.count == 2, let index = Int(id[1]) else { continue }
      endings[TaskID(job: String(id[0]), index: index)] = String(fields[1])
    }
    return endings
  }

  func cancel(_ jobs: [String]) async throws { _ = try await Self.ask("scancel", jobs) }

  /// Puts a running task back into the queue; Slurm ends its processes.
  /// - Throws: `UserError` (exit 5) with what `scontrol` said.
  func requeue(_ task: String) async throws {
    let answer = try await Self.ask("scontrol", ["requeue", task])
    guard answer.isSuccess else { throw UserError("scontrol requeue \(task): \(answer.errors)", exitCode: .inputOrOutputFailed) }
  }

  private struct Answer {
    var isSuccess: Bool
    var output: String
    /// On one line.
    var errors: String
  }

  private static func ask(_ command: String, _ arguments: [String], input: String = "") async throws -> Answer {
    // In a process group of its own: a Ctrl-C at the terminal is for this program, which must learn the number of a job that is being submitted.
    var apart = PlatformOptions()
    apart.processGroupID = 0
    do {
      let result = try await Subprocess.run(
        .name(command), arguments: Arguments(arguments), platformOptions: apart, input: .string(input), output: .string(limit: 64 << 20),
        error: .string(limit: 1 << 20))
      let errors = result.standardError.split(whereSeparator: \.isNewline).joined(separator: " ")
      return Answer(isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput, errors: errors)
    } catch let error as SubprocessError where error.code == .executableNotFound {
      throw UserError(
        "--executor slurm: \(command) is not to be found", exitCode: .inputOrOutputFailed,
        hints: ["run this where Slurm's commands are: on a login node of the cluster", "without --executor slurm, the trials run on this machine"])
    }
  }
}
