import Diagnostics
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Schedule

/// Finished trials of other experiments (`reuse` of the spec) that are trials of this one too: one fingerprint is one trial, wherever it was
/// run. They are copied, so that a results folder never depends on another.
struct Reuse: Sendable {
  private let lenders: [ResultsFolder]
  private var loans: [(from: TrialFolder, to: TrialFolder)] = []

  /// - Parameter folder: of `experiment`; the others' stand beside it.
  init(_ experiment: Experiment, _ folder: ResultsFolder) {
    let place = (folder.path as NSString).deletingLastPathComponent
    lenders = experiment.reuse.map { ResultsFolder(path: place.isEmpty ? $0 : "\(place)/\($0)") }
  }

  /// What the data of such settings was when another experiment ran on it.
  func digest(of settings: DataSettings) -> String? { lenders.lazy.compactMap { EarlierTrials($0).digest(of: settings) }.first }

  /// Finds the trials that have no scores in `folder` and stand finished elsewhere, with their times; `snapshot` then counts them as done,
  /// and the report as to be made.
  mutating func find(_ graph: ExperimentGraph, _ trials: [Int], in folder: ResultsFolder, _ snapshot: inout Snapshot) {
    for trial in trials {
      let fingerprint = graph.fingerprint(ofTrial: trial), own = folder.trial(fingerprint), time = graph.job(.time, of: trial)?.fingerprint
      guard !own.hasScores, !loans.contains(where: { $0.to.path == own.path }) else { continue }
      let finished = lenders.lazy.map { $0.trial(fingerprint) }.first { lender in
        lender.hasScores && time.map { lender.log.lines().timing?.fingerprint == $0.description } ?? true
      }
      guard let finished else { continue }
      loans.append((finished, own))
      snapshot.finished.formUnion([fingerprint, time].compactMap { $0 })
      snapshot.failures[fingerprint] = nil
    }
    if !loans.isEmpty { snapshot.finished.remove(graph.jobs.last!.fingerprint) }
  }

  /// Copies what was found, each trial's record last: it says that everything else stands. Weights need not be there: they are not committed.
  /// - Throws: `UserError` (exit 5) where a file cannot be read or written.
  func take() throws {
    for (from, to) in loans {
      try DurableFile.makeFolder(to.path)
      for (source, target) in [(from.log.path, to.log.path), (from.masks, to.masks), (from.weights, to.weights), (from.record, to.record)] {
        guard FileManager.default.fileExists(atPath: source) else { continue }
        guard let data = FileManager.default.contents(atPath: source) else { throw UserError("\(source): cannot be read", exitCode: .inputOrOutputFailed) }
        try DurableFile.write(data, to: target)
      }
      try to.checkpoint.remove()
    }
  }
}
