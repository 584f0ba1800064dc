import Datasets
import Engine
import ExperimentSpec
import Imaging
import Metrics
import Ops
import Report

/// A segmentation's masks of the images it is scored on, and their scores.
struct Evaluation {
  var scores: [ImageScore]
  var masks: [(image: String, mask: Mask)]

  /// Patches worked at once; what an image has beyond this goes in further rounds.
  static let batch = 8

  /// By a trained network: predicts every patch, merges an image's patches by maximum, thresholds, fills holes, drops small objects, and scores
  /// the mask.
  ///
  /// - Parameters:
  ///   - images: what is scored.
  ///   - patches: their grid.
  ///   - progress: called with the number of images done.
  /// - Throws: `UserError` where the truth of an image cannot be read; `CancellationError` where `shouldStop` says so.
  init(
    _ weights: NetworkWeights, _ settings: TrialSettings, _ images: [DatasetItem], of dataset: any Dataset, _ patches: PatchStore, threads: Int,
    progress: (Int) -> Void, shouldStop: () -> Bool
  ) throws {
    let predictor = try Predictor(
      network: settings.networkConfiguration, weights: weights, height: patches.size, width: patches.size, batch: Self.batch, threads: threads)
    try self.init(settings, images, of: dataset, progress: progress, shouldStop: shouldStop) { source in
      let range = patches.patchRange(source: source)
      return settings.evaluate.mask(of: patches.merged(source: source, predictor.probabilities(patches.images(range), count: range.count)))
    }
  }

  /// Without a network: Otsu's threshold of each prepared image, then the same holes filled, small objects dropped and scores.
  init(
    otsu settings: TrialSettings, _ images: [DatasetItem], of dataset: any Dataset, _ patches: PatchStore, progress: (Int) -> Void, shouldStop: () -> Bool
  ) throws {
    try self.init(settings, images, of: dataset, progress: progress, shouldStop: shouldStop) { source in
      let image = patches.preparedImage(source: source)
      return settings.evaluate.cleaned(image.above(image.otsuThreshold))
    }
  }

  /// - Parameter mask: of the image with this number.
  private init(
    _ settings: TrialSettings, _ images: [DatasetItem], of dataset: any Dataset, progress: (Int) -> Void, shouldStop: () -> Bool, mask: (Int) throws -> Mask
  ) throws {
    (scores, masks) = ([], [])
    for (source, item) in images.enumerated() {
      if shouldStop() { throw CancellationError() }
      let mask = try mask(source), truth = try dataset.truth(item)
      masks.append((item.id, mask))
      scores.append(ImageScore(image: item.id, mask: mask, truth: truth.mask, nuclei: truth.labels, connectivity: settings.evaluate.connectivity))
      progress(source + 1)
    }
  }
}

extension EvaluateSettings {
  /// Probabilities `[H, W]` → mask: above the threshold, small holes filled, small objects dropped.
  func mask(of probabilities: GrayImage) -> Mask {
    cleaned(probabilities.above(Float(threshold)))
  }

  /// The mask with small holes filled and small objects dropped.
  func cleaned(_ mask: Mask) -> Mask {
    mask.fillingHoles(upTo: maximumHole, connectivity: connectivity)
      .droppingObjects(below: minimumObject, connectivity: connectivity)
  }
}

extension ImageScore {
  /// Scores `mask` against both readings of the truth: its connected regions (the paper's), and one object per annotated nucleus (the contest's).
  ///
  /// - Parameter objects: the predicted objects where they are more than the mask's regions: touching nuclei told apart. The paper's reading
  ///   takes the mask's regions all the same.
  init(image: String, mask: Mask, objects: LabelImage? = nil, truth: Mask, nuclei: LabelImage, connectivity: Int) {
    let prediction = mask.connectedRegions(connectivity: connectivity).labels
    let regions = ImageMetrics.score(truth: truth.connectedRegions(connectivity: connectivity).labels, prediction: prediction)
    let annotated = ImageMetrics.score(truth: nuclei, prediction: objects ?? prediction)
    self.init(
      image: image, nuclei: regions.truthObjects, objects: regions.predictedObjects, averageIoU: regions.averageIoU, iouAt050: regions.iouAt050,
      averagePrecision: regions.averagePrecision, contestScore: annotated.contestScore, annotatedNuclei: annotated.truthObjects,
      annotatedAverageIoU: annotated.averageIoU, annotatedIoUAt050: annotated.iouAt050, annotatedAveragePrecision: annotated.averagePrecision,
      contestScoreByRegions: regions.contestScore, empty: regions.isEmpty)
  }
}

extension PatchStore {
  /// Images `[range.count, size, size]` in [0, 1].
  func images(_ range: Range<Int>) -> [Float] {
    let area = size * size
    return [Float](unsafeUninitializedCapacity: range.count * area) { buffer, count in
      for (place, index) in range.enumerated() { copyImage(index, into: buffer.baseAddress! + place * area) }
      count = range.count * area
    }
  }
}

/// A training reads its patches from the mapped file, one at a time.
extension PatchStore: PatchSource {
  public var side: Int { size }
}
