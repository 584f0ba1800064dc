/// How far the passes of one side lie from those of the other, by their order alone: the test of Mann and Whitney ("On a test of whether one of two
/// random variables is stochastically larger than the other", 1947), exact, and the interval of Moses that goes with it (Hollander & Wolfe,
/// "Nonparametric Statistical Methods", §4.3); of one side against a number, the sign test and its interval (§3.5).
///
/// A pass that something else on the machine held up is one that came later, however much: no mean or deviation is taken, and no law of errors assumed.
struct RankSum: Equatable {
  /// The interval that holds the true quantity with 95 % at least.
  var low: Double, high: Double
  /// Of each pass of one side with each of the other, ascending.
  private var quantities: [Double]
  /// P(fewer than or as many as so many of them lie on one side of the true quantity).
  private var cumulative: [Double]

  /// nil where so few passes cannot tell, however they lie (three against four).
  /// - Parameters:
  ///   - theirs: passes, or nothing: ours against a number, which `quantity` has then.
  ///   - quantity: rises with the one, falls with the other.
  init?(_ ours: [Double], _ theirs: [Double], quantity: (_ ours: Double, _ theirs: Double) -> Double) {
    self.init(Self.orders(ours.count, theirs.count), ours.flatMap { one in theirs.map { quantity(one, $0) } }.sorted())
  }

  init?(_ ours: [Double], quantity: (Double) -> Double) {
    // Each lies on either side with a chance of one half: the coefficients of (1 + x)ⁿ.
    var ways = [1.0]
    for _ in ours { ways = zip([0] + ways, ways + [0]).map(+) }
    self.init(ways, ours.map(quantity).sorted())
  }

  private init?(_ ways: [Double], _ quantities: [Double]) {
    let all = ways.reduce(0, +)
    var sum = 0.0
    cumulative = ways.map {
      sum += $0
      return sum / all
    }
    self.quantities = quantities
    // As many as may be left out at either end.
    let left = cumulative.prefix { $0 <= 0.025 }.count
    guard left > 0 else { return nil }
    (low, high) = (quantities[left - 1], quantities[quantities.count - left])
  }

  /// Two-sided p of the true quantity being `value`; a pair that lies just there counts for it.
  func p(at value: Double) -> Double {
    let below = quantities.count { $0 <= value }, above = quantities.count { $0 >= value }
    return min(1, 2 * cumulative[min(below, above)])
  }

  /// In how many ways the passes of two sides can follow each other so that u pairs are turned round, u = 0 … m·n: the coefficients of
  /// Π (1 − qⁿ⁺ⁱ) / (1 − qⁱ), i = 1 … m.
  private static func orders(_ m: Int, _ n: Int) -> [Double] {
    var ways = [1.0] + [Double](repeating: 0, count: m * n)
    guard m > 0, n > 0 else { return ways }
    for i in 1...m {
      for u in stride(from: m * n, through: n + i, by: -1) { ways[u] -= ways[u - n - i] }
      for u in i..<max(i, m * n + 1) { ways[u] += ways[u - i] }
    }
    return ways
  }
}
