import Imaging

/// How well one image's predicted objects agree with its true ones; fractions in [0, 1].
///
/// The paper's definitions (Long 2020, "Evaluation"): for each T of `thresholds`, a true object whose best IoU is *above* T is a true
/// positive and scores that IoU; any other is a false negative and scores 0.
public struct ImageMetrics: Sendable, Hashable {
  /// 0.50, 0.55 … 0.95.
  public static let thresholds: [Double] = (10..<20).map { Double($0) / 20 }

  public var truthObjects: Int
  public var predictedObjects: Int
  /// Mean over the true objects and over all ten T: the paper's average IoU of an image.
  public var averageIoU: Double
  /// Mean over the true objects at T = 0.5 alone.
  public var iouAt050: Double
  /// Mean over T of TP / (TP + FN + FP), where FP counts the predictions whose IoU with *every* true object is 0: the paper's precision.
  public var averagePrecision: Double
  /// The same where FP counts the predictions that match no true object above T: the 2018 Data Science Bowl's score.
  public var contestScore: Double

  /// Neither true nor predicted objects: the scores (here 0) mean nothing, and the image is left out of every mean and counted.
  public var isEmpty: Bool { truthObjects == 0 && predictedObjects == 0 }

  /// Scores `prediction` against `truth`, both 0 for background and above 0 for objects, of the same size.
  ///
  /// Where one side has no objects and the other has, all scores are 0.
  public static func score(truth: LabelImage, prediction: LabelImage) -> ImageMetrics {
    score(Overlaps(truth: truth, prediction: prediction))
  }

  /// Scores from a table of overlaps already made.
  public static func score(_ overlaps: Overlaps) -> ImageMetrics {
    let (truths, predictions) = (overlaps.truthAreas.count, overlaps.predictionAreas.count)
    var metrics = ImageMetrics(
      truthObjects: truths, predictedObjects: predictions, averageIoU: 0, iouAt050: 0, averagePrecision: 0, contestScore: 0)
    var touched = [Bool](repeating: false, count: predictions)
    for pair in overlaps.pairs { touched[pair.prediction] = true }
    let untouched = touched.reduce(0) { $0 + ($1 ? 0 : 1) }

    for twentieths in 10..<20 {
      // Above T ≥ 0.5 a pair has more than half of either object to itself, so no object is in two such pairs. In whole numbers,
      // because an IoU of exactly T is not above it: 20 · intersection > twentieths · union.
      let matches = overlaps.pairs.filter { 20 * $0.pixels > twentieths * overlaps.union($0) }
      let iou = matches.reduce(0.0) { $0 + Double($1.pixels) / Double(overlaps.union($1)) } / Double(max(truths, 1))
      let hits = matches.count
      if twentieths == 10 { metrics.iouAt050 = iou }
      metrics.averageIoU += iou
      metrics.averagePrecision += Double(hits) / Double(max(truths + untouched, 1))
      metrics.contestScore += Double(hits) / Double(max(truths + predictions - hits, 1))
    }
    metrics.averageIoU /= 10
    metrics.averagePrecision /= 10
    metrics.contestScore /= 10
    return metrics
  }
}

/// m ± s over images.
public struct Spread: Sendable, Hashable {
  public var count: Int
  public var mean: Double
  /// Of the population, √(Σ(x − mean)² / count), as numpy's `std` gives it by default.
  public var standardDeviation: Double

  /// nil where there are no values.
  public init?(_ values: [Double]) {
    if values.isEmpty { return nil }
    count = values.count
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    standardDeviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
  }

  /// Over the images that are not empty.
  public init?(of images: [ImageMetrics], _ metric: (ImageMetrics) -> Double) {
    self.init(images.filter { !$0.isEmpty }.map(metric))
  }
}
