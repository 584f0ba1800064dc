import Foundation
import TensorCore
import Testing

@testable import Engine

/// The loss with weights other than the paper's 1 and 1: its value by its formula in double, its gradient by the value.
@Suite struct LossTests {
  typealias Weights = (bceWeight: Double, diceSmooth: Double)
  static let weights: [Weights] = [(1, 1), (0.5, 1), (2, 0.1), (0, 1)]

  /// - Parameter share: of the foreground.
  private static func sample(_ count: Int, share: Float) -> (logits: [Float], mask: [UInt8]) {
    var random = CounterRandom(seed: 1, purpose: .testing, sample: count)
    let logits: [Float] = (0..<count).map { _ in 2 * random.normal() }, mask: [UInt8] = (0..<count).map { _ in random.uniform() < share ? 1 : 0 }
    return (logits, mask)
  }

  private static func computed(_ weights: Weights, _ logits: [Float], _ mask: [UInt8], scale: Double = 1) -> (value: Double, gradient: [Float]) {
    var gradient = [Float](repeating: .nan, count: logits.count), scratch = gradient
    let value = SegmentationLoss(bceWeight: weights.bceWeight, diceSmooth: weights.diceSmooth).evaluate(
      logits: logits, mask: mask, count: logits.count, gradient: &gradient, scale: scale, probabilities: &scratch)
    return (value, gradient)
  }

  /// λ_BCE · mean BCE − log((2Σpy + s)/(Σp + Σy + s)).
  private static func formula(_ weights: Weights, _ logits: [Double], _ mask: [UInt8]) -> Double {
    var entropy = 0.0, overlap = 0.0, sum = 0.0
    for (z, m) in zip(logits, mask) {
      let y = Double(m), p = 1 / (1 + exp(-z))
      entropy += max(z, 0) - z * y + log1p(exp(-abs(z)))
      overlap += p * y
      sum += p + y
    }
    return weights.bceWeight * entropy / Double(logits.count) - log((2 * overlap + weights.diceSmooth) / (sum + weights.diceSmooth))
  }

  /// Fewer pixels than a row of sums, just a row, rows the last of which is short; nothing, something, everything in the foreground.
  @Test(arguments: weights, [Float(0), 0.3, 1]) func theValueIsTheFormulas(_ weights: Weights, share: Float) {
    for count in [1, 20, 256, 700] {
      var (logits, mask) = Self.sample(count, share: share)
      // Where e⁻ᶻ alone would overflow.
      if count > 20 { (logits[3], logits[17]) = (120, -120) }
      let found = Self.computed(weights, logits, mask, scale: 0.25).value, exact = Self.formula(weights, logits.map(Double.init), mask)
      #expect(abs(found - exact) <= 2e-6 * max(1, abs(exact)), "\(count) pixels: \(found) and \(exact)")
    }
  }

  /// Of few pixels, so that each moves the value by more than float32 leaves of it.
  @Test(arguments: weights, [Float(0), 0.3, 1]) func theGradientIsTheValuesSlope(_ weights: Weights, share: Float) {
    let (logits, mask) = Self.sample(20, share: share), scale = 0.25
    let gradient = Self.computed(weights, logits, mask, scale: scale).gradient, largest = Double(gradient.reduce(0) { max($0, abs($1)) })
    for i in logits.indices {
      var up = logits, down = logits
      (up[i], down[i]) = (up[i] + 0x1p-6, down[i] - 0x1p-6)
      let slope = (Self.computed(weights, up, mask).value - Self.computed(weights, down, mask).value) / (Double(up[i]) - Double(down[i]))
      #expect(abs(scale * slope - Double(gradient[i])) <= 1e-3 * largest, "pixel \(i): \(scale * slope) and \(gradient[i])")
    }
    #expect(largest > 1e-4)
  }

  /// Of many pixels, at the ends of rows: against the formula, whose value is exact enough.
  @Test(arguments: weights, [Float(0), 0.3, 1]) func theGradientIsTheFormulasSlope(_ weights: Weights, share: Float) {
    let (logits, mask) = Self.sample(700, share: share), exact = logits.map(Double.init)
    let gradient = Self.computed(weights, logits, mask, scale: 0.25).gradient, largest = Double(gradient.reduce(0) { max($0, abs($1)) })
    for i in [0, 1, 255, 256, 511, 512, 699] {
      var up = exact, down = exact
      (up[i], down[i]) = (up[i] + 1e-4, down[i] - 1e-4)
      let slope = (Self.formula(weights, up, mask) - Self.formula(weights, down, mask)) / 2e-4
      #expect(abs(0.25 * slope - Double(gradient[i])) <= 1e-5 * largest, "pixel \(i): \(0.25 * slope) and \(gradient[i])")
    }
  }

  @Test(arguments: weights) func theValueAloneIsTheSame(_ weights: Weights) {
    let (logits, mask) = Self.sample(700, share: 0.3)
    var scratch = [Float](repeating: .nan, count: 700)
    let alone = SegmentationLoss(bceWeight: weights.bceWeight, diceSmooth: weights.diceSmooth).evaluate(
      logits: logits, mask: mask, count: 700, gradient: nil, scale: 0.25, probabilities: &scratch)
    #expect(alone == Self.computed(weights, logits, mask).value)
  }
}
