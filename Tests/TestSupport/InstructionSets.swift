import CKernels
import Synchronization
import Testing

extension ck_isa: @retroactive CustomTestStringConvertible {
  public var testDescription: String { String(cString: ck_isa_name(self)) }

  /// What this processor can run, the reference first.
  public static let runnable = upTo(ck_isa_best())
  /// Everything runnable but the reference.
  public static let fast = Array(runnable.dropFirst())
  /// Everything runnable, and AMX where the rest of its kernels can run: its tiles are then plain C.
  public static let runnableOrEmulated = tilesAreRunnable ? upTo(CK_ISA_AMX) : runnable
  /// Whether AMX's kernels can run here, on the processor's tiles or on tiles in C.
  public static let tilesAreRunnable = ck_isa_best().rawValue >= CK_ISA_AVX512BF16.rawValue

  private static func upTo(_ last: ck_isa) -> [ck_isa] { (CK_ISA_REFERENCE.rawValue...last.rawValue).map { ck_isa(rawValue: $0) } }

  /// Runs `body` with this instruction set, AMX in plain C where the processor has no tiles. The choice is the whole process's, so bodies
  /// of tests that run at once take turns; suites of other targets are kept out by `WholeProcessor`.
  ///
  /// - Parameter emulating: AMX in plain C although the processor has tiles.
  public func use<T>(emulating: Bool = false, _ body: () throws -> T) rethrows -> T {
    try ck_isa.turn.withLock { _ in
      let emulates = emulating || rawValue > ck_isa_best().rawValue
      if emulates { ck_isa_emulate_amx(1) }
      precondition(ck_isa_select(self) == 0)
      defer {
        if emulates { ck_isa_emulate_amx(0) }
        _ = ck_isa_select(ck_isa_best())
      }
      return try body()
    }
  }

  private static let turn = Mutex(())
}
