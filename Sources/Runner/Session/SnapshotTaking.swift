import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Foundation
import Report
import Schedule

/// The trials that left a log in a results folder, oldest start first.
struct EarlierTrials: Sendable {
  struct Entry: Sendable {
    var folder: TrialFolder
    var at: String
    var trial: String
    var seed: Int
    var settings: [String: String]
    var data: [LogText]
    var processors: Set<String?>
    var timing: (fingerprint: String, timing: TimingRecord)?
    var timings: (times: [TimingRecord], profile: OperationProfile?)
    var epochsDone: Int
    /// The median over its epochs; nil where it has none.
    var secondsPerEpoch: Double?
  }
  var entries: [Entry]

  /// - Throws: `UserError` (exit 5) where a log is there and cannot be read.
  init(_ results: ResultsFolder) throws {
    let all = try results.allTrials().compactMap { folder -> Entry? in
      let lines = try folder.log.lines()
      guard let start = lines.start else { return nil }
      return Entry(
        folder: folder, at: start.at, trial: start.trial, seed: start.seed, settings: start.settings, data: start.data,
        processors: lines.processors, timing: lines.timing,
        timings: lines.timings, epochsDone: lines.epochsDone, secondsPerEpoch: lines.secondsPerEpoch)
    }
    entries = all.sorted { ($0.at, $0.folder.path) < ($1.at, $1.folder.path) }
  }

  func entry(of fingerprint: Fingerprint) -> Entry? { entries.last { $0.folder.fingerprint == fingerprint } }

  /// Those of the same settings and the same data, as far as it is known, whatever instruction set they ran on, newest first.
  func entries(like settings: [String: String]) -> [Entry] {
    func compared(_ others: [String: String]) -> [String: String] {
      others.filter { $0.key != "instruction set" && ($0.key != "data digest" || settings[$0.key] != nil) }
    }
    let wanted = compared(settings)
    return entries.reversed().filter { compared($0.settings) == wanted }
  }

  /// The digest of the data that the newest trial with such data settings was run on.
  func digest(of settings: DataSettings) -> String? {
    let wanted = [("data.source", settings.source.rawValue), ("data.selection", settings.selection.rawValue)]
    return entries.last { entry in wanted.allSatisfy { entry.settings[$0.0] == $0.1 } && entry.settings["data digest"] != nil }?.settings["data digest"]
  }
}

extension Snapshot {
  /// What stands of `graph`'s jobs in a results folder. What is damaged does not stand; `damage` gains a warning for each such file.
  /// - Throws: `UserError` (exit 5) where a file is there and cannot be read.
  init(of folder: ResultsFolder, _ graph: ExperimentGraph, _ earlier: EarlierTrials, damage: inout [Diagnostic]) throws {
    self.init()
    self.earlier = earlier.entries.map { EarlierTrial(trial: $0.trial, seed: $0.seed, settings: $0.settings) }
    for trial in try folder.allTrials() {
      if let record = try trial.reportedRecord() {
        if let failure = record.failure { failures[trial.fingerprint] = failure } else { finished.insert(trial.fingerprint) }
      }
      if let timing = earlier.entry(of: trial.fingerprint)?.timing { finished.insert(Fingerprint(timing.fingerprint)) }
      damage += try trial.damage()
    }
    try addWeights(folder, graph, damage: &damage)
    for index in graph.experiment.trials.indices { addCheckpoint(of: index, folder, graph, earlier) }
    for job in graph.jobs where job.kind == .patches && FileManager.default.fileExists(atPath: folder.patches(job.fingerprint, "training")) {
      finished.insert(job.fingerprint)
    }
    let report = graph.jobs.last!.fingerprint
    if folder.reportFingerprint() == report, try Self.isUpToDate(folder, graph, earlier) { finished.insert(report) }
  }

  /// Whether the report shows each trial as it stands now. A run that is killed between a record and the report leaves one that does not.
  private static func isUpToDate(_ folder: ResultsFolder, _ graph: ExperimentGraph, _ earlier: EarlierTrials) throws -> Bool {
    guard let shown = Report.shown(in: folder.url) else { return false }
    let trials = graph.experiment.trials
    guard shown.map(\.trial) == trials.map(\.name), shown.map(\.seed) == trials.map(\.settings.seed) else { return false }
    for (trial, shown) in zip(trials.indices, shown) {
      let fingerprint = graph.fingerprint(ofTrial: trial)
      guard let record = try folder.trial(fingerprint).reportedRecord() else {
        // A report may show the record of another instruction set instead.
        if shown.fingerprint == fingerprint.description { return false }
        continue
      }
      let times = earlier.entry(of: fingerprint)?.timings.times ?? []
      guard shown.fingerprint == fingerprint.description, shown.status == (record.failure == nil ? "done" : "failed"),
        shown.milliseconds == Set(times.map(\.millisecondsPerPatchMedian))
      else { return false }
    }
    return true
  }

  /// Weights take a moment to check, so it is only done where something needs them.
  private mutating func addWeights(_ folder: ResultsFolder, _ graph: ExperimentGraph, damage: inout [Diagnostic]) throws {
    func open(_ kinds: Set<JobKind>) -> (trainings: Set<Fingerprint>, homes: Set<Fingerprint>) {
      let trials = graph.jobs.filter { kinds.contains($0.kind) && !finished.contains($0.fingerprint) }.flatMap(\.trials)
      return (Set(trials.compactMap { graph.trainingJob(of: $0)?.fingerprint }), Set(trials.map { graph.fingerprint(ofTrial: $0) }))
    }
    let toUse = open([.evaluate, .time]), toScore = open([.evaluate])
    for trial in try folder.allTrials() where FileManager.default.fileExists(atPath: trial.weights) {
      let trained = trial.trainedWeights()
      do {
        if toUse.homes.contains(trial.fingerprint) || trained.map({ toUse.trainings.contains($0.fingerprint) }) ?? false {
          _ = try Safetensors.read(trial.weights, ours: true)
        }
        if let trained { finished.insert(trained.fingerprint) }
      } catch {
        let fault = (error as? UserError)?.diagnostics.first?.message ?? "\(trial.weights): \(error)"
        let isToScore = toScore.homes.contains(trial.fingerprint) || trained.map { toScore.trainings.contains($0.fingerprint) } ?? false
        let consequence = isToScore ? "the training is done again unless other weights of it are there" : "times are taken with others"
        damage.append(Diagnostic(.warning, "\(fault); \(consequence)"))
      }
    }
  }

  private mutating func addCheckpoint(of index: Int, _ folder: ResultsFolder, _ graph: ExperimentGraph, _ earlier: EarlierTrials) {
    let trial = folder.trial(graph.fingerprint(ofTrial: index))
    guard !trial.checkpoint.present.isEmpty, let train = graph.job(.train, of: index) else { return }
    let settings = graph.experiment.trials[index].settings.train
    let done = earlier.entry(of: trial.fingerprint)?.epochsDone ?? 0
    if done < settings.epochs {
      checkpoints[train.fingerprint] = Checkpoint(epoch: done, epochs: settings.epochs)
    } else if let fineTune = graph.job(.fineTune, of: index) {
      finished.insert(train.fingerprint)
      if done > settings.epochs { checkpoints[fineTune.fingerprint] = Checkpoint(epoch: done - settings.epochs, epochs: settings.fineTune.epochs) }
    }
  }
}
