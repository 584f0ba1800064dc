import Diagnostics
import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Writing a file so that, whatever happens, either the old or the new one stands there whole: a temporary file in the
/// same folder, synced, renamed over the name, and the folder synced.
public enum DurableFile {
  /// - Throws: `UserError` (exit 5) naming the path and the system's reason; the temporary file is removed.
  public static func write(_ bytes: some ContiguousBytes, to path: String) throws {
    let temporary = "\(path).\(getpid()).tmp"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("cannot create", path) }
    do {
      try bytes.withUnsafeBytes { buffer in
        var rest = buffer[...]
        while !rest.isEmpty {
          let written = Foundation.write(file, rest.baseAddress!, rest.count)
          if written < 0 && errno == EINTR { continue }
          guard written > 0 else { throw failure("cannot write", path) }
          rest = rest.dropFirst(written)
        }
      }
      guard fsync(file) == 0 else { throw failure("cannot sync", path) }
    } catch {
      close(file)
      unlink(temporary)
      throw error
    }
    guard close(file) == 0 else {
      let error = failure("cannot close", path)
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = failure("cannot rename into place", path)
      unlink(temporary)
      throw error
    }
    let folder = (path as NSString).deletingLastPathComponent
    let handle = open(folder.isEmpty ? "." : folder, O_RDONLY | O_CLOEXEC)
    if handle >= 0 {
      fsync(handle)
      close(handle)
    }
  }

  public static func write(_ text: String, to path: String) throws { try write(Data(text.utf8), to: path) }

  /// Makes a folder and those above it; one that is there already is fine.
  /// - Throws: `UserError` (exit 5).
  public static func makeFolder(_ path: String) throws {
    do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
      throw UserError("\(path): cannot be made: \((error as NSError).localizedDescription)", exitCode: .inputOrOutputFailed)
    }
  }

  private static func failure(_ what: String, _ path: String) -> UserError {
    UserError("\(path): \(what): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed)
  }
}

extension Slice where Base == UnsafeRawBufferPointer {
  fileprivate var baseAddress: UnsafeRawPointer? { base.baseAddress.map { $0 + startIndex } }
}
