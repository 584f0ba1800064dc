import Diagnostics

extension UserError {
  /// Data that is not there: exit 5.
  static func missing(_ path: String, _ message: String, hints: [String] = []) -> UserError {
    UserError("\(path): \(message)", exitCode: .inputOrOutputFailed, hints: hints)
  }

  /// Data that is there and wrong, found before any trial could start: exit 6. `line` counts from 1 (the header of a CSV file is line 1).
  static func damaged(_ path: String, line: Int? = nil, _ message: String, hints: [String] = []) -> UserError {
    guard let line else { return UserError("\(path): \(message)", exitCode: .damagedData, hints: hints) }
    let location = SourceLocation(file: path, line: line, column: 1)
    return UserError([Diagnostic(.error, message, at: location, hints: hints)], exitCode: .damagedData)
  }
}
