import Datasets
import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation

/// The patches that trials share: made once, kept in the results folder's cache (not committed), and the last of each kind in memory.
final class PatchCache {
  private let session: Session
  private var training: (key: Fingerprint, store: PatchStore)?
  private var test: (key: Fingerprint, store: PatchStore)?

  private let display: ProgressDisplay

  init(_ session: Session, _ display: ProgressDisplay) { (self.session, self.display) = (session, display) }

  /// - Parameter progress: images done, of how many; from several threads.
  func training(ofTrial trial: Int, progress: @escaping @Sendable (Int, Int) -> Void) throws -> PatchStore {
    let key = session.graph.job(.patches, of: trial)!.fingerprint
    if let training, training.key == key { return training.store }
    let data = session.data(ofTrial: trial), settings = session.experiment.trials[trial].settings
    training = nil
    let display = display
    let store = try stored(session.folder.patches(key, "training")) {
      display.begin("\(session.graph.label(ofTrial: trial)): preparing the patches of \(data.index.training.count) training images")
      return try PatchStore.prepare(data.index.training, of: data.dataset, .training(settings), threads: session.threads, progress: progress)
    }
    training = (key, store)
    return store
  }

  /// The test set's grid. No draw is made in it, so it is the same for every seed and kept apart from the training patches.
  func test(ofTrial trial: Int, progress: @escaping @Sendable (Int, Int) -> Void) throws -> PatchStore {
    let settings = session.experiment.trials[trial].settings
    let preprocess = session.graph.job(.preprocess, of: trial)!
    let covered = preprocess.settings.filter { $0.key.hasPrefix("preprocess.") || $0.key.hasPrefix("meaning") }
    let key = Fingerprint(of: ["test patches", "\(settings.patches.size)"] + preprocess.inputs + covered.flatMap { [$0.key, $0.value] })
    if let test, test.key == key { return test.store }
    let data = session.data(ofTrial: trial)
    let display = display
    let store = try stored(session.folder.patches(key, "test")) {
      display.begin("\(session.graph.label(ofTrial: trial)): preparing the patches of \(data.index.test.count) test images")
      return try PatchStore.prepare(data.index.test, of: data.dataset, .test(settings), threads: session.threads, progress: progress)
    }
    test = (key, store)
    return store
  }

  /// The store at `path`, or a new one that is put there. A damaged file is made again.
  private func stored(_ path: String, make: () throws -> PatchStore) throws -> PatchStore {
    if FileManager.default.fileExists(atPath: path) {
      if let store = try? PatchStore(contentsOf: path) { return store }
      try? FileManager.default.removeItem(atPath: path)
    }
    let store = try make()
    try DurableFile.makeFolder((path as NSString).deletingLastPathComponent)
    try store.save(to: path)
    // The file's pages can be dropped when memory is short; those of the store that made it cannot.
    return try PatchStore(contentsOf: path)
  }
}
