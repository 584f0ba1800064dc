import Datasets
import Engine
import ExperimentSpec
import Imaging
import Synchronization
import TensorCore

/// An image's objects, and the probabilities they were made of.
struct Segmentation {
  /// `[height, width]`, in [0, 1].
  var probabilities: GrayImage
  var mask: Mask
  /// 1…count.
  var labels: LabelImage
  var count: Int
}

/// Finds the objects of images with one trained network: the training's own preprocessing, tiles, threshold and clean-up. Holds a
/// predictor for each thread; images go side by side, or one image's tiles do.
final class Segmenter {
  /// How images are cut and objects told apart, beyond what the model states.
  struct Choices: Sendable, Hashable {
    /// Pixels that tiles overlap; 0: the paper's grid.
    var overlap = 0
    /// Takes touching objects apart whose centres are at least this many pixels from each other; nil: they stay one.
    var splitSpacing: Int?
  }

  let model: TrainedModel
  private let choices: Choices
  var splitsTouching: Bool { choices.splitSpacing != nil }
  private let predictors: [Predictor]
  private let pool: ThreadPool

  /// - Throws: `ShapeError` where the tiles' side does not fit the network.
  init(_ model: TrainedModel, _ choices: Choices, threads: Int) throws {
    (self.model, self.choices) = (model, choices)
    let size = model.settings.patches.size
    predictors = try (0..<threads).map { _ in
      try Predictor(network: model.settings.networkConfiguration, weights: model.weights, height: size, width: size, batch: 1, threads: 1)
    }
    pool = ThreadPool(threads: threads)
  }

  deinit { pool.shutDown() }

  /// Runs `body(task, thread)` for every task, threads side by side; `thread` is what `segment` wants.
  func sideBySide(tasks: Int, _ body: (_ task: Int, _ thread: Int) -> Void) { pool.run(tasks: tasks, body) }

  /// - Parameters:
  ///   - image: grey values in [0, 1].
  ///   - thread: the calling one of `sideBySide`; nil: no other image is being worked at, and the tiles are shared out.
  /// - Throws: `CancellationError` after a signal.
  func segment(_ image: GrayImage, onThread thread: Int?) throws -> Segmentation {
    let settings = model.settings, probabilities = try probabilities(PreparedImage(image, settings.preprocess), onThread: thread)
    let mask = settings.evaluate.mask(of: probabilities)
    var (labels, count) = mask.connectedRegions(connectivity: settings.evaluate.connectivity)
    if let spacing = choices.splitSpacing {
      (labels, count) = labels.splitByDistance(count: count, spacing: spacing, connectivity: settings.evaluate.connectivity)
    }
    return Segmentation(probabilities: probabilities, mask: mask, labels: labels, count: count)
  }

  private func probabilities(_ image: PreparedImage, onThread thread: Int?) throws -> GrayImage {
    let settings = model.settings, size = settings.patches.size
    let tiling = Tiling(height: image.height, width: image.width, size: size, overlap: choices.overlap, alignment: 1 << (settings.model.depth - 1))
    let merged = Mutex(tiling.blank)
    func predict(_ tile: Int, _ thread: Int) {
      if Interrupts.signalReceived != nil { return }
      let patch = [Float](unsafeUninitializedCapacity: size * size) { patch, count in
        image.copyPatch(tiling.origins[tile], size: size, into: patch.baseAddress!)
        count = size * size
      }
      let values = predictors[thread].probabilities(patch, count: 1)
      merged.withLock { tiling.merge(values, at: tiling.origins[tile], into: &$0) }
    }
    if let thread {
      for tile in tiling.origins.indices { predict(tile, thread) }
    } else {
      pool.run(tasks: tiling.origins.count, predict)
    }
    if Interrupts.signalReceived != nil { throw CancellationError() }
    return merged.withLock { $0 }
  }
}
