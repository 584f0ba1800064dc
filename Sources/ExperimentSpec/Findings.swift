import Diagnostics

/// What one pass over a spec and its bases finds: errors are collected, not thrown, so that the user sees them all at once.
final class Findings {
  private(set) var errors: [Diagnostic] = []
  private var seen: Set<Diagnostic> = []
  /// A file of another kind can be wrong in every line: nobody reads more than this.
  static let mostErrors = 200
  var isFull: Bool { errors.count >= Self.mostErrors }
  /// In the order of reading: the spec itself first.
  private var files: [SourceFile] = []

  func add(_ file: SourceFile) { files.append(file) }

  func error(_ message: String, at location: SourceLocation?, hints: [String] = []) {
    if isFull { return }
    add(diagnostic(.error, message, at: location, hints: hints))
  }

  func add(_ error: Diagnostic) {
    // A setting that several trials share is at fault once.
    if !isFull, seen.insert(error).inserted { errors.append(error) }
  }

  func diagnostic(_ severity: Diagnostic.Severity, _ message: String, at location: SourceLocation?, hints: [String] = []) -> Diagnostic {
    let line = location.flatMap { place in files.first { $0.path == place.file }?.line(place.line) }
    return Diagnostic(severity, message, at: location, sourceLine: line, hints: hints)
  }

  /// By place: the spec, then its bases, each from top to bottom; what stands in no file last.
  func sorted(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
    let order = Dictionary(files.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { first, _ in first })
    func place(_ d: Diagnostic) -> (Int, Int, Int) {
      guard let location = d.location else { return (.max, 0, 0) }
      return (order[location.file] ?? .max - 1, location.line, location.column)
    }
    return diagnostics.enumerated().sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }.map(\.element)
  }

  func throwIfAny() throws(UserError) {
    guard !errors.isEmpty else { return }
    let rest = isFull ? [Diagnostic(.error, "more than \(Self.mostErrors) errors: these are the first found")] : []
    throw UserError(sorted(errors) + rest, exitCode: .badCommandOrSpec)
  }
}

private func < (a: ((Int, Int, Int), Int), b: ((Int, Int, Int), Int)) -> Bool { a.0 == b.0 ? a.1 < b.1 : a.0 < b.0 }
