import TensorCore

/// A paired bootstrap over images (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, §8.3, §13.3 and §15), to which the error
/// of the seeds is added.
///
/// Each resample draws the scored images with replacement, the same images for both sides, so that how hard an image is cancels. From two seeds
/// of a side on it moves each side's mean by an error as Student's two-sample t has it: the seeds' standard deviation is taken to be the same on
/// both sides, and s, pooled from them, to be as uncertain as its few degrees of freedom make it (s √(ν/χ²ν) z/√n; both sides share the χ²).
/// Drawing seeds with replacement as well would not do: of two or three they spread far too little, and differences were found where there
/// were none much more often than once in twenty. Sides are independent: two networks at one seed share patches and split, but how well a
/// training turns out is its own. So it says how the result would vary with other images and other seeds; where no side has two trainings it can
/// say nothing about others.
struct Bootstrap: Equatable {
  /// Of the two means, as measured.
  var quantity: Double
  /// The percentile interval that holds 95 % of the resampled quantities.
  var low: Double, high: Double
  /// In rising order.
  private var resampled: [Double]

  static let resamples = 10_000
  /// With fewer images a percentile interval is far too narrow to be shown.
  static let fewestImages = 6

  /// - Parameters:
  ///   - sides: of each side its scores `[seed][image]`, the same images in the same order; at least one of each. nil where a seed has not that
  ///     image: one that draws its own validation images.
  ///   - trainings: of each side the mean of every training there is, also of those that are not compared: how far they lie apart. None where
  ///     seeds change nothing. Default: of those that are compared.
  ///   - quantity: of the sides' means.
  init(_ sides: [[[Double?]]], trainings: [[Double]]? = nil, quantity: ([Double]) -> Double) {
    let images = sides[0][0].count
    var random = CounterRandom(seed: 0, purpose: .bootstrap)
    var draws = [Int](repeating: 0, count: images)
    var resampled: [Double] = []
    resampled.reserveCapacity(Self.resamples)
    // Of each image its mean over the seeds that have it, and their share.
    let means = sides.map { seeds in
      (0..<images).map { image in
        let scores = seeds.compactMap { $0[image] }
        return (score: scores.mean ?? 0, share: Double(scores.count) / Double(seeds.count))
      }
    }
    let spread = SeedSpread(of: trainings ?? sides.map { $0.compactMap { $0.compactMap(\.self).mean } }, compared: sides.map(\.count))
    for _ in 0..<Self.resamples {
      for place in draws.indices { draws[place] = random.below(images) }
      let errors = spread?.errors(&random)
      let drawn = means.indices.map { side in
        let (sum, count) = draws.reduce(into: (0.0, 0.0)) { sums, image in
          let mean = means[side][image]
          sums = (sums.0 + mean.share * mean.score, sums.1 + mean.share)
        }
        return sum / count + (errors?[side] ?? 0)
      }
      // A draw of nothing but images that one side's seeds have not.
      if drawn.allSatisfy(\.isFinite) { resampled.append(quantity(drawn)) }
    }
    resampled.sort()
    self.resampled = resampled
    self.quantity = quantity(sides.map { $0.joined().compactMap(\.self).mean! })
    (low, high) = (resampled[resampled.count / 40], resampled[resampled.count - 1 - resampled.count / 40])
  }

  /// Two-sided p of the quantity being `value`: twice the smaller share of resamples on either side of it, at most 1, never 0.
  func p(at value: Double) -> Double {
    let below = resampled.count { $0 <= value }, above = resampled.count { $0 >= value }
    return min(1, 2 * Double(min(below, above) + 1) / Double(resampled.count + 1))
  }
}

/// How far trainings that differ in their seed lie apart, one standard deviation for all sides.
private struct SeedSpread {
  /// Of each side the seeds whose mean it is; nil where seeds change nothing.
  private var counts: [Int?]
  private var deviation: Double
  private var degrees: Int

  /// nil where no side has two trainings.
  init?(of trainings: [[Double]], compared: [Int]) {
    counts = zip(trainings, compared).map { $0.isEmpty ? nil : $1 }
    degrees = trainings.reduce(0) { $0 + max(0, $1.count - 1) }
    if degrees == 0 { return nil }
    var squares = 0.0
    for means in trainings where !means.isEmpty {
      let center = means.reduce(0, +) / Double(means.count)
      for mean in means { squares += (mean - center) * (mean - center) }
    }
    deviation = (squares / Double(degrees)).squareRoot()
  }

  /// One draw: what the mean of each side's seeds may be off by.
  func errors(_ random: inout CounterRandom) -> [Double] {
    var squares = 0.0
    for _ in 0..<degrees {
      let normal = Double(random.normal())
      squares += normal * normal
    }
    let scale = deviation * (Double(degrees) / squares).squareRoot()
    return counts.map { count in
      let normal = Double(random.normal())
      return count.map { scale * normal / Double($0).squareRoot() } ?? 0
    }
  }
}
