/// JSON in a fixed order; the one document made here needs no more.
indirect enum JSON: Sendable {
  case string(String)
  /// A number or a truth value, as written.
  case raw(String)
  case array([JSON])
  case object([(String, JSON)])

  static func reference(_ definition: String) -> JSON {
    .object([("$ref", .string("#/definitions/" + definition))])
  }
  /// What is text in a spec wherever it stands, quoted or not.
  static let textTypes = JSON.array(["string", "number", "boolean"].map(JSON.string))
  static func text(_ description: String, atMost count: Int? = nil) -> JSON {
    .object(
      [("type", textTypes), ("minLength", .raw("1"))] + (count.map { [("maxLength", .raw("\($0)"))] } ?? []) + [("description", .string(description))])
  }
  static func integer(_ range: ClosedRange<Int>) -> JSON {
    .number([("minimum", "\(range.lowerBound)"), ("maximum", "\(range.upperBound)")], type: "integer")
  }
  /// - Parameter bounds: each by its keyword, e.g. `("minimum", "0")`.
  static func number(_ bounds: [(String, String)] = [], type: String = "number") -> JSON {
    .object([("type", .string(type))] + bounds.map { ($0, .raw($1)) })
  }
  static func strings(_ choices: [String]) -> JSON { .object([("enum", .array(choices.map(JSON.string)))]) }
  static func any(_ choices: [JSON]) -> JSON { .object([("anyOf", .array(choices))]) }
  static func list(of item: JSON, _ bounds: [(String, String)] = []) -> JSON {
    .object([("type", .string("array")), ("items", item)] + bounds.map { ($0, .raw($1)) })
  }
  static func pair(of item: JSON) -> JSON { .list(of: item, [("minItems", "2"), ("maxItems", "2")]) }
  /// A mapping that has these keys.
  static func requiring(_ keys: String...) -> JSON { .object([("required", .array(keys.map(JSON.string)))]) }
  /// A mapping that has something under `group`, nested or dotted.
  static func naming(_ group: String) -> JSON { .not(.object([("propertyNames", .not(.object([("pattern", .string("^\(group)([.]|$)"))])))])) }
  static func not(_ other: JSON) -> JSON { .object([("not", other)]) }

  /// An object with the fields of another behind its own.
  func and(_ other: JSON) -> JSON {
    guard case .object(let fields) = self, case .object(let more) = other else { preconditionFailure("only objects have fields") }
    return .object(fields + more)
  }
  func and(_ field: String, _ value: JSON) -> JSON { and(.object([(field, value)])) }
  /// Not empty.
  var filled: JSON { and("minProperties", .raw("1")) }

  func text(indent: String = "") -> String {
    let inner = indent + "  "
    switch self {
    case .string(let text): return Self.quoted(text)
    case .raw(let text): return text
    case .array(let items): return "[" + items.map { $0.text(indent: indent) }.joined(separator: ", ") + "]"
    case .object(let fields):
      // What fits on a line stays on it: the committed schema is read by people too.
      let line = "{" + fields.map { "\(Self.quoted($0.0)): \($0.1.text())" }.joined(separator: ", ") + "}"
      if line.count <= 110, !line.contains("\n") { return line }
      return "{\n" + fields.map { "\(inner)\(Self.quoted($0.0)): \($0.1.text(indent: inner))" }.joined(separator: ",\n") + "\n\(indent)}"
    }
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
  }
}
