import Datasets
import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Report
import TensorCore

/// What is done of a trial, in two parts: training and scores, which may run beside other trials, and times, which are taken alone.
/// A part that fails leaves its reason in the trial's record, and the others go on.
struct TrialJobs: Sendable {
  private let session: Session
  private let retries: Int
  private let patches: PatchCache
  private let trainings: Trainings
  private let display: ProgressDisplay
  private var graph: ExperimentGraph { session.graph }

  init(_ session: Session, _ options: RunOptions, _ display: ProgressDisplay) {
    (self.session, retries, self.display) = (session, options.retries, display)
    patches = PatchCache(session, display)
    trainings = Trainings(session, patches, display, checkpointInterval: options.checkpointInterval)
  }

  /// Makes the patches that the trial reads, where they are not there.
  func preparePatches(ofTrial trial: Int) throws {
    if session.experiment.trials[trial].settings.model.architecture.isNetwork { _ = try patches.training(ofTrial: trial) }
    _ = try patches.scored(ofTrial: trial)
  }

  /// Trains alone. Returns why the trial failed, or nil; throws as `score`.
  func train(_ trial: Int) throws -> String? {
    try attempt(trial) { folder in
      try open(trial, folder)
      _ = try trainings.network(ofTrial: trial)
    }
  }

  /// Trains and evaluates, as far as each is to be done. Returns why the trial failed, or nil.
  ///
  /// - Parameter isAlone: no other trial runs in this process.
  /// - Throws: `CancellationError` after a signal.
  func score(_ trial: Int, isAlone: Bool) throws -> String? {
    try attempt(trial) { folder in
      try open(trial, folder)
      if folder.hasScores { return }  // another trial of the same settings and another name was just run
      if isAlone { PeakMemory.reset() }
      guard session.experiment.trials[trial].settings.model.architecture.isNetwork else { return try evaluateBaseline(trial, folder) }
      let network = try trainings.network(ofTrial: trial)
      try evaluate(trial, network, folder, isAlone: isAlone)
    }
  }

  /// Takes the times of a trial that has its scores. Returns why that failed, or nil; throws as `score`.
  func time(_ trial: Int) throws -> String? {
    try attempt(trial) { folder in
      guard let record = folder.readRecord() else { throw UserError("\(folder.record): cannot be read back", exitCode: .inputOrOutputFailed) }
      let job = graph.job(.time, of: trial)?.fingerprint.description
      // A baseline has no network to time.
      var milliseconds: Double?
      if try job != nil && folder.log.lines().timing?.fingerprint != job {
        let network = try network(toTime: trial)
        display.begin(trial, .time, of: TimesInTurn.rounds([network.settings]))
        milliseconds = try takeTimes([network]) { display.update(trial, .time, done: $0) }[0]
      }
      display.trialDone(trial, TrialScores(record, millisecondsPerPatch: milliseconds))
    }
  }

  /// Takes the times of these trials again, all in turn.
  /// - Throws: `UserError`, `OutOfMemory`; `CancellationError` after a signal: then all is as it was.
  func timeInTurn(_ trials: [Int], say: (String) -> Void) throws {
    var networks: [TimesInTurn.Network] = []
    for trial in trials where graph.job(.time, of: trial) != nil && session.folder.trial(graph.fingerprint(ofTrial: trial)).hasScores {
      networks.append(try network(toTime: trial))
    }
    guard !networks.isEmpty else { return }
    let rounds = TimesInTurn.rounds(networks.map(\.settings))
    say("times of \(networks.count) trial\(networks.count == 1 ? "" : "s"), in turn: \(rounds) rounds")
    _ = try takeTimes(networks) { say("times, in turn: round \($0) of \(rounds)") }
  }

  /// The trial cannot be run at all: its record says why.
  func refuse(_ trial: Int, because reason: String) {
    let folder = session.folder.trial(graph.fingerprint(ofTrial: trial))
    try? open(trial, folder)
    fail(trial, folder, reason)
  }

  /// Makes the trial's folder, with a log that says what the trial is.
  private func open(_ trial: Int, _ folder: TrialFolder) throws {
    let settings = session.experiment.trials[trial].settings
    try DurableFile.makeFolder(folder.path)
    try folder.log.mend()
    try folder.log.append(
      .started(
        trial: session.experiment.trials[trial].name, seed: settings.seed, settings: graph.settings(ofTrial: trial),
        data: session.data(ofTrial: trial).summary(patchSize: settings.patches.size), processor: Processor.name))
  }

  private func attempt(_ trial: Int, _ part: (TrialFolder) throws -> Void) throws -> String? {
    let folder = session.folder.trial(graph.fingerprint(ofTrial: trial))
    var attempt = 0
    while true {
      do {
        try part(folder)
        return nil
      } catch let error as CancellationError {
        throw error
      } catch {
        if Interrupts.signalReceived != nil { throw CancellationError() }
        let reason = Self.line(error)
        attempt += 1
        if attempt <= retries, Self.mayPass(error) {
          try? folder.log.append(.failed(reason: reason))
          display.message(trial, "failed (\(reason)); trying again, \(attempt) of \(retries)")
          continue
        }
        fail(trial, folder, reason)
        return reason
      }
    }
  }

  /// Whether the same trial may succeed when it is tried again: input or output failed, or memory was short. A loss that is not a number,
  /// damaged data and too few images are the same every time.
  private static func mayPass(_ error: any Error) -> Bool {
    (error as? UserError)?.exitCode == .inputOrOutputFailed || error is OutOfMemory
  }

