import Foundation

/// One axis of a plot: data range, place on the sheet, ticks at round numbers.
struct Axis {
  let low: Double, high: Double
  let logarithmic: Bool
  /// Places of `low` and `high` on the sheet, pixels.
  let start: Double, end: Double
  let ticks: [Double]

  func place(_ value: Double) -> Double {
    let share = logarithmic ? (log(value) - log(low)) / (log(high) - log(low)) : (value - low) / (high - low)
    return start + share * (end - start)
  }

  /// As few decimals as tell all ticks apart from each other.
  var labels: [String] {
    let digits = (0...6).first { digits in ticks.allSatisfy { abs($0 * pow(10, Double(digits)) - ($0 * pow(10, Double(digits))).rounded()) < 1e-6 } } ?? 6
    return ticks.map { Numbers.fixed($0, digits) }
  }

  /// Losses: logarithmic where all are positive and the largest is more than three times the smallest, so that the end of a
  /// training, where networks differ, is not pressed flat by its first epoch.
  static func losses(_ values: [Double], start: Double, end: Double) -> Axis {
    let low = values.min() ?? 0, high = values.max() ?? 1
    if low > 0, high > 3 * low {
      let (bottom, top) = (low / 1.08, high * 1.08)
      let candidates: [[Double]] = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7]]
      let ticks = candidates.map { ticksWithin(bottom, top, mantissas: $0) }
      return Axis(low: bottom, high: top, logarithmic: true, start: start, end: end, ticks: ticks.first { $0.count >= 4 } ?? ticks.last!)
    }
    let spread = high > low ? high - low : max(abs(high), 1) * 0.1
    let step = niceStep(spread / 6)
    let bottom = ((low - 0.03 * spread) / step).rounded(.down) * step, top = ((high + 0.03 * spread) / step).rounded(.up) * step
    let ticks = (0...Int(((top - bottom) / step).rounded())).map { bottom + Double($0) * step }
    return Axis(low: bottom, high: top, logarithmic: false, start: start, end: end, ticks: ticks)
  }

  /// Epochs 1…last, half an epoch of air on both sides.
  static func epochs(_ last: Int, start: Double, end: Double) -> Axis {
    let step = max(1, Int(niceStep(Double(last) / 12)))
    var ticks = Array(stride(from: step, through: last, by: step))
    if ticks.first != 1, step > 1 { ticks.insert(1, at: 0) }
    return Axis(low: 0.5, high: Double(last) + 0.5, logarithmic: false, start: start, end: end, ticks: ticks.map(Double.init))
  }

  /// The smallest of 1, 2, 5 · 10ᵏ that is not below `rough`.
  static func niceStep(_ rough: Double) -> Double {
    let power = pow(10, log10(rough).rounded(.down))
    return ([1, 2, 5].first { $0 * power >= rough * (1 - 1e-9) } ?? 10) * power
  }

  private static func ticksWithin(_ low: Double, _ high: Double, mantissas: [Double]) -> [Double] {
    (Int(log10(low).rounded(.down))...Int(log10(high).rounded(.down))).flatMap { power in mantissas.map { $0 * pow(10, Double(power)) } }
      .filter { $0 >= low && $0 <= high }
  }
}
