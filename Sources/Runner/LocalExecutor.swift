import Datasets
import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Report
import Schedule

/// Runs a session's plan on this machine: one trial at a time, each with all threads. A trial that fails leaves its reason in its
/// record, and the others go on.
final class LocalExecutor {
  private let session: Session
  private let options: RunOptions
  private let patches: PatchCache
  private let trainings: Trainings
  private let display: ProgressDisplay
  private var graph: ExperimentGraph { session.graph }

  struct Outcome {
    /// Labels and reasons.
    var failures: [(trial: String, reason: String)] = []
    /// The signal that ended the run early.
    var signal: Int32?
  }

  init(_ session: Session, _ options: RunOptions, _ console: Console) {
    (self.session, self.options) = (session, options)
    let trials = Self.order(session)
    display = ProgressDisplay(console, trials: trials.count, work: trials.reduce(0) { $0 + Self.work(of: $1, in: session) })
    patches = PatchCache(session, display)
    trainings = Trainings(session, patches, display)
  }

  /// Throws `UserError` where the results folder cannot be written; a trial's own fault is in the outcome.
  func run() throws -> Outcome {
    var outcome = Outcome()
    try DurableFile.makeFolder(session.folder.trials)
    if options.fresh { try removeTrials() }
    for trial in Self.order(session) {
      do {
        if let reason = try run(trial) { outcome.failures.append((graph.label(ofTrial: trial), reason)) }
      } catch is CancellationError {
        outcome.signal = Interrupts.signalReceived
        break
      }
    }
    display.finish()
    return outcome
  }

  /// The trials with work, in the report's order; but one that others fine-tune from comes before them.
  private static func order(_ session: Session) -> [Int] {
    let graph = session.graph
    let open = session.selected.filter { trial in session.plan.work.contains { $0.job.kind != .report && $0.job.trials.contains(trial) } }
    var order: [Int] = []
    for trial in open {
      if let main = graph.job(.fineTune, of: trial).flatMap({ _ in graph.job(.train, of: trial) }) {
        order += main.trials.filter { graph.trainingJob(of: $0).id == main.id && open.contains($0) && !order.contains($0) }
      }
      if !order.contains(trial) { order.append(trial) }
    }
    return order
  }

  /// Multiply–adds of a trial's epochs, for one patch: the measure that shares out the time left.
  private static func work(of trial: Int, in session: Session) -> Double {
    let settings = session.experiment.trials[trial].settings
    guard session.state(.train, of: trial) != .cached || session.state(.fineTune, of: trial) ?? .cached != .cached,
      let facts = try? NetworkFacts.of(settings.networkConfiguration, side: settings.patches.size)
    else { return 0 }
    return Double(facts.multiplyAdds) * Double(settings.phases.reduce(0) { $0 + $1.epochs })
  }

  /// `--fresh`: what the trials left is taken away before they run, not when they are done, so that nothing old can look new.
  private func removeTrials() throws {
    for trial in session.selected {
      let folder = session.folder.trial(graph.fingerprint(ofTrial: trial)).path
      guard FileManager.default.fileExists(atPath: folder) else { continue }
      do { try FileManager.default.removeItem(atPath: folder) } catch {
        throw UserError("\(folder): \(error.localizedDescription)", exitCode: .inputOrOutputFailed)
      }
    }
  }

  /// Returns why the trial failed, or nil. Throws `CancellationError` after a signal.
  private func run(_ trial: Int) throws -> String? {
    let folder = session.folder.trial(graph.fingerprint(ofTrial: trial)), label = graph.label(ofTrial: trial)
    let settings = session.experiment.trials[trial].settings
    try DurableFile.makeFolder(folder.path)
    try folder.log.append(
      .started(
        trial: session.experiment.trials[trial].name, seed: settings.seed, settings: graph.settings(ofTrial: trial),
        data: session.data(ofTrial: trial).summary(patchSize: settings.patches.size)))
    var attempt = 0
    while true {
      do {
        let done = try finish(trial, folder)
        display.trialDone("\(label): \(done)", failed: false)
        return nil
      } catch let error as CancellationError {
        throw error
      } catch {
        if Interrupts.signalReceived != nil { throw CancellationError() }
        let reason = Self.line(error)
        try folder.log.append(.failed(reason: reason))
        attempt += 1
        if attempt <= options.retries {
          display.message("\(label): failed (\(reason)); trying again, \(attempt) of \(options.retries)")
          continue
        }
        try folder.write(record(of: trial, nil, [], failure: reason))
        display.trialDone("\(label): failed: \(reason)", failed: true)
        return reason
      }
    }
  }

