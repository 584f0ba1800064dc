import Diagnostics
import ExperimentSpec
import Foundation
import Report
import Schedule
import TensorCore

/// The commands: each prints what it has to say and returns the exit code, or throws a `UserError` that carries one.
public enum Runner {
  public static let version = "0.1.0"
  /// How a command ends; for those who parse arguments and see this room alone.
  public typealias Exit = ExitCode
  public typealias PlanFormat = Plan.Format

  /// Runs `command`, printing what it throws; the exit code in every case.
  public static func exitCode(_ surroundings: Surroundings, of command: () async throws -> ExitCode) async -> ExitCode {
    takeProcessPriority()
    do {
      let code = try await command()
      guard code == .done, Console.hasLostOutput.withLock({ $0 }) else { return code }
      throw UserError("standard output cannot be written", exitCode: .inputOrOutputFailed)
    } catch let error as UserError {
      surroundings.console.show(error.diagnostics, exitCode: error.exitCode)
      return error.exitCode
    } catch {
      surroundings.console.show([Diagnostic(.error, "\(error)")], exitCode: .inputOrOutputFailed)
      return .inputOrOutputFailed
    }
  }

  /// Every spec, or all that is wrong with any of them.
  static func load(_ specs: [String], _ options: RunOptions) throws -> [Experiment] {
    let overrides = try options.parsedOverrides()
    var faults: [Diagnostic] = []
    var exitCode = ExitCode.badCommandOrSpec
    var experiments: [Experiment] = []
    for spec in specs {
      do {
        experiments.append(try Experiment.load(path: spec, overrides: overrides))
      } catch let error {
        if faults.isEmpty { exitCode = error.exitCode }
        faults += error.diagnostics
      }
    }
    if !faults.isEmpty { throw UserError(faults, exitCode: exitCode) }
    return experiments
  }


  // MARK: run

  /// Runs what is not yet done of each spec, then reports.
  public static func run(specs: [String], _ options: RunOptions, _ surroundings: Surroundings) async throws -> ExitCode {
    let console = surroundings.console
    Interrupts.listen()
    // All that can be found wrong is found before the first trial of the first spec.
    var sessions: [(session: Session, options: RunOptions)] = []
    for experiment in try load(specs, options) {
      console.show(experiment.notes)
      var own = options
      if specs.count > 1, let out = options.out { own.out = "\(out)/\(experiment.name)" }
      let session = try Session(experiment, own, for: .run, surroundings)
      console.show(session.reuse.notes + session.damage)
      // What is done needs no data; a place that is named and is not there is told all the same.
      if options.data != nil || experiment.trials.contains(where: { !$0.settings.data.root.isEmpty }) { console.show(session.warnings) }
      if let same = sessions.first(where: { $0.session.folder.path == session.folder.path }) {
        throw UserError(
          "\(same.session.experiment.path) and \(experiment.path) would both write into \(session.folder.path)", exitCode: .badCommandOrSpec,
          hints: ["give each a name of its own"])
      }
      sessions.append((session, own))
    }
    var failed = false
    for (place, (planned, options)) in sessions.enumerated() {
      // What ran before may have left what this one reuses.
      let session = place == 0 ? planned : try Session(planned.experiment, options, for: .run, surroundings)
      let outcome: RunOutcome
      do { outcome = try await run(session, options, surroundings) } catch is CancellationError {
        outcome = RunOutcome(signal: Interrupts.signalReceived)
      }
      if let signal = outcome.signal { return signal == SIGTERM ? .terminated : .interrupted }
      failed = failed || !outcome.failures.isEmpty
    }
    return failed ? .someTrialsFailed : .done
  }

