import TensorCore

/// A hierarchical, paired bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, §8.3, §13.3 and §15).
///
/// Each resample draws the scored images with replacement, the same images for both sides, so that how hard an image is cancels; and for
/// each side, from two seeds on, n − 1 of that side's n seeds with replacement: n of so few would spread too little, by (n − 1)/n (Rao & Wu,
/// "Resampling inference with complex survey data", 1988). Seeds are drawn for each side by itself: two networks at one seed share patches and
/// split, but how well a training turns out is its own. So it says how the result would vary with other images and other seeds; of a side with
/// one seed it can say nothing about others.
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
    for _ in 0..<Self.resamples {
      for place in draws.indices { draws[place] = random.below(images) }
      let means = sides.map { seeds in
        let drawn = seeds.count == 1 ? seeds : seeds.dropFirst().map { _ in seeds[random.below(seeds.count)] }
        return drawn.reduce(0) { sum, scores in draws.reduce(sum) { $0 + scores[$1] } } / Double(images * drawn.count)
      }
      resampled.append(quantity(means))
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
