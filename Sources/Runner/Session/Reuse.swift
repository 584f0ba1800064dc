import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Schedule

/// Finished trials of other experiments (`reuse` of the spec) that are trials of this one too: one fingerprint is one trial, wherever it was
/// run. They are copied, so that a results folder never depends on another.
struct Reuse: Sendable {
  private let lenders: [(folder: ResultsFolder, trials: EarlierTrials)]
  /// Of those that are named and have no results here: they may be misspelt, and what they would lend is trained again.
  let notes: [Diagnostic]
  private var loans: [(from: TrialFolder, to: TrialFolder)] = []

  /// - Parameter folder: of `experiment`; the others' stand beside it.
  /// - Throws: `UserError` (exit 5) where a log of theirs is there and cannot be read.
  init(_ experiment: Experiment, _ folder: ResultsFolder) throws {
    let place = parentFolder(of: folder.path)
    lenders = try experiment.reuse.map { name in
      let lender = ResultsFolder(path: place.isEmpty ? name : "\(place)/\(name)")
      return (lender, try EarlierTrials(lender))
    }
    notes = lenders.filter { !FileManager.default.fileExists(atPath: $0.folder.path) }.map {
      Diagnostic(.note, "\(experiment.path): reuse: \($0.folder.path) is not there; what it has would be taken from it")
    }
  }

  /// What the public data of such settings was when another experiment ran on it. A folder of one's own may be any.
  func digest(of settings: DataSettings) -> String? {
    guard settings.source == .dsb2018 else { return nil }
    return lenders.lazy.compactMap { $0.trials.digest(of: settings) }.first
  }

  /// The processors that a lender of this trial names in its report, as the trial's own log does not.
  /// - Throws: `UserError` (exit 5) where a lender's provenance is there and cannot be read.
  func processors(of fingerprint: Fingerprint) throws -> [String]? {
    try lenders.first { $0.folder.trial(fingerprint).hasScores }?.folder.statedProcessors()
  }

  /// Finds the trials that have no scores in `folder` and stand finished elsewhere, best with their times; `snapshot` then counts as done what
  /// is there, and the report as to be made. `--only` limits what runs, and nothing of this does.
  mutating func find(_ graph: ExperimentGraph, in folder: ResultsFolder, _ snapshot: inout Snapshot) {
    for trial in graph.experiment.trials.indices {
      let fingerprint = graph.fingerprint(ofTrial: trial), own = folder.trial(fingerprint), time = graph.job(.time, of: trial)?.fingerprint
      guard !own.hasScores, !loans.contains(where: { $0.to.path == own.path }) else { continue }
      let scored = lenders.filter { $0.folder.trial(fingerprint).hasScores }
      func isTimed(_ lender: (folder: ResultsFolder, trials: EarlierTrials)) -> Bool {
        time.map { lender.trials.entry(of: fingerprint)?.timing?.fingerprint == $0.description } ?? true
      }
      guard let lender = scored.first(where: isTimed) ?? scored.first else { continue }
      let finished = lender.folder.trial(fingerprint)
      loans.append((finished, own))
      snapshot.finished.insert(fingerprint)
      if let time, isTimed(lender) { snapshot.finished.insert(time) }
      snapshot.failures[fingerprint] = nil
      // Its weights come along, where they are there: what else starts from that training need not train.
      if let trained = finished.trainedWeights(), (try? Safetensors.read(finished.weights, ours: true)) != nil { snapshot.finished.insert(trained.fingerprint) }
    }
    if !loans.isEmpty { snapshot.finished.remove(graph.jobs.last!.fingerprint) }
  }

  /// For a report: finds besides, for the trials that have left nothing in `folder`, those of the same settings that others finished on
  /// another instruction set. A run does not take them: on this one its trials are others.
  /// - Throws: `UserError` (exit 5) where a log in `folder` cannot be read.
  mutating func findAlike(_ graph: ExperimentGraph, in folder: ResultsFolder) throws {
    let own = try EarlierTrials(folder)
    // What has begun here may be at work: that is not touched.
    loans.removeAll { FileManager.default.fileExists(atPath: $0.to.path) }
    for trial in graph.experiment.trials.indices {
      let settings = graph.settings(ofTrial: trial), fingerprint = graph.fingerprint(ofTrial: trial)
      // Of data that nobody knows nothing can be said to be alike.
      guard settings["data digest"] != nil || graph.experiment.trials[trial].settings.data.source == .synthetic else { continue }
      guard own.entries(like: settings).isEmpty, !loans.contains(where: { $0.to.fingerprint == fingerprint }) else { continue }
      let finished = lenders.lazy.flatMap { $0.trials.entries(like: settings) }.map(\.folder).first(where: \.hasScores)
      if let finished { loans.append((finished, folder.trial(finished.fingerprint))) }
    }
  }

  /// Copies what was found, each trial's record last: it says that everything else stands. Weights need not be there: they are not committed.
  /// - Throws: `UserError` (exit 5) where a file cannot be read or written.
  func take() throws {
    for (from, to) in loans {
      try DurableFile.makeFolder(to.path)
      for (source, target) in [(from.log.path, to.log.path), (from.masks, to.masks), (from.weights, to.weights), (from.record, to.record)] {
        if let data = try DurableFile.contents(of: source) { try DurableFile.write(data, to: target) }
      }
      try to.checkpoint.remove()
    }
  }
}
