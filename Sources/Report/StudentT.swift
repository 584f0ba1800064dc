import Foundation

/// Student's t of a mean over trainings that differ in their seed (Student, "The probable error of a mean", 1908).
struct StudentT: Equatable {
  var mean: Double
  /// The 95 % confidence interval.
  var low: Double, high: Double
  private var standardError: Double
  private var degrees: Int

  /// nil for fewer than two values, and for values all alike, as whole numbers and those that end at 0 may be: neither says how far others lie.
  init?(_ values: [Double]) {
    guard let mean = values.mean, let deviation = values.sampleDeviation, deviation > 0 else { return nil }
    (self.mean, standardError, degrees) = (mean, deviation / Double(values.count).squareRoot(), values.count - 1)
    let reach = Self.quantile(0.95, degrees: degrees) * standardError
    (low, high) = (mean - reach, mean + reach)
  }

  /// Two-sided p of the true mean being `value`.
  func p(at value: Double) -> Double {
    1 - Self.central(abs(mean - value) / standardError, degrees: degrees)
  }

  /// The share of t's distribution between −t and t (Abramowitz & Stegun 26.7.3 and 26.7.4, exact for whole degrees of freedom).
  static func central(_ t: Double, degrees: Int) -> Double {
    let angle = atan(t / Double(degrees).squareRoot()), cosine = cos(angle)
    let isOdd = degrees % 2 == 1
    // cos θ + 2/3 cos³ θ + 2·4/(3·5) cos⁵ θ + …, or 1 + 1/2 cos² θ + 1·3/(2·4) cos⁴ θ + …: to the power degrees − 2.
    var term = isOdd ? cosine : 1.0, sum = 0.0, power = isOdd ? 1 : 0
    while power <= degrees - 2 {
      sum += term
      power += 2
      term *= cosine * cosine * Double(power - 1) / Double(power)
    }
    return isOdd ? 2 / Double.pi * (angle + sin(angle) * sum) : sin(angle) * sum
  }

  /// The t that holds `share` of the distribution between −t and t.
  static func quantile(_ share: Double, degrees: Int) -> Double {
    var (low, high) = (0.0, 1.0)
    while central(high, degrees: degrees) < share { high *= 2 }
    while high - low > 1e-12 * high {
      let middle = (low + high) / 2
      if central(middle, degrees: degrees) < share { low = middle } else { high = middle }
    }
    return high
  }
}
