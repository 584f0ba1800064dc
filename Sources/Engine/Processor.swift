import CKernels
import Foundation
import Ops
import TensorCore

#if canImport(Glibc)
  import Glibc
#endif

/// The processor and what this process may use of it.
public enum Processor {
  /// The instruction set in use for a precision: `reference`, `baseline`, `avx2` or `avx512`; for bf16 also `avx512bf16` and `amx`,
  /// which add nothing to float32.
  public static func instructionSet(for precision: Precision) -> String {
    let isa = ck_isa_current()
    return String(cString: ck_isa_name(precision == .f32 && isa.rawValue > CK_ISA_AVX512.rawValue ? CK_ISA_AVX512 : isa))
  }
  /// The matrix library in use beside it, e.g. `openblas-0.3.21-SkylakeX`, or `none`.
  public static var matrixLibrary: String { String(cString: ck_conv_library()) }
  /// All that decides the bits of a computation besides the computation: instruction set and matrix library.
  public static func arithmetic(for precision: Precision) -> String {
    let instructionSet = instructionSet(for: precision), library = matrixLibrary
    return library == "none" ? instructionSet : "\(instructionSet)+\(library)"
  }
  /// Those this processor can run, in rising order.
  public static var available: [String] { (0...ck_isa_best().rawValue).map { String(cString: ck_isa_name(ck_isa($0))) } }

  /// Forces an instruction set.
  /// - Returns: false where this processor does not have it or the name is unknown.
  public static func select(instructionSet name: String) -> Bool {
    guard let index = available.firstIndex(of: name) else { return false }
    return ck_isa_select(ck_isa(UInt32(index))) == 0
  }

  public static let name: String = {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return "unknown processor" }
    for line in text.split(separator: "\n") where line.hasPrefix("model name") {
      return line.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
    }
    return "unknown processor"
  }()

  /// Cores this process may use: its affinity, and its control groups' quota rounded up.
  public static let cores = ProcessLimits.current.cores

  /// Resident memory of this process now, megabytes (10⁶ bytes); 0 where the system does not tell.
  public static var residentMegabytes: Double { statusMegabytes("VmRSS:") ?? 0 }

  /// Largest resident memory of this process so far, megabytes (10⁶ bytes).
  public static var peakResidentMegabytes: Double {
    // Not getrusage's on Linux: that goes on from the process that started this one, and is never set back.
    if let peak = statusMegabytes("VmHWM:") { return peak }
    var usage = rusage()
    #if os(Linux)
      getrusage(0, &usage)  // RUSAGE_SELF; in kilobytes
      return Double(usage.ru_maxrss) * 1024 / 1e6
    #else
      getrusage(RUSAGE_SELF, &usage)
      return Double(usage.ru_maxrss) / 1e6
    #endif
  }

  /// A line of Linux's account of this process, "VmRSS:	   1234 kB".
  private static func statusMegabytes(_ name: String) -> Double? {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) })
    else { return nil }
    return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }.map { $0 * 1024 / 1e6 }
  }
}

extension ThreadPool {
  /// For the engine's work: denormals, which cost hundreds of cycles each, count as 0 in every task, whichever thread runs it.
  static func computing(threads: Int) -> ThreadPool {
    ThreadPool(threads: threads) { work in
      let before = ck_flush_denormals()
      work()
      ck_restore_denormals(before)
    }
  }
}
