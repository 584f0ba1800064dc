import Diagnostics
import Files
import Foundation

/// One run at a time in a results folder: an advisory lock of the kernel's, which goes with the process, however it ends. Linux carries it over
/// NFS, so that it holds between machines as well.
final class ResultsLock {
  private let file: Int32

  /// Who holds a lock, as it says of itself in the lock's file.
  struct Holder: Codable, Sendable, CustomStringConvertible {
    var process: Int32
    var host: String
    /// ISO 8601, UTC.
    var since: String
    var command: String

    static func current() -> Holder {
      Holder(
        process: getpid(), host: hostName(), since: Date().formatted(.iso8601),
        command: CommandLine.arguments.map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " "))
    }

    var description: String { "process \(process) on \(host), since \(since): \(command)" }
  }

  /// - Parameters:
  ///   - path: the lock's file, made where it is not there; its folder is too. The file stays: only the lock on it counts.
  ///   - what: what the lock is for, e.g. the results folder's path.
  ///   - isShared: held together with others that share it.
  ///   - waiting: nil: do not wait; else called once with what there is to say before waiting for the other to end.
  /// - Throws: `UserError`: exit 4 where another process holds it, naming it; exit 5 where the file cannot be written. `CancellationError` after a
  ///   signal while waiting.
  init(at path: String, of what: String, isShared: Bool = false, waiting: ((String) -> Void)? = nil) throws {
    try DurableFile.makeFolder(parentFolder(of: path))
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw UserError("\(path): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed) }
    self.file = file
    // From here on `deinit` closes the file.
    var hasSaidSo = false
    while flock(file, (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw UserError("\(path): cannot be locked: \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed)
      }
      let holder = Self.holder(at: path)
      guard let waiting else { throw Self.isHeld(what, by: holder) }
      if !hasSaidSo { waiting("\(what) is locked by another run (\(holder?.description ?? "just starting")): waiting for it to end") }
      hasSaidSo = true
      if Interrupts.signalReceived != nil { throw CancellationError() }
      // Asked again and again, not left to the kernel: a blocking call would be restarted behind a signal.
      usleep(100_000)
    }
    ftruncate(file, 0)
    if let text = try? JSONEncoder().encode(Holder.current()) { _ = text.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) } }
  }

  /// The results folder's own lock.
  convenience init(_ folder: ResultsFolder, waiting: ((String) -> Void)? = nil) throws {
    try self.init(at: folder.lock, of: folder.path, waiting: waiting)
  }

  deinit { close(file) }

  private static func holder(at path: String) -> Holder? {
    (try? Data(contentsOf: URL(fileURLWithPath: path))).flatMap { try? JSONDecoder().decode(Holder.self, from: $0) }
  }

  private static func isHeld(_ what: String, by holder: Holder?) -> UserError {
    guard let holder else {
      return UserError("\(what) is locked by another run, which is just starting", exitCode: .locked, hints: ["wait for it to end with --wait"])
    }
    let stop = holder.host == hostName() ? "stop it (kill -INT \(holder.process))" : "stop it on \(holder.host)"
    return UserError(
      "\(what) is locked by another run (\(holder))", exitCode: .locked, hints: ["wait for it to end with --wait, \(stop), or write elsewhere with --out"])
  }
}

/// This machine's name, asked of the kernel alone.
func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
  return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