  /// Throws `CancellationError` after a signal while it waited for another run.
  private static func run(_ planned: Session, _ options: RunOptions, _ surroundings: Surroundings) async throws -> RunOutcome {
    let console = surroundings.console, name = planned.experiment.name
    var session = planned
    var lock: ResultsLock?
    let hasWork = session.plan.hasWork || options.retime
    // One that is asked to wait does so even where all is done: another run may still be drawing the report's figures.
    if hasWork || options.wait {
      var refused: UserError?
      do { lock = try ResultsLock(session.folder, waiting: options.wait ? { console.say(.message($0)) } : nil) } catch let error as UserError { refused = error }
      if hasWork, let refused { throw refused }
      // Another run may have left results since: while this one waited, or just before.
      session = try Session(session.experiment, options, for: .run, surroundings)
      if session.plan.hasWork, let refused { throw refused }
    }
    defer { withExtendedLifetime(lock) {} }
    guard session.plan.hasWork || options.retime else {
      // Unless another run is at work here, tidy up after one that was killed behind its report.
      if let idle = try? lock ?? ResultsLock(session.folder), let alone = try? ResultsLock(at: session.folder.tasksLock, of: session.folder.path) {
        session.folder.removeLeftovers()
        if session.folder.lacksPictures { console.show(await Report.renderPictures(in: session.folder.url)) }
        withExtendedLifetime((idle, alone)) {}
      }
      let count = session.selected.count, all = session.experiment.trials.count
      let done =
        switch count {
        case 0: "no trial has failed"
        case 1: "the trial\(count < all ? " asked for" : "") is done: \(session.folder.path)/report.md"
        default: "\(count < all ? "the \(count) trials asked for" : "all \(all) trials") are done: \(session.folder.path)/report.md"
        }
      console.say(finished(session, "nothing_to_do", "\(name): nothing to do, \(done)"))
      return RunOutcome()
    }
    // Tasks of a cluster that were left to themselves may still be at work.
    var alone: ResultsLock?
    if options.executor == .local {
      alone = try ResultsLock(at: session.folder.tasksLock, of: session.folder.path, waiting: options.wait ? { console.say(.message($0)) } : nil)
    }
    defer { withExtendedLifetime(alone) {} }
    try session.reuse.take()
    let outcome: RunOutcome
    var timesFailed: (any Error)?
    switch options.executor {
    case .local:
      session.folder.removeLeftovers()
      let executor = try LocalExecutor(session, options, console)
      var found = try executor.run()
      if found.signal == nil, try options.retime || (found.failures.isEmpty && session.claimsWaitForTimesInTurn()) {
        let trials = options.retime ? session.selected : Array(session.experiment.trials.indices)
        do { try executor.timeInTurn(trials) { console.say(.message($0)) } } catch is CancellationError {
          found.signal = Interrupts.signalReceived
        } catch {
          timesFailed = error  // told behind the report: the trials are done
        }
      }
      outcome = found
    case .slurm: outcome = try await SlurmExecutor(session, options, surroundings).run()
    }
    console.show(outcome.failures.map { Diagnostic(.error, "\(name), \($0.trial) failed: \($0.reason)") })
    if outcome.signal != nil {
      console.show([Diagnostic(.note, "\(name): stopped; the same command\(options.fresh ? " without --fresh" : "") goes on where this one ended")])
      console.say(finished(session, "stopped"))
      return outcome
    }
    console.show(try await Reporting(session, lenient: false).write(isNewRun: true))
    if let timesFailed { throw timesFailed }
    console.say(finished(session, outcome.failures.isEmpty ? "done" : "some_trials_failed", "\(name): \(session.folder.path)/report.md"))
    return outcome
  }

  private static func finished(_ session: Session, _ state: String, _ text: String? = nil) -> RunEvent {
    let report = "\(session.folder.path)/report.md"
    return RunEvent(
      "run_finished",
      [
        ("experiment", .text(session.experiment.name)), ("state", .text(state)),
        ("report", FileManager.default.fileExists(atPath: report) ? .text(report) : .none),
      ], text: text)
  }

  // MARK: plan, validate, report, explain, schema

  /// The jobs, each run / resume / cached and why; writes nothing.
  public static func plan(spec: String, _ options: RunOptions, format: PlanFormat, detailedExitCode: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    let experiment = try load([spec], options)[0]
    if format == .text { surroundings.console.show(experiment.notes) }
    let session = try Session(experiment, options, for: .plan, surroundings)
    surroundings.console.show(session.damage)
    if format == .text {
      surroundings.console.show(session.reuse.notes)
      surroundings.console.show(session.warnings)
    }
    surroundings.console.put(session.plan.rendered(as: format, expecting: try Expectation.ofTrials(session), notes: Expectation.notes(session)))
    return detailedExitCode && session.plan.hasWork ? .workToDo : .done
  }

