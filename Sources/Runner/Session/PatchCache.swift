import Datasets
import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Synchronization

/// The patches that trials share: made once, kept in the results folder's cache (not committed), and the last of each kind in memory.
///
/// Trials that run side by side take turns here: preparing uses all cores by itself, and whoever waits mostly waits for the same patches.
final class PatchCache: Sendable {
  private let session: Session
  private let display: ProgressDisplay
  private typealias Kept = (key: Fingerprint, store: PatchStore)
  private let training = Mutex<Kept?>(nil)
  private let scored = Mutex<Kept?>(nil)

  init(_ session: Session, _ display: ProgressDisplay) { (self.session, self.display) = (session, display) }

  func training(ofTrial trial: Int) throws -> PatchStore {
    let key = session.graph.job(.patches, of: trial)!.fingerprint
    let data = session.data(ofTrial: trial), settings = session.experiment.trials[trial].settings, display = display
    return try training.withLock { kept in
      try store(key, "training", in: &kept) {
        let count = data.index.training.count
        display.begin(trial, .patches, of: count, "preparing the patches of \(count) training image\(count == 1 ? "" : "s")")
        return try PatchStore.prepare(data.index.training, of: data.dataset, .training(settings), threads: session.cores) { done, _ in
          display.update(trial, .patches, done: done)
          try Interrupts.check()
        }
      }
    }
  }

  /// The grid of the images that the trial is scored on. Nothing is augmented or cropped in it, so the test images' is the same for every
  /// seed, and kept apart from the training patches.
  func scored(ofTrial trial: Int) throws -> PatchStore {
    let settings = session.experiment.trials[trial].settings, part = settings.evaluate.on.rawValue
    let preprocess = session.graph.job(.preprocess, of: trial)!, patches = session.graph.job(.patches, of: trial)!
    let covered = preprocess.settings.filter { $0.key.hasPrefix("preprocess.") } + (preprocess.settings + patches.settings).filter { $0.key.hasPrefix("meaning") }
    // Which images validate is a matter of the split, which the patches' fingerprint covers.
    let drawn = settings.evaluate.on == .validation ? [patches.id] : []
    let key = Fingerprint(of: ["\(part) patches", "\(settings.patches.size)"] + drawn + preprocess.inputs + covered.flatMap { [$0.key, $0.value] })
    let data = session.data(ofTrial: trial), images = data.scoredImages(settings), display = display
    return try scored.withLock { kept in
      try store(key, part, in: &kept) {
        display.begin(trial, .patches, of: images.count, "preparing the patches of \(images.count) \(part) image\(images.count == 1 ? "" : "s")")
        return try PatchStore.prepare(images, of: data.dataset, .scoring(settings), threads: session.cores) { done, _ in
          display.update(trial, .patches, done: done)
          try Interrupts.check()
        }
      }
    }
  }

  private func store(_ key: Fingerprint, _ part: String, in kept: inout sending Kept?, make: () throws -> PatchStore) throws -> PatchStore {
    if let kept, kept.key == key { return kept.store }
    // Let go first: two stores at once are more memory than planned.
    kept = nil
    let store = try stored(session.folder.patches(key, part), make: make)
    kept = (key, store)
    return store
  }

  /// The store at `path`, or a new one that is put there. A damaged file is made again.
  private func stored(_ path: String, make: () throws -> PatchStore) throws -> PatchStore {
    if FileManager.default.fileExists(atPath: path) {
      do { return try PatchStore(contentsOf: path) } catch let error as UserError where error.exitCode == .damagedData {
        display.warn(error, "the patches are made again")
      }
    }
    let store = try make()
    try DurableFile.makeFolder(parentFolder(of: path))
    try store.save(to: path)
    // The file's pages can be dropped when memory is short; those of the store that made it cannot.
    return try PatchStore(contentsOf: path)
  }
}
