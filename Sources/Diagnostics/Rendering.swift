extension Diagnostic {
  /// The diagnostic as text, without a final line ending: `file:line:column: error: message` (`program: error: message` where
  /// there is no place), the source line, a caret under the place, and one indented line for each hint.
  ///
  /// - Parameter color: paint severity and caret with ANSI codes; the caller knows whether it writes to a terminal.
  public func rendered(color: Bool = false, program: String = "runner") -> String {
    func paint(_ text: String, _ code: String) -> String { color ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
    let place = location.map { "\($0.file.printable):\($0.line):\($0.column)" } ?? program
    var lines = ["\(paint(place, "1")): \(paint(severity.rawValue + ":", severity.colorCode)) \(message.printable)"]
    if let location, let sourceLine {
      let (excerpt, caret) = Self.excerpt(of: sourceLine, around: location.column)
      lines += ["  " + excerpt, "  " + caret + paint("^", "1;32")]
    }
    return (lines + hints.map { "  " + $0.printable }).joined(separator: "\n")
  }

  /// The source line made fit to print, and the white space that brings a caret under `column` (counted from 1).
  private static func excerpt(of line: String, around column: Int) -> (text: String, padding: String) {
    // A spec may be one line of a megabyte: show what surrounds the place.
    let scalars = Array(line.unicodeScalars), reach = 72
    let place = min(max(column - 1, 0), scalars.count)
    let first = place > 2 * reach ? place - reach : 0
    let last = min(scalars.count, max(place + reach, first + 2 * reach))
    var text = first > 0 ? "…" : ""
    var padding = first > 0 ? " " : ""
    for i in first..<last {
      text.unicodeScalars.append(scalars[i].isPrintable || scalars[i] == "\t" ? scalars[i] : "\u{FFFD}")
      // A tab stays a tab, so that the caret lands right whatever the terminal's tab stops are.
      if i < place { padding += scalars[i] == "\t" ? "\t" : String(repeating: " ", count: scalars[i].columns) }
    }
    if last < scalars.count { text += "…" }
    return (text, padding)
  }
}

extension Diagnostic.Severity {
  fileprivate var colorCode: String {
    switch self {
    case .error: "1;31"
    case .warning: "1;35"
    case .note: "1;36"
    }
  }
}

extension UserError: CustomStringConvertible {
  /// All diagnostics in their order, one under the other, without a final line ending.
  public func rendered(color: Bool = false, program: String = "runner") -> String {
    diagnostics.map { $0.rendered(color: color, program: program) }.joined(separator: "\n")
  }
  public var description: String { rendered() }
}

extension SourceLocation: Comparable, CustomStringConvertible {
  public static func < (a: SourceLocation, b: SourceLocation) -> Bool { (a.file, a.line, a.column) < (b.file, b.line, b.column) }
  /// `file:line:column`.
  public var description: String { "\(file):\(line):\(column)" }
}

extension String {
  /// The text with control characters replaced: a message may quote a user's file, which must not drive the terminal.
  fileprivate var printable: String {
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars { result.append(scalar.isPrintable ? scalar : "\u{FFFD}") }
    return String(result)
  }
}

extension Unicode.Scalar {
  fileprivate var isPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
    default: true
    }
  }

  /// Cells a terminal gives this scalar: 0 for combining marks, 2 for East Asian wide ones and emoji (Unicode TR 11, by block).
  fileprivate var columns: Int {
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return 0
    default: break
    }
    switch value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
      0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
