#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Zeroed float32 memory on a 64-byte boundary (one cache line, one AVX-512 vector), freed with the object.
public final class AlignedBuffer: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Float>
  public let count: Int

  public init(count: Int) {
    self.count = count
    let bytes = (max(count, 16) * MemoryLayout<Float>.stride + 63) & ~63
    var raw: UnsafeMutableRawPointer?
    let failed = posix_memalign(&raw, 64, bytes)
    precondition(failed == 0 && raw != nil, "no memory for \(bytes) bytes")
    memset(raw!, 0, bytes)
    pointer = raw!.bindMemory(to: Float.self, capacity: bytes / MemoryLayout<Float>.stride)
  }

  deinit { free(pointer) }

  public var array: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  public func fill(_ values: [Float]) {
    precondition(values.count == count, "\(values.count) values do not fill \(count)")
    values.withUnsafeBufferPointer { pointer.update(from: $0.baseAddress!, count: count) }
  }
}
