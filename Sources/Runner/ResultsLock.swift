import Diagnostics
import Files
import Foundation

/// One run at a time in a results folder: an advisory lock that the system lets go of when the process ends, however it ends.
final class ResultsLock {
  private let file: Int32

  /// Throws `UserError`: exit 4 where another run holds it, naming its process; exit 5 where the folder cannot be written.
  init(_ folder: ResultsFolder) throws {
    try DurableFile.makeFolder(folder.cache)
    let path = "\(folder.cache)/lock"
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw UserError("\(path): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      var holder = [UInt8](repeating: 0, count: 32)
      let length = read(file, &holder, holder.count)
      close(file)
      let process = length > 0 ? String(decoding: holder.prefix(length), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) : "unknown"
      throw UserError(
        "\(folder.path) is locked by another run (process \(process))", exitCode: .locked,
        hints: ["wait for it to end, stop it (kill -INT \(process)), or write elsewhere with --out"])
    }
    ftruncate(file, 0)
    let text = "\(getpid())\n"
    _ = text.withCString { write(file, $0, strlen($0)) }
  }

  deinit { close(file) }
}