  /// Writes down why, as far as that can be written: where it cannot, the run says it all the same, and the report shows the trial as missing.
  /// Scores that are there outlast a timing that failed.
  private func fail(_ trial: Int, _ folder: TrialFolder, _ reason: String) {
    try? folder.log.append(.failed(reason: reason))
    // A record that cannot be read may be a good one.
    let mayHaveScores = (try? folder.reportedRecord().map { $0.failure == nil } ?? false) ?? true
    if !mayHaveScores { try? folder.write(record(of: trial, nil, [], failure: reason), masks: nil) }
    display.trialFailed(trial, reason)
  }

  private func evaluate(_ trial: Int, _ network: TrainedNetwork, _ folder: TrialFolder, isAlone: Bool) throws {
    let settings = session.experiment.trials[trial].settings, data = session.data(ofTrial: trial), images = data.scoredImages(settings)
    let patches = try patches.scored(ofTrial: trial), clock = ContinuousClock(), start = clock.now
    display.begin(trial, .evaluate, of: images.count)
    let evaluation = try Evaluation(
      network.weights, settings, images, of: data.dataset, patches, threads: session.threads, progress: { display.update(trial, .evaluate, done: $0) },
      shouldStop: { Interrupts.signalReceived != nil })
    try folder.log.append(
      .evaluated(
        images: evaluation.scores.count, seconds: (clock.now - start).seconds, peakMegabytes: isAlone ? Processor.peakResidentMegabytes : nil))
    // Last of all: a record that stands says that everything before it stands.
    try folder.write(record(of: trial, network.training, evaluation.scores, failure: nil), masks: MaskRuns.table(evaluation.masks))
    display.scored(trial)
  }

  /// A trial without a network: scores, and no training.
  private func evaluateBaseline(_ trial: Int, _ folder: TrialFolder) throws {
    let settings = session.experiment.trials[trial].settings, data = session.data(ofTrial: trial), images = data.scoredImages(settings)
    guard !images.isEmpty else {
      throw UserError("no image is left to be scored", exitCode: .badCommandOrSpec, hints: ["give more images, or a larger patches.validation_fraction"])
    }
    let patches = try patches.scored(ofTrial: trial)
    display.begin(trial, .evaluate, of: images.count)
    let evaluation = try Evaluation(
      otsu: settings, images, of: data.dataset, patches, progress: { display.update(trial, .evaluate, done: $0) },
      shouldStop: { Interrupts.signalReceived != nil })
    try folder.write(record(of: trial, nil, evaluation.scores, failure: nil), masks: MaskRuns.table(evaluation.masks))
    display.scored(trial)
  }

  /// Writes the times of these trials, taken in turn, into their logs. Returns the medians of their own, milliseconds a patch.
  private func takeTimes(_ networks: [TimesInTurn.Network], progress: (Int) -> Void) throws -> [Double] {
    let turn = try TimesInTurn(networks, threads: session.timingThreads, progress: progress, shouldStop: { Interrupts.signalReceived != nil })
    return try zip(networks, turn.found).map { network, found in
      let folder = session.folder.trial(graph.fingerprint(ofTrial: network.trial)), job = graph.job(.time, of: network.trial)!.fingerprint.description
      guard let record = folder.readRecord() else { throw UserError("\(folder.record): cannot be read back", exitCode: .inputOrOutputFailed) }
      let log = try folder.log.lines()
      try folder.log.append(.profiled(fingerprint: job, profile: found.profile))
      // The trial's own last: the last timing of a log is the one that stands for it.
      let timings = found.times.enumerated().map { TimingRecord(record, $1, turn: turn.turn, isMain: $0 == found.times.count - 1, isTrained: network.isTrained, log) }
      for timing in timings { try folder.log.append(.timed(fingerprint: job, timing: timing)) }
      return timings.last!.millisecondsPerPatchMedian
    }
  }

  /// With made-up weights where the trial's own are not at hand: what a network takes does not depend on its weights' values.
  private func network(toTime trial: Int) throws -> TimesInTurn.Network {
    let settings = session.experiment.trials[trial].settings, weights = try trainings.weightsAtHand(ofTrial: trial)
    return TimesInTurn.Network(
      trial: trial, settings: settings, weights: try weights ?? .madeUp(for: settings.networkConfiguration), isTrained: weights != nil,
      patches: try patches.scored(ofTrial: trial))
  }

  private func record(of trial: Int, _ training: TrainedWeights?, _ scores: [ImageScore], failure: String?) -> TrialRecord {
    let settings = session.experiment.trials[trial].settings
    let isNetwork = settings.model.architecture.isNetwork
    let facts = isNetwork ? try? NetworkFacts.of(settings.networkConfiguration, side: settings.patches.size) : nil
    precondition((facts != nil) == isNetwork, "a network that was checked before the run does not fit its patches")
    return TrialRecord(
      trial: session.experiment.trials[trial].name, seed: settings.seed, fingerprint: graph.fingerprint(ofTrial: trial).description,
      architecture: settings.model.architecture.rawValue, baseFilters: settings.model.baseFilters, depth: settings.model.depth, l2: settings.model.l2,
      upsampling: settings.networkConfiguration.upsamplingName, parameters: facts?.parameters ?? 0,
      trainableParameters: facts?.trainableParameters ?? 0, multiplyAdds: facts?.multiplyAdds ?? 0, trainingPatches: training?.trainingPatches ?? 0,
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
