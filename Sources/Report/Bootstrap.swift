import TensorCore

/// A paired bootstrap over images (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, §8.3, §13.3 and §15), to which the error
/// of the seeds is added.
///
/// Each resample draws the scored images with replacement, the same images for both sides, so that how hard an image is cancels. From two seeds
/// of a side on it moves each side's mean by an error as Student's two-sample t has it: the seeds' standard deviation is taken to be the same on
/// both sides, and s, pooled from them, to be as uncertain as its few degrees of freedom make it (s √(ν/χ²ν) z/√n; both sides share the χ²).
/// Drawing seeds with replacement as well would not do: of two or three they spread far too little, and differences were found where there
/// were none much more often than once in twenty. Sides are independent: two networks at one seed share patches and split, but how well a
/// training turns out is its own. So it says how the result would vary with other images and other seeds; where each side has one seed it can
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
  ///   - sides: of each side its scores `[seed][image]`, the same images in the same order; at least one of each.
  ///   - quantity: of the sides' means.
  init(_ sides: [[[Double]]], quantity: ([Double]) -> Double) {
    let images = sides[0][0].count
    var random = CounterRandom(seed: 0, purpose: .bootstrap)
    var draws = [Int](repeating: 0, count: images)
    var resampled: [Double] = []
    resampled.reserveCapacity(Self.resamples)
    let means = sides.map { seeds in (0..<images).map { image in seeds.reduce(0) { $0 + $1[image] } / Double(seeds.count) } }
    let spread = SeedSpread(sides)
    for _ in 0..<Self.resamples {
      for place in draws.indices { draws[place] = random.below(images) }
      let errors = spread?.errors(&random)
      resampled.append(
        quantity(means.indices.map { side in draws.reduce(0) { $0 + means[side][$1] } / Double(images) + (errors?[side] ?? 0) }))
    }
    resampled.sort()
    self.resampled = resampled
    self.quantity = quantity(sides.map { $0.joined().reduce(0, +) / Double(images * $0.count) })
    (low, high) = (resampled[Self.resamples / 40], resampled[Self.resamples - 1 - Self.resamples / 40])
  }

  /// Two-sided p of the quantity being `value`: twice the smaller share of resamples on either side of it, at most 1, never 0.
  func p(at value: Double) -> Double {
    let below = resampled.count { $0 <= value }, above = resampled.count { $0 >= value }
    return min(1, 2 * Double(min(below, above) + 1) / Double(Self.resamples + 1))
  }
}

/// How far trainings that differ in their seed lie apart, one standard deviation for all sides.
private struct SeedSpread {
  private var counts: [Int]
  private var deviation: Double
  private var degrees: Int

  /// nil where no side has two seeds.
  init?(_ sides: [[[Double]]]) {
    counts = sides.map(\.count)
    degrees = counts.reduce(0) { $0 + $1 - 1 }
    if degrees == 0 { return nil }
    var squares = 0.0
    for seeds in sides {
      let means = seeds.map { $0.reduce(0, +) / Double($0.count) }, center = means.reduce(0, +) / Double(means.count)
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
    return counts.map { scale * Double(random.normal()) / Double($0).squareRoot() }
  }
}
