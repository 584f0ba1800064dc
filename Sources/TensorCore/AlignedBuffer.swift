#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Memory that the system refused.
public struct OutOfMemory: Error, CustomStringConvertible {
  /// Asked for.
  public var bytes: Int
  public init(bytes: Int) { self.bytes = bytes }
  public var description: String { "not enough memory: \((bytes + 999_999) / 1_000_000) MB were refused" }
}

/// Zeroed float32 memory on a 64-byte boundary (one cache line, one AVX-512 vector), given back with the object.
///
/// Large buffers are pages of their own: a page costs memory only once it is touched (so that planning a program is free),
/// and the kernel is asked for huge pages, without which the planes of a 256 × 256 level miss the TLB all the time.
public final class AlignedBuffer: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Float>
  public let count: Int
  private let mappedBytes: Int?
  private static let pagesFrom = 1 << 20
  /// Left free beyond every large buffer. The language's own arrays end the process where they are refused, so it is a buffer that must be
  /// refused first.
  private static let roomForArrays = 64 << 20

  /// - Throws: `OutOfMemory`.
  public init(count: Int) throws {
    self.count = count
    let bytes = (max(count, 16) * MemoryLayout<Float>.stride + 63) & ~63
    let raw: UnsafeMutableRawPointer
    if bytes >= Self.pagesFrom {
      let mapped = mmap(nil, bytes + Self.roomForArrays, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
      guard let mapped, mapped != MAP_FAILED else { throw OutOfMemory(bytes: bytes) }
      let pages = (bytes + Int(getpagesize()) - 1) / Int(getpagesize()) * Int(getpagesize())
      munmap(mapped + pages, Self.roomForArrays + bytes - pages)
      #if os(Linux)
        madvise(mapped, bytes, MADV_HUGEPAGE)
      #endif
      (raw, mappedBytes) = (mapped, bytes)
    } else {
      var allocated: UnsafeMutableRawPointer?
      guard posix_memalign(&allocated, 64, bytes) == 0, let allocated else { throw OutOfMemory(bytes: bytes) }
      memset(allocated, 0, bytes)
      (raw, mappedBytes) = (allocated, nil)
    }
    pointer = raw.bindMemory(to: Float.self, capacity: bytes / MemoryLayout<Float>.stride)
  }

  deinit {
    if let mappedBytes { munmap(pointer, mappedBytes) } else { free(pointer) }
  }

  public var array: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  public func fill(_ values: [Float]) {
    precondition(values.count == count, "\(values.count) values do not fill \(count)")
    values.withUnsafeBufferPointer { pointer.update(from: $0.baseAddress!, count: count) }
  }
}
