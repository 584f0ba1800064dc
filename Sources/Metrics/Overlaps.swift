import Imaging

/// Which true objects and which predicted objects share pixels, and how many.
///
/// Objects are the distinct labels above 0; labels need not be consecutive. Only pairs that meet are stored, so thousands of
/// objects cost no more than their pixels.
public struct Overlaps: Sendable {
  /// One true and one predicted object that share `pixels` pixels; indices into the area arrays.
  public struct Pair: Sendable, Hashable {
    public var truth: Int
    public var prediction: Int
    public var pixels: Int
  }

  /// Pixels of each object, in ascending order of label.
  public private(set) var truthAreas: [Int] = []
  public private(set) var predictionAreas: [Int] = []
  /// In ascending order of true, then predicted label.
  public private(set) var pairs: [Pair] = []

  /// - Parameters:
  ///   - truth: 0 background, above 0 objects.
  ///   - prediction: likewise, of the same size.
  public init(truth: LabelImage, prediction: LabelImage) {
    precondition(truth.width == prediction.width && truth.height == prediction.height, "truth and prediction differ in size")
    // Neighbouring pixels mostly carry the same two labels: count runs, then sort those few.
    var runs: [(labels: UInt64, pixels: Int)] = []
    var (current, length) = (UInt64(0), 0)
    for i in truth.pixels.indices {
      let labels = UInt64(UInt32(truth.pixels[i])) << 32 | UInt64(UInt32(prediction.pixels[i]))
      if labels == current {
        length += 1
      } else {
        if current != 0 { runs.append((current, length)) }
        (current, length) = (labels, 1)
      }
    }
    if current != 0 { runs.append((current, length)) }
    runs.sort { $0.labels < $1.labels }

    var predictionIndex: [UInt32: Int] = [:]
    for label in Set(runs.map { UInt32(truncatingIfNeeded: $0.labels) }).subtracting([0]).sorted() {
      predictionIndex[label] = predictionIndex.count
    }
    predictionAreas = [Int](repeating: 0, count: predictionIndex.count)
    var lastTruth: UInt32 = 0
    for run in runs {
      let (truth, prediction) = (UInt32(run.labels >> 32), UInt32(truncatingIfNeeded: run.labels))
      if truth != lastTruth {
        truthAreas.append(0)
        lastTruth = truth
      }
      if truth > 0 { truthAreas[truthAreas.count - 1] += run.pixels }
      guard let p = predictionIndex[prediction] else { continue }
      predictionAreas[p] += run.pixels
      if truth == 0 { continue }
      let g = truthAreas.count - 1
      if let last = pairs.last, last.truth == g, last.prediction == p {
        pairs[pairs.count - 1].pixels += run.pixels
      } else {
        pairs.append(Pair(truth: g, prediction: p, pixels: run.pixels))
      }
    }
  }

  /// Pixels that either object of `pair` covers.
  public func union(_ pair: Pair) -> Int { truthAreas[pair.truth] + predictionAreas[pair.prediction] - pair.pixels }
}
