import Foundation

/// How far the passes of one side lie from those of the other, by their order alone: the test of Mann and Whitney ("On a test of whether one of two
/// random variables is stochastically larger than the other", 1947), the estimate of Hodges and Lehmann and the interval of Moses that go with it
/// (Hollander & Wolfe, "Nonparametric Statistical Methods", §4.1 to 4.3); of one side against a number the sign test, with its own (§3.4 to 3.6).
///
/// A pass that something else on the machine held up is one that came later, however much: no mean or deviation is taken, and no law of errors
/// assumed, but that passes of one side are independent.
struct RankSum: Equatable {
  /// The median of all pairs.
  let estimate: Double
  /// The interval that holds the true quantity with 95 % at least.
  let low: Double, high: Double
  /// The least that `p(at:)` can be with so many passes.
  var leastP: Double { 2 * cumulative[0] }
  /// Of each pass of one side with each of the other, ascending.
  private let quantities: [Double]
  /// P(fewer than or as many as so many of them lie on one side of the true quantity).
  private let cumulative: [Double]

  /// nil where so few passes cannot tell, however they lie (three against three).
  /// - Parameter quantity: rises with the one, falls with the other.
  init?(_ ours: [Double], _ theirs: [Double], quantity: (_ ours: Double, _ theirs: Double) -> Double) {
    let (m, n) = (Double(ours.count), Double(theirs.count))
    let spread = (m * n * (m + n + 1) / 12).squareRoot()
    self.init(
      ours.flatMap { one in theirs.map { quantity(one, $0) } }.sorted(),
      ours.count + theirs.count <= Self.mostExact ? Self.exact(Self.orders(ours.count, theirs.count)) : Self.normal(ours.count * theirs.count, spread))
  }

  init?(_ ours: [Double], quantity: (Double) -> Double) {
    let cumulative: [Double]
    if ours.count <= Self.mostExact {
      // Each lies on either side with a chance of one half: the coefficients of (1 + x)ⁿ.
      var ways = [1.0]
      for _ in ours { ways = zip([0] + ways, ways + [0]).map(+) }
      cumulative = Self.exact(ways)
    } else {
      cumulative = Self.normal(ours.count, Double(ours.count).squareRoot() / 2)
    }
    self.init(ours.map(quantity).sorted(), cumulative)
  }

  private init?(_ quantities: [Double], _ cumulative: [Double]) {
    // As many as may be left out at either end.
    let left = cumulative.prefix { $0 <= 0.025 }.count
    guard left > 0, let estimate = quantities.median else { return nil }
    (self.quantities, self.cumulative, self.estimate) = (quantities, cumulative, estimate)
    (low, high) = (quantities[left - 1], quantities[quantities.count - left])
  }

  /// Two-sided p of the true quantity being `value`; a pair that lies just there counts for it.
  func p(at value: Double) -> Double {
    let below = quantities.count { $0 <= value }, above = quantities.count { $0 >= value }
    return min(1, 2 * cumulative[min(below, above)])
  }

  // MARK: Chances, should both sides be alike

  /// Beyond it the normal law is as good, and the exact one slow and at last too large for a number.
  private static let mostExact = 200

  private static func exact(_ ways: [Double]) -> [Double] {
    let all = ways.reduce(0, +)
    var sum = 0.0
    return ways.map {
      sum += $0
      return sum / all
    }
  }

  private static func normal(_ count: Int, _ deviation: Double) -> [Double] {
    (0...count).map { erfc((Double(count) / 2 - Double($0) - 0.5) / deviation / 2.0.squareRoot()) / 2 }
  }

  /// In how many ways the passes of two sides can follow each other so that u pairs are turned round, u = 0 … m·n: the coefficients of
  /// Π (1 − qⁿ⁺ⁱ) / (1 − qⁱ), i = 1 … m. They read the same from both ends; only the lower half is computed, where nothing cancels.
  private static func orders(_ m: Int, _ n: Int) -> [Double] {
    let pairs = m * n, half = pairs / 2
    var ways = [1.0] + [Double](repeating: 0, count: half)
    for i in stride(from: 1, through: m, by: 1) {
      for u in stride(from: half, through: n + i, by: -1) { ways[u] -= ways[u - n - i] }
      for u in stride(from: i, through: half, by: 1) { ways[u] += ways[u - i] }
    }
    return (0...pairs).map { ways[min($0, pairs - $0)] }
  }
}
