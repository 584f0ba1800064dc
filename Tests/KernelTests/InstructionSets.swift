import CKernels
import Synchronization
import Testing

extension ck_isa: @retroactive CustomTestStringConvertible {
  public var testDescription: String { String(cString: ck_isa_name(self)) }

  /// What this processor can run, the reference first.
  static let runnable = (CK_ISA_REFERENCE.rawValue...ck_isa_best().rawValue).map { ck_isa(rawValue: $0) }
  /// Everything runnable but the reference.
  static let fast = Array(runnable.dropFirst())

  /// Runs `body` with this instruction set. The choice is the whole process's, so bodies of tests that run at once take turns.
  func use<T>(_ body: () throws -> T) rethrows -> T {
    try ck_isa.turn.withLock { _ in
      precondition(ck_isa_select(self) == 0)
      defer { _ = ck_isa_select(ck_isa_best()) }
      return try body()
    }
  }

  private static let turn = Mutex(())
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
