/// A place in a text file; `line` and `column` count from 1, columns in Unicode scalars.
public struct SourceLocation: Sendable, Hashable, Codable {
  public var file: String
  public var line: Int
  public var column: Int
  public init(file: String, line: Int, column: Int) { (self.file, self.line, self.column) = (file, line, column) }
}

/// One thing to tell the user about their input.
public struct Diagnostic: Sendable, Hashable {
  public enum Severity: String, Sendable { case error, warning, note }
  public var severity: Severity
  public var message: String
  /// nil where the fault has a file but no line (a missing folder).
  public var location: SourceLocation?
  /// The source line at `location`, without its line ending.
  public var sourceLine: String?
  /// Further lines: what is accepted, the nearest known key, the command that helps.
  public var hints: [String]

  public init(_ severity: Severity, _ message: String, at location: SourceLocation? = nil, sourceLine: String? = nil, hints: [String] = []) {
    (self.severity, self.message, self.location, self.sourceLine, self.hints) = (severity, message, location, sourceLine, hints)
  }
}

/// The exit codes that scripts rely on (DESIGN.md, "The command line").
public enum ExitCode: Int32, Sendable {
  case done = 0, someTrialsFailed = 1, badCommandOrSpec = 2, outOfTolerance = 3, locked = 4
  case inputOrOutputFailed = 5, damagedData = 6, workToDo = 10, interrupted = 130, terminated = 143
}

/// A fault of the user, the data or the machine: what to print and the exit code it ends the process with.
public struct UserError: Error, Sendable {
  public var diagnostics: [Diagnostic]
  public var exitCode: ExitCode
  public init(_ diagnostics: [Diagnostic], exitCode: ExitCode) { (self.diagnostics, self.exitCode) = (diagnostics, exitCode) }
  /// One error without a source line: `path: error: message`.
  public init(_ message: String, exitCode: ExitCode, hints: [String] = []) {
    self.init([Diagnostic(.error, message, hints: hints)], exitCode: exitCode)
  }
}
