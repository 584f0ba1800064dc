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
  /// - Parameter previous: where the old file goes; nil: it goes away. Between the two renames it is there alone.
  /// - Throws: `UserError` (exit 5) naming the path and the system's reason; the temporary file is removed.
  public static func write(_ bytes: some ContiguousBytes, to path: String, keepingOldAs previous: String? = nil) throws {
    try write(to: path, keepingOldAs: previous) { file in try bytes.withUnsafeBytes { try file.append($0) } }
  }

  public static func write(_ text: String, to path: String) throws { try write(Data(text.utf8), to: path) }

  /// The same for a file that is made piece by piece.
  public static func write(to path: String, keepingOldAs previous: String? = nil, _ body: (OpenFile) throws -> Void) throws {
    let temporary = "\(path).\(getpid()).tmp"
    do {
      let file = try OpenFile(temporary, for: path)
      try body(file)
      try file.sync()
      if let previous, rename(path, previous) != 0, errno != ENOENT { throw failure("cannot rename", path) }
      guard rename(temporary, path) == 0 else { throw failure("cannot rename into place", path) }
    } catch {
      unlink(temporary)
      throw error
    }
    try syncFolder(of: path)
  }

  /// Adds to a file's end, synced; where that fails the file is as it was. A last line that was cut off (by a power failure) is ended first.
  /// - Throws: `UserError` (exit 5).
  public static func append(line: Data, to path: String) throws {
    let isNew = access(path, F_OK) != 0
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("cannot open", path) }
    defer { close(file) }
    let end = lseek(file, 0, SEEK_END)
    guard end >= 0 else { throw failure("cannot seek", path) }
    var last = UInt8(ascii: "\n")
    if end > 0, pread(file, &last, 1, end - 1) != 1 { throw failure("cannot read", path) }
    do {
      try (last == UInt8(ascii: "\n") ? line : Data("\n".utf8) + line).withUnsafeBytes { try writeAll($0, to: file, path) }
      guard fsync(file) == 0 else { throw failure("cannot sync", path) }
    } catch {
      ftruncate(file, end)
      throw error
    }
    if isNew { try syncFolder(of: path) }
  }

  /// A file's bytes; nil where there is none.
  /// - Throws: `UserError` (exit 5) where it is there and cannot be read: it is not to be taken for missing.
  public static func contents(of path: String) throws -> Data? { try unlessMissing(path) { try Data(contentsOf: URL(fileURLWithPath: path)) } }

  /// The names in a folder, sorted; none where there is no folder. Throws as `contents`.
  public static func names(in folder: String) throws -> [String] {
    try unlessMissing(folder) { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() } ?? []
  }

  private static func unlessMissing<Content>(_ path: String, _ read: () throws -> Content) throws -> Content? {
    do { return try read() } catch {
      if isMissing(path) { return nil }
      throw UserError("\(path): cannot be read: \((error as NSError).localizedDescription)", exitCode: .inputOrOutputFailed)
    }
  }

  /// Whether there is nothing of that name; not where the system cannot tell (no permission to look, a network file system that fails).
  static func isMissing(_ path: String) -> Bool { access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR) }

  /// Makes a folder and those above it; one that is there already is fine.
  /// - Throws: `UserError` (exit 5).
  public static func makeFolder(_ path: String) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue { return }
    let above = parentFolder(of: path)
    if !above.isEmpty, above != path { try makeFolder(above) }
    // Another process may have made it meanwhile; a file of that name is something else.
    if mkdir(path, 0o777) != 0 {
      let fault = failure("cannot be made", path)
      guard errno == EEXIST, FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else { throw fault }
    }
    try syncFolder(of: path)
  }

  /// Removes a file; one that is not there is fine.
  /// - Throws: `UserError` (exit 5).
  public static func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw failure("cannot remove", path) }
  }

  /// A name that is to outlast a power failure needs its folder on the disk, too.
  /// - Throws: `UserError` (exit 5).
  public static func syncFolder(of path: String) throws {
    let folder = parentFolder(of: path)
    let handle = open(folder.isEmpty ? "." : folder, O_RDONLY | O_CLOEXEC)
    guard handle >= 0 else { throw failure("cannot open the folder of", path) }
    defer { close(handle) }
    // File systems that cannot sync a folder (some network ones) say EINVAL.
    guard fsync(handle) == 0 || errno == EINVAL else { throw failure("cannot sync the folder of", path) }
  }

  fileprivate static func writeAll(_ bytes: UnsafeRawBufferPointer, to file: Int32, _ path: String) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = Foundation.write(file, rest.baseAddress!, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw failure("cannot write", path) }
      rest = rest.dropFirst(written)
    }
  }

  fileprivate static func failure(_ what: String, _ path: String) -> UserError {
    UserError("\(path): \(what): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed)
  }
}

/// A file that is being written and that nobody reads yet.
public final class OpenFile {
  private let file: Int32
  private let path: String

  /// - Parameter path: what messages call it.
  fileprivate init(_ temporary: String, for path: String) throws {
    file = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    self.path = path
    guard file >= 0 else { throw DurableFile.failure("cannot create", path) }
  }

  deinit { if file >= 0 { close(file) } }

  public func append(_ bytes: UnsafeRawBufferPointer) throws { try DurableFile.writeAll(bytes, to: file, path) }

  /// Writes over what stands at `offset` and goes back to the end.
  public func replace(at offset: Int, with bytes: UnsafeRawBufferPointer) throws {
    guard lseek(file, off_t(offset), SEEK_SET) >= 0 else { throw DurableFile.failure("cannot seek", path) }
    try append(bytes)
    guard lseek(file, 0, SEEK_END) >= 0 else { throw DurableFile.failure("cannot seek", path) }
  }

  fileprivate func sync() throws {
    guard fsync(file) == 0 else { throw DurableFile.failure("cannot sync", path) }
  }
}

extension Slice where Base == UnsafeRawBufferPointer {
  fileprivate var baseAddress: UnsafeRawPointer? { base.baseAddress.map { $0 + startIndex } }
}
