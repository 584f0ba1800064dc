import Diagnostics

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One spec file's bytes, checked to be text that YAML can hold.
struct SourceFile: Sendable {
  /// As the user named it (a base: joined to the file that extends it).
  var path: String
  var bytes: [UInt8]
  /// Without their endings, split where libyaml counts lines.
  var lines: [String]

  static let maximumBytes = 1 << 20

  /// - Throws: `UserError`, exit code 5, where there is no such file or it cannot be read; 2 where it is too long or not text.
  init(path: String) throws(UserError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.unreadable(path, errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= Self.maximumBytes {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Self.unreadable(path, errno) }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    try self.init(path: path, bytes: bytes)
  }

  init(path: String, bytes: [UInt8]) throws(UserError) {
    (self.path, self.bytes) = (path, bytes)
    // Decoding with repair is safe for a binary file too: its one diagnostic shows a line of replacement characters.
    lines = Self.lines(of: String(decoding: bytes.prefix(Self.maximumBytes), as: UTF8.self))
    guard bytes.count <= Self.maximumBytes else {
      throw UserError("\(path): longer than 1 MiB: not an experiment", exitCode: .badCommandOrSpec)
    }
    if let (fault, location) = Self.firstFault(in: bytes, path: path) { throw error(fault, at: location) }
  }

  private static func unreadable(_ path: String, _ code: Int32) -> UserError {
    UserError("\(path): \(String(cString: strerror(code)))", exitCode: .inputOrOutputFailed)
  }

  func error(_ message: String, at location: SourceLocation, hints: [String] = []) -> UserError {
    UserError([Diagnostic(.error, message, at: location, sourceLine: line(location.line), hints: hints)], exitCode: .badCommandOrSpec)
  }

  func line(_ number: Int) -> String? { lines.indices.contains(number - 1) ? lines[number - 1] : nil }

  /// Splits where libyaml does: CR LF, LF, CR, NEL, LS, PS.
  private static func lines(of text: String) -> [String] {
    var lines = [String.UnicodeScalarView()]
    var previous: Unicode.Scalar = " "
    for scalar in text.unicodeScalars.dropFirst(text.unicodeScalars.first == "\u{FEFF}" ? 1 : 0) {
      switch scalar {
      case "\n" where previous == "\r": break
      case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": lines.append(.init())
      default: lines[lines.count - 1].append(scalar)
      }
      previous = scalar
    }
    return lines.map(String.init)
  }

  /// The first place that no YAML file may hold: bytes that are not UTF-8, NUL, control characters, a byte-order mark but at the beginning
  /// (YAML 1.2.2, §5.1 and §5.2).
  private static func firstFault(in bytes: [UInt8], path: String) -> (String, SourceLocation)? {
    var decoder = UTF8()
    var iterator = bytes.dropFirst(bytes.starts(with: "\u{FEFF}".utf8) ? 3 : 0).makeIterator()
    var line = 1, column = 1
    var afterReturn = false
    while true {
      let place = SourceLocation(file: path, line: line, column: column)
      switch decoder.decode(&iterator) {
      case .emptyInput: return nil
      case .error: return ("not UTF-8 text", place)
      case .scalarValue(let scalar):
        switch scalar {
        case "\n" where afterReturn: break
        case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": (line, column) = (line + 1, 1)
        case "\0": return ("not text: a NUL byte", place)
        case "\t", " "..."~", "\u{A0}"..."\u{D7FF}", "\u{E000}"..."\u{FEFE}", "\u{FF00}"..."\u{FFFD}", "\u{10000}"..."\u{10FFFF}": column += 1
        default: return ("not text: the control character U+\(String(scalar.value, radix: 16, uppercase: true))", place)
        }
        afterReturn = scalar == "\r"
      }
    }
  }
}
