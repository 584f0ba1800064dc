import Foundation
import Synchronization

/// Where the program speaks: results and progress on standard output, diagnostics on standard error.
public struct Console: Sendable {
  /// Whether standard output is a terminal that obeys cursor movements.
  public var isLive: Bool
  /// Whether to colour: never where `NO_COLOR` is set, to anything but a terminal, or to a dumb one.
  public var usesColor: Bool
  /// Cells of a line.
  public var columns: Int
  /// How a run's events and diagnostics are written; what a command was asked for is written as ever.
  public var format: LogFormat
  private let output: @Sendable (String) -> Void
  private let errors: @Sendable (String) -> Void

  public init(
    isLive: Bool = false, usesColor: Bool = false, columns: Int = 80, format: LogFormat = .text, output: @escaping @Sendable (String) -> Void,
    errors: @escaping @Sendable (String) -> Void
  ) {
    (self.isLive, self.usesColor, self.columns, self.format) = (isLive && format == .text, usesColor, columns, format)
    (self.output, self.errors) = (output, errors)
  }

  /// The process's own streams.
  public static func standard(format: LogFormat = .text, environment: [String: String] = ProcessInfo.processInfo.environment) -> Console {
    let isDumb = environment["TERM"] == "dumb"
    let isLive = isatty(STDOUT_FILENO) == 1 && !isDumb
    let noColor = !(environment["NO_COLOR"] ?? "").isEmpty
    return Console(
      isLive: isLive, usesColor: isatty(STDERR_FILENO) == 1 && !noColor && !isDumb, columns: terminalColumns(), format: format,
      output: { write($0, to: STDOUT_FILENO) }, errors: { write($0, to: STDERR_FILENO) })
  }

  /// Writes `text` as it is.
  public func put(_ text: String) { output(text) }
  /// Writes `text` and a line break.
  public func print(_ text: String) { output(text + "\n") }
  public func printError(_ text: String) { errors(text + "\n") }

  /// Standard output could not be written, and not because its reader went away.
  static let hasLostOutput = Mutex(false)

  /// A reader that went away (`| head`) is no reason to stop a training: failing writes are let go.
  private static func write(_ text: String, to file: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      if written < 0, errno == EAGAIN {
        // A pipe that another program has made non-blocking, and whose reader is slow.
        var place = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
        if poll(&place, 1, -1) >= 0 || errno == EINTR { continue }
      }
      guard written > 0 else {
        if file == STDOUT_FILENO, errno != EPIPE { hasLostOutput.withLock { $0 = true } }
        return
      }
      bytes = bytes.dropFirst(written)
    }
  }

  private static func terminalColumns() -> Int {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
