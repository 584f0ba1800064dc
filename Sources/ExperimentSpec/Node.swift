import Diagnostics

/// A piece of a YAML file that knows where it stands.
public struct Node: Sendable {
  public enum Content: Sendable {
    case scalar(Scalar)
    case sequence([Node])
    case mapping([Entry])
  }

  /// One `key: value` of a mapping, in the file's order.
  public struct Entry: Sendable {
    public var key: String
    public var keyLocation: SourceLocation
    public var value: Node
    /// Came in through a merge key (`<<`), so anything said outright wins over it.
    public var merged = false
  }

  public var content: Content
  public var location: SourceLocation
}

/// A scalar's text, and what the YAML 1.2 core schema makes of it.
public struct Scalar: Sendable, Hashable {
  public enum Style: Sendable, Hashable { case plain, quoted, block }
  public enum Typed: Sendable, Hashable {
    case null, boolean(Bool), integer(Int), number(Double), text(String)
  }

  public var text: String
  public var style: Style
  /// The value by the core schema: only plain scalars are anything but text (YAML 1.2.2, §10.3.2).
  public var typed: Typed

  public init(_ text: String, style: Style = .plain) {
    (self.text, self.style) = (text, style)
    typed = style == .plain ? Self.coreSchema(text) : .text(text)
  }

  /// As a number, where it is one.
  var number: Double? {
    switch typed {
    case .integer(let value): Double(value)
    case .number(let value): value
    case .null, .boolean, .text: nil
    }
  }

  /// As an integer, where it is a whole number: `5`, and `5.0` too, as JSON Schema has it.
  var integer: Int? {
    switch typed {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    case .null, .boolean, .text: nil
    }
  }

  /// What YAML calls its type, `int` in `!!int`.
  var tag: String {
    switch typed {
    case .null: "null"
    case .boolean: "bool"
    case .integer: "int"
    case .number: "float"
    case .text: "str"
    }
  }

  static func coreSchema(_ text: String) -> Typed {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .number(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .number(-.infinity)
    case ".nan", ".NaN", ".NAN": return .number(.nan)
    default: break
    }
    if let integer = integer(text) { return integer }
    return isDecimal(text) ? .number(decimal(text)) : .text(text)
  }

  /// `[-+]?[0-9]+`, `0o[0-7]+`, `0x[0-9a-fA-F]+`; a number where it does not fit in 64 bits.
  private static func integer(_ text: String) -> Typed? {
    let radix = text.hasPrefix("0x") ? 16 : text.hasPrefix("0o") ? 8 : 10
    var digits = text[...]
    if radix != 10 { digits = digits.dropFirst(2) } else if text.first == "-" || text.first == "+" { digits = digits.dropFirst() }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ isDigit($0, radix) }) else { return nil }
    if let value = Int((text.first == "-" ? "-" : "") + digits, radix: radix) { return .integer(value) }
    return .number(radix == 10 ? decimal(text) : digits.utf8.reduce(0.0) { $0 * Double(radix) + Double(digitValue($1)) })
  }

  /// `[-+]? ( \.[0-9]+ | [0-9]+(\.[0-9]*)? ) ([eE][-+]?[0-9]+)?`
  private static func isDecimal(_ text: String) -> Bool {
    var rest = Substring(text).utf8
    func digits() -> Int {
      let count = rest.prefix { isDigit($0, 10) }.count
      rest = rest.dropFirst(count)
      return count
    }
    func skip(_ characters: String) -> Bool {
      guard let first = rest.first, characters.utf8.contains(first) else { return false }
      rest = rest.dropFirst()
      return true
    }
    _ = skip("-+")
    let whole = digits()
    let fraction = skip(".") ? digits() : 0
    guard whole + fraction > 0 else { return false }
    if skip("eE") {
      _ = skip("-+")
      guard digits() > 0 else { return false }
    }
    return rest.isEmpty
  }

  /// Swift reads every such text but a bare point: `2.`, `2.e3`, `.5`.
  private static func decimal(_ text: String) -> Double {
    var padded = ""
    var previous: Character = " "
    for character in text {
      if character == ".", !previous.isNumber { padded += "0" }
      if previous == ".", !character.isNumber { padded += "0" }
      padded.append(character)
      previous = character
    }
    if previous == "." { padded += "0" }
    guard let value = Double(padded) else { preconditionFailure("'\(text)' is a number of the core schema, but '\(padded)' is none of Swift's") }
    return value
  }

  private static func isDigit(_ c: UInt8, _ radix: Int) -> Bool {
    switch c {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(c - UInt8(ascii: "0")) < radix
    case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): radix == 16
    default: false
    }
  }

  private static func digitValue(_ c: UInt8) -> Int {
    c <= UInt8(ascii: "9") ? Int(c - UInt8(ascii: "0")) : Int(c | 0x20) - Int(UInt8(ascii: "a")) + 10
  }
}

extension Node {
  var scalar: Scalar? { if case .scalar(let scalar) = content { scalar } else { nil } }
  var sequence: [Node]? { if case .sequence(let items) = content { items } else { nil } }
  var mapping: [Entry]? { if case .mapping(let entries) = content { entries } else { nil } }
  var isNull: Bool { scalar?.typed == .null }

  /// What stands here, for "cannot be …".
  var described: String {
    switch content {
    case .sequence: "a list"
    case .mapping: "a mapping"
    case .scalar(let scalar):
      switch scalar.typed {
      case .null: "empty"
      case .text(let text): "'\(text.count > 60 ? text.prefix(60) + "…" : text)'"
      default: scalar.text.count > 60 ? scalar.text.prefix(60) + "…" : scalar.text
      }
    }
  }
}
