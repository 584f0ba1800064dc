import Diagnostics
import TensorCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Pages of memory, of their own or of a file. A file's pages are read as they are used and shared by all trials that train on them.
///
/// `@unchecked Sendable`: written only while a `PatchStore` is made, by threads that each own their patches; read-only from then on, and for files.
final class MappedMemory: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  private let isFile: Bool

  /// Zeroed memory, of which only the pages that are written take room. Throws `OutOfMemory`.
  init(byteCount: Int) throws {
    let map = mmap(nil, max(byteCount, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | anonymous | MAP_NORESERVE, -1, 0)
    guard let map, map != MAP_FAILED else { throw OutOfMemory(bytes: byteCount) }
    (base, self.byteCount, isFile) = (map, byteCount, false)
  }

  /// A file's bytes. Throws `UserError` (exit 5).
  init(mapping path: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Disk.failure(path) }
    defer { close(file) }
    var info = stat()
    guard fstat(file, &info) == 0 else { throw Disk.failure(path) }
    let map = mmap(nil, max(Int(info.st_size), 1), PROT_READ, MAP_PRIVATE, file, 0)
    guard let map, map != MAP_FAILED else { throw Disk.failure(path) }
    (base, byteCount, isFile) = (map, Int(info.st_size), true)
  }

  /// Takes a file's bytes off this process's account once they are read: the system may keep them, and brings them again where they
  /// are read again, by whichever thread. Without it, a training over all patches would count them all as its own.
  func release(_ bytes: UnsafeRawBufferPointer) {
    guard isFile, !bytes.isEmpty else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE))), offset = bytes.baseAddress! - UnsafeRawPointer(base), first = offset / page * page
    madvise(base + first, offset + bytes.count - first, MADV_DONTNEED)
  }

  deinit { munmap(base, max(byteCount, 1)) }
}

#if canImport(Darwin)
  private let anonymous = MAP_ANON
#else
  private let anonymous = MAP_ANONYMOUS
#endif