  /// Trains, evaluates and times, as far as each is to be done; returns what to say of it.
  private func finish(_ trial: Int, _ folder: TrialFolder) throws -> String {
    let settings = session.experiment.trials[trial].settings, label = graph.label(ofTrial: trial)
    let display = display, threads = session.threads
    let shouldStop = { Interrupts.signalReceived != nil }
    let evaluated = folder.readRecord().flatMap { $0.failure == nil ? $0 : nil }
    let timeJob = graph.job(.time, of: trial)!
    if let evaluated, folder.log.lines().timing?.fingerprint == timeJob.fingerprint.description {
      // Another trial of the same settings and another name was just run.
      return Self.summary(evaluated)
    }
    PeakMemory.reset()
    let network = try trainings.network(ofTrial: trial)
    let test = try patches.test(ofTrial: trial) { display.update(TrialProgress(label: label, phase: "patches", batch: $0, batches: $1)) }
    let record: TrialRecord
    if let evaluated {
      record = evaluated
    } else {
      let data = session.data(ofTrial: trial), clock = ContinuousClock(), start = clock.now
      let evaluation = try Evaluation(
        network.weights, settings, data, test, threads: threads,
        progress: { display.update(TrialProgress(label: label, phase: "evaluate", batch: $0, batches: data.index.test.count)) }, shouldStop: shouldStop)
      record = self.record(of: trial, network.training, evaluation.scores, failure: nil)
      try DurableFile.write(MaskRuns.table(evaluation.masks), to: folder.masks)
      try folder.log.append(.evaluated(images: evaluation.scores.count, seconds: (clock.now - start).seconds))
      // Last of all: a record that stands says that everything before it stands.
      try folder.write(record)
    }
    let timing = try PatchTiming(
      network.weights, settings, test, threads: threads,
      progress: { display.update(TrialProgress(label: label, phase: "time", batch: $0, batches: settings.evaluate.timingPasses)) }, shouldStop: shouldStop)
    try folder.log.append(
      .timed(
        fingerprint: timeJob.fingerprint.description,
        timing: TimingRecord(
          trial: record.trial, seed: record.seed, threads: threads, precision: settings.train.precision.rawValue,
          millisecondsPerPatchMedian: timing.median, millisecondsPerPatchMinimum: timing.minimum, passes: timing.passes,
          trainSeconds: folder.log.lines().trainingSeconds, peakRSSMegabytes: Processor.peakResidentMegabytes)))
    return Self.summary(record) + ", \(ProgressText.fixed(timing.median, 1)) ms a patch"
  }

  private static func summary(_ record: TrialRecord) -> String {
    let scored = record.images.filter { !$0.empty }
    let mean = { (score: (ImageScore) -> Double) in scored.isEmpty ? 0 : scored.map(score).reduce(0, +) / Double(scored.count) }
    return "average IoU \(ProgressText.fixed(mean(\.averageIoU), 3)), average precision \(ProgressText.fixed(mean(\.averagePrecision), 3)), "
      + "validation loss \(ProgressText.fixed(record.validationLoss, 4)) in epoch \(record.bestEpoch)"
  }

  private func record(of trial: Int, _ training: TrainedWeights?, _ scores: [ImageScore], failure: String?) -> TrialRecord {
    let settings = session.experiment.trials[trial].settings
    guard let facts = try? NetworkFacts.of(settings.networkConfiguration, side: settings.patches.size) else {
      preconditionFailure("a network that was checked before the run does not fit its patches")
    }
    return TrialRecord(
      trial: session.experiment.trials[trial].name, seed: settings.seed, fingerprint: graph.fingerprint(ofTrial: trial).description,
      architecture: settings.model.architecture.rawValue, baseFilters: settings.model.baseFilters, depth: settings.model.depth, l2: settings.model.l2,
      upsampling: settings.model.architecture == .unetPlus ? settings.model.upsampling.rawValue : "", parameters: facts.parameters,
      trainableParameters: facts.trainableParameters, multiplyAdds: facts.multiplyAdds, trainingPatches: training?.trainingPatches ?? 0,
      validationPatches: training?.validationPatches ?? 0, losses: training?.losses ?? [], bestEpoch: training?.bestEpoch ?? 0,
      validationLoss: training?.validationLoss ?? 0, images: scores, failure: failure)
  }

  /// An error as one line without a stack.
  private static func line(_ error: any Error) -> String {
    let text = (error as? UserError)?.diagnostics.map { ($0.location.map { place in "\(place): " } ?? "") + $0.message }.joined(separator: "; ") ?? "\(error)"
    return text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}

/// The kernel's mark of this process's largest resident memory.
enum PeakMemory {
  /// Sets the mark back to what is resident now, where the kernel can (Linux ≥ 4.0), so that one trial's peak is not the next one's.
  static func reset() {
    #if os(Linux)
      try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
    #endif
  }
}
