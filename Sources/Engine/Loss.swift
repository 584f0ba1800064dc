import TensorCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The paper's loss, λ_BCE · BCE − log Dice, of one sample; a batch's loss is the mean over its samples.
///
/// BCE is the mean over pixels; Dice = (2Σpy + s)/(Σp + Σy + s) with p = sigmoid(logit).
struct SegmentationLoss {
  var bceWeight: Double
  var diceSmooth: Double

  /// - Parameters:
  ///   - logits, mask: `count` pixels each.
  ///   - gradient: receives ∂(scale · loss)/∂logit; nil where only the value is wanted.
  /// - Returns: the sample's loss (without `scale`).
  func evaluate(
    logits: UnsafePointer<Float>, mask: UnsafePointer<UInt8>, count: Int, gradient: UnsafeMutablePointer<Float>?, scale: Double,
    probabilities: UnsafeMutablePointer<Float>
  ) -> Double {
    var entropy = 0.0, overlap = 0.0, predicted = 0.0, truth = 0
    // Rows of 256 pixels: float sums stay accurate, and Σ log(1 + e) becomes one logarithm of a product (each factor ≤ 2).
    for start in stride(from: 0, to: count, by: 256) {
      var product = 1.0, linear: Float = 0, rowOverlap: Float = 0, rowPredicted: Float = 0, rowTruth = 0
      for i in start..<min(start + 256, count) {
        let z = logits[i], y = mask[i]
        let e = expf(-abs(z)), inverse = 1 / (1 + e)
        let p = z >= 0 ? inverse : e * inverse
        product *= Double(1 + e)
        linear += max(z, 0)
        rowPredicted += p
        if y != 0 {
          linear -= z
          rowOverlap += p
          rowTruth += 1
        }
        probabilities[i] = p
      }
      entropy += log(product) + Double(linear)
      overlap += Double(rowOverlap)
      predicted += Double(rowPredicted)
      truth += rowTruth
    }
    let numerator = 2 * overlap + diceSmooth, denominator = predicted + Double(truth) + diceSmooth
    if let gradient {
      let bce = Float(scale * bceWeight / Double(count))
      let background = Float(scale / denominator), foreground = Float(scale / denominator - 2 * scale / numerator)
      for i in 0..<count {
        let p = probabilities[i], isForeground = mask[i] != 0
        gradient[i] = bce * (isForeground ? p - 1 : p) + (isForeground ? foreground : background) * p * (1 - p)
      }
    }
    return bceWeight * entropy / Double(count) - log(numerator / denominator)
  }
}

/// 1/(1 + e⁻ᶻ), element by element.
func sigmoid(_ logits: UnsafePointer<Float>, into probabilities: UnsafeMutablePointer<Float>, count: Int) {
  for i in 0..<count {
    let e = expf(-abs(logits[i])), inverse = 1 / (1 + e)
    probabilities[i] = logits[i] >= 0 ? inverse : e * inverse
  }
}