  /// Diagnostics only.
  public static func validate(specs: [String], _ options: RunOptions, _ surroundings: Surroundings) throws -> ExitCode {
    for experiment in try load(specs, options) {
      surroundings.console.show(experiment.notes)
      let count = experiment.trials.count
      surroundings.console.say(.message("\(experiment.path): valid, \(count) trial\(count == 1 ? "" : "s")"))
    }
    return .done
  }

  /// The report again from the records of a spec's results, or of a results folder, and of those it reuses; with `check`, exit 3 where a published value is out of its tolerance.
  public static func report(_ place: String, _ options: RunOptions, check: Bool, _ surroundings: Surroundings) async throws -> ExitCode {
    var isFolder: ObjCBool = false
    var (options, spec) = (options, place)
    if FileManager.default.fileExists(atPath: place, isDirectory: &isFolder), isFolder.boolValue {
      if options.out != nil { throw UserError("--out goes with a SPEC: \(place) is the results folder itself", exitCode: .badCommandOrSpec) }
      let folder = ResultsFolder(path: place.count > 1 && place.hasSuffix("/") ? String(place.dropLast()) : place)
      guard FileManager.default.fileExists(atPath: folder.resolvedSpec) else {
        throw UserError(
          "\(place): no results folder: spec.resolved.yaml is not there", exitCode: .inputOrOutputFailed,
          hints: ["runner report SPEC finds the folder by the spec's name"])
      }
      (options.out, spec) = (folder.path, folder.resolvedSpec)
    }
    var session = try Session(try load([spec], options)[0], options, for: .report, surroundings)
    try session.reuse.findAlike(session.graph, in: session.folder)
    try session.reuse.take()
    guard try !session.folder.allTrials().isEmpty else {
      throw UserError("\(session.folder.path): no trial has been run yet", exitCode: .inputOrOutputFailed, hints: ["runner run \(place)"])
    }
    surroundings.console.show(session.damage)
    guard try session.damage.isEmpty || session.folder.allTrials().contains(where: { $0.readRecord() != nil }) else {
      throw UserError("\(session.folder.path): no record is left that is not damaged", exitCode: .damagedData)
    }
    guard try session.hasTrace() else {
      throw UserError(
        "\(session.folder.path): nothing of these settings; its trials have others", exitCode: .inputOrOutputFailed,
        hints: ["runner report \(session.folder.path) reports what is there", "runner run \(place) runs these"])
    }
    surroundings.console.show(try await Reporting(session, lenient: true).write(isNewRun: false))
    surroundings.console.say(.message("\(session.experiment.name): \(session.folder.path)/report.md"))
    guard check else { return .done }
    let violations = try Report.check(session.folder.url, against: session.experiment.report)
    surroundings.console.show(violations.map { Diagnostic(.error, "\($0)") }, exitCode: violations.isEmpty ? nil : .outOfTolerance)
    if violations.isEmpty, session.experiment.report.published.allSatisfy(\.tolerance.isEmpty) {
      surroundings.console.show([Diagnostic(.warning, "\(session.experiment.name): no published value has a tolerance, so nothing was checked")])
    }
    return violations.isEmpty ? .done : .outOfTolerance
  }

  /// Where a value comes from.
  public static func explain(spec: String, key: String, _ options: RunOptions, _ surroundings: Surroundings) throws -> ExitCode {
    surroundings.console.print(try load([spec], options)[0].explain(key))
    return .done
  }

  /// Every dotted key of a spec.
  public static var keys: [String] { KeyTable.keys.map(\.name) }

  /// Prints a text that is there already.
  public static func show(_ text: String, _ surroundings: Surroundings) -> ExitCode {
    surroundings.console.put(text.hasSuffix("\n") ? text : text + "\n")
    return .done
  }

  /// The JSON Schema of the spec.
  public static func schema(_ surroundings: Surroundings) -> ExitCode {
    show(jsonSchema(), surroundings)
  }
}
