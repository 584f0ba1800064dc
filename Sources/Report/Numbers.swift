import Foundation

/// Numbers as text, the same on every machine: no locale, no negative zero, nothing for what is not a number.
enum Numbers {
  /// The shortest text that reads back as the same number; whole numbers without `.0`, empty where not finite.
  static func shortest(_ value: Double) -> String {
    guard value.isFinite else { return "" }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
    return "\(value)"
  }

  /// `digits` decimals with a typographic minus; "–" where not finite.
  static func fixed(_ value: Double?, _ digits: Int) -> String {
    guard let value, value.isFinite else { return "–" }
    let text = String(format: "%.\(digits)f", abs(value))
    return (value < 0 && text.contains { $0 != "0" && $0 != "." } ? "−" : "") + text
  }

  /// As `fixed`, with a plus before what is above zero: for differences.
  static func signed(_ value: Double?, _ digits: Int) -> String {
    let text = fixed(value, digits)
    guard let value, value > 0, text.contains(where: { $0 != "0" && $0 != "." }) else { return text }
    return "+" + text
  }

  /// A whole number in groups of three: `1,941,093`.
  static func grouped(_ value: Int) -> String {
    var text = ""
    for (place, digit) in String(value.magnitude).reversed().enumerated() {
      if place > 0, place % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (value < 0 ? "−" : "") + String(text.reversed())
  }
}

extension Collection where Element == Double {
  /// Arithmetic mean; nil where there is nothing to average.
  var mean: Double? { isEmpty ? nil : reduce(0, +) / Double(count) }

  /// Population standard deviation, divisor n: the spread of exactly these images.
  var populationDeviation: Double? {
    mean.map { m in (reduce(0) { $0 + ($1 - m) * ($1 - m) } / Double(count)).squareRoot() }
  }

  /// Sample standard deviation, divisor n − 1: seeds stand for all the seeds there are; nil for fewer than two.
  var sampleDeviation: Double? {
    guard count > 1, let m = mean else { return nil }
    return (reduce(0) { $0 + ($1 - m) * ($1 - m) } / Double(count - 1)).squareRoot()
  }

  /// The middle value, or the mean of the two in the middle.
  public var median: Double? {
    guard !isEmpty else { return nil }
    let sorted = sorted(), half = count / 2
    return count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
  }
}
