import Diagnostics

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Files that are there whole or not at all, also after a kill or on a full disk.
enum AtomicFile {
  /// Writes `bytes` into a new file beside `path`, then renames it. Throws `UserError` (exit 5), `<path>: …`.
  static func write(_ bytes: [UInt8], to path: String) throws {
    let temporary = "\(path).\(getpid())-\(UInt32.random(in: 0 ... .max)).tmp"
    // "x": never follow or overwrite what someone else put there.
    guard let file = fopen(temporary, "wbx") else { throw failure(path, errno) }
    let written = fwrite(bytes, 1, bytes.count, file)
    var fault = written == bytes.count && fflush(file) == 0 ? 0 : errno
    if fclose(file) != 0, fault == 0 { fault = errno }
    if fault == 0, rename(temporary, path) != 0 { fault = errno }
    if fault != 0 {
      unlink(temporary)
      throw failure(path, fault)
    }
  }

  private static func failure(_ path: String, _ number: Int32) -> UserError {
    UserError("\(path): \(String(cString: strerror(number)))", exitCode: .inputOrOutputFailed)
  }
}
