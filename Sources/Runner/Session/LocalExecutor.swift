import Diagnostics
import Engine
import ExperimentGraph
import Files
import Foundation
import Schedule

/// How a run ended.
struct RunOutcome: Sendable {
  /// Labels and reasons, in the report's order.
  var failures: [(trial: String, reason: String)] = []
  /// The signal that ended the run early.
  var signal: Int32?
}

/// Runs a session's plan on this machine: as many trials side by side as its allotment says, each on a thread of its own with a team of
/// threads under it.
final class LocalExecutor: Sendable {
  private let session: Session
  private let isFresh: Bool
  private let jobs: TrialJobs
  private let display: ProgressDisplay
  private let stage: Stage
  private var graph: ExperimentGraph { session.graph }

  /// Throws `UserError` (exit 5) where a log of before cannot be read.
  init(_ session: Session, _ options: RunOptions, _ console: Console) throws {
    (self.session, isFresh) = (session, options.fresh)
    let estimate = TimeEstimate(Costs(session, try EarlierTrials(session.folder)).tasks(), slots: session.allotment.jobs)
    display = ProgressDisplay(session, trials: session.openTrials.count, estimate, console)
    jobs = TrialJobs(session, options, display)
    stage = Stage(session.roster())
  }

  /// Takes the times of these trials again, in turn. Throws `UserError`; `CancellationError` after a signal.
  func timeInTurn(_ trials: [Int], say: (String) -> Void) throws { try jobs.timeInTurn(trials, say: say) }

  /// Throws `UserError` where the results folder cannot be written; a trial's own fault is in the outcome.
  func run() throws -> RunOutcome {
    try DurableFile.makeFolder(session.folder.trials)
    if isFresh { try session.removeTrials() }
    var failures: [Int: String] = [:]
    for (trial, reason) in session.refusals() {
      jobs.refuse(trial, because: reason)
      failures[trial] = reason
    }
    let ended = stage.play(until: { Interrupts.signalReceived != nil }) { assignment, isAlone in
      switch assignment {
      case .scores(let trial): try self.jobs.score(trial, isAlone: isAlone)
      case .times(let trial): try self.jobs.time(trial)
      }
    }
    display.finish()
    if let error = ended.error { throw error }
    failures.merge(ended.failures) { $1 }
    return RunOutcome(
      failures: failures.sorted { $0.key < $1.key }.map { (graph.label(ofTrial: $0.key), $0.value) }, signal: ended.isCutShort ? Interrupts.signalReceived : nil)
  }
}

extension Session {
  /// Whether claims on times are to be judged, all trials are there, and their times were not taken in turn.
  func claimsWaitForTimesInTurn() throws -> Bool {
    let timed = experiment.trials.indices.filter { graph.job(.time, of: $0) != nil }.map(folder(ofTrial:))
    guard experiment.report.claims.contains(where: { $0.test == "rank_sum" }), timed.count > 1,
      timed.allSatisfy(\.hasScores), experiment.trials.allSatisfy({ data[$0.settings.data] != nil })
    else { return false }
    let turns = Set(try timed.map { try $0.log.lines().timing?.timing.turn })
    return turns.count > 1 || turns == [nil]
  }

  /// `--fresh`: what the trials left is taken away before they run, not when they are done, so that nothing old can look new. So are the
  /// patches they are trained on, and the weights and checkpoints of their trainings wherever trials of other settings left them.
  func removeTrials() throws {
    var paths = selected.flatMap { trial in [folder(ofTrial: trial).path, folder.patches(graph.job(.patches, of: trial)!.fingerprint, "training")] }
    let trainings = Set(selected.flatMap { trial in [JobKind.train, .fineTune].compactMap { graph.job($0, of: trial)?.fingerprint } })
    paths += try folder.allTrials().filter { $0.trainedWeights().map { trainings.contains($0.fingerprint) } ?? false }.map(\.weights)
    for trial in experiment.trials.indices where graph.trainingJob(of: trial).map({ trainings.contains($0.fingerprint) }) ?? false {
      paths += folder(ofTrial: trial).checkpoint.present
    }
    for path in paths where FileManager.default.fileExists(atPath: path) {
      do { try FileManager.default.removeItem(atPath: path) } catch {
        throw UserError("\(path): \(error.localizedDescription)", exitCode: .inputOrOutputFailed)
      }
    }
  }
}
