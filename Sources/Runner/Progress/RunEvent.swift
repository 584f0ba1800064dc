import Diagnostics
import Foundation

/// How a run says what happens: for readers, or one JSON object a line for programs.
public enum LogFormat: String, Sendable, CaseIterable { case text, jsonl }

/// What a run says: a line of text, and the same as named values.
struct RunEvent {
  enum Value: Encodable, Hashable {
    case text(String), number(Double), count(Int), texts([String]), none

    init(_ number: Double?) { self = number.map { $0.isFinite ? .number($0) : .text("\($0)") } ?? .none }
    func encode(to encoder: Encoder) throws {
      var single = encoder.singleValueContainer()
      switch self {
      case .text(let text): try single.encode(text)
      case .number(let number): try single.encode(number)
      case .count(let count): try single.encode(count)
      case .texts(let texts): try single.encode(texts)
      case .none: try single.encodeNil()
      }
    }
  }

  typealias Field = (name: String, value: Value)

  var name: String
  var fields: [Field]
  /// nil: readers are not told, or see it in the live lines.
  var text: String?

  init(_ name: String, _ fields: [Field] = [], text: String? = nil) { (self.name, self.fields, self.text) = (name, fields, text) }

  /// `{"time":…,"event":…,…}` on one line; `time` is ISO 8601, UTC, milliseconds.
  func json(at date: Date = Date()) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    func text(_ value: Value) -> String {
      guard let data = try? encoder.encode(value) else { preconditionFailure("an event's value always encodes") }
      return String(decoding: data, as: UTF8.self)
    }
    let time = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    let all: [Field] = [("time", .text(time)), ("event", .text(name))] + fields
    return "{" + all.map { "\(text(.text($0.name))):\(text($0.value))" }.joined(separator: ",") + "}"
  }
}

extension RunEvent {
  /// - Parameter exitCode: of the process, where the fault ends it.
  init(_ diagnostic: Diagnostic, exitCode: ExitCode?, color: Bool) {
    let place = diagnostic.location
    self.init(
      "diagnostic",
      [
        ("severity", .text(diagnostic.severity.rawValue)), ("message", .text(diagnostic.message)), ("file", place.map { .text($0.file) } ?? .none),
        ("line", place.map { .count($0.line) } ?? .none), ("column", place.map { .count($0.column) } ?? .none), ("hints", .texts(diagnostic.hints)),
        ("exit_code", exitCode.map { .count(Int($0.rawValue)) } ?? .none),
      ], text: diagnostic.rendered(color: color))
  }

  /// Something to know that is no step of the run.
  static func message(_ text: String) -> RunEvent { RunEvent("message", [("text", .text(text))], text: text) }
}

extension Console {
  /// On standard output, in the console's format.
  func say(_ event: RunEvent) {
    switch format {
    case .text: if let text = event.text { print(text) }
    case .jsonl: print(event.json())
    }
  }

  /// On standard error, in the console's format.
  /// - Parameter exitCode: of the process, where they end it.
  public func show(_ diagnostics: [Diagnostic], exitCode: ExitCode? = nil) {
    for diagnostic in diagnostics {
      let event = RunEvent(diagnostic, exitCode: exitCode, color: usesColor)
      printError(format == .jsonl ? event.json() : event.text ?? "")
    }
  }

  /// Says what is wrong with a command line, in the parser's words.
  public func refuse(_ message: String) -> ExitCode {
    switch format {
    case .text: printError(message)
    case .jsonl: show([Diagnostic(.error, message)], exitCode: .badCommandOrSpec)
    }
    return .badCommandOrSpec
  }
}
