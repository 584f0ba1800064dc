#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension Double {
  /// Natural logarithm.
  public func logarithm() -> Double { log(self) }
  /// Cosine, in radians.
  public func cosine() -> Double { cos(self) }
  /// Exponential.
  public func exponential() -> Double { exp(self) }
}
