import CKernels
import TestSupport

extension ck_isa {
  /// Those that add products of bfloat16 to AVX-512: AMX among them, its tiles in plain C where the processor has none.
  static let beyondAVX512 = runnableOrEmulated.filter { $0.rawValue > CK_ISA_AVX512.rawValue }
}

/// Values in [−1, 1), the same for the same seed (a linear congruence is random enough to fill an array).
func samples(_ count: Int, seed: UInt32) -> [Float] {
  var state = seed &* 2_654_435_761 &+ 1
  return (0..<count).map { _ in
    state = state &* 1_664_525 &+ 1_013_904_223
    return Float(state >> 8) * 0x1p-23 - 1
  }
}

/// ‖a − b‖ / ‖b‖ in double.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count)
  var difference = 0.0, norm = 0.0
  for (p, q) in zip(a, b) {
    difference += (Double(p) - Double(q)) * (Double(p) - Double(q))
    norm += Double(q) * Double(q)
  }
  return (difference / max(norm, .leastNormalMagnitude)).squareRoot()
}
