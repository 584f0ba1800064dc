import Diagnostics

/// A checked value of a spec key.
public enum KeyValue: Sendable, Hashable {
  case integer(Int)
  case number(Double)
  case text(String)

  /// The one way to write this value: what fingerprints, trial names and reports use, and what a spec reads back unchanged.
  public var text: String {
    switch self {
    case .integer(let value): String(value)
    case .number(let value): canonicalText(value)
    case .text(let value): value
    }
  }
}

/// A number's shortest text that reads back to the same bits: `5e-4`, `0.1`, `20`.
public func canonicalText(_ value: Double) -> String {
  if value == value.rounded(), abs(value) < 1e7 { return String(Int(value)) }
  let exponent = abs(value).exponent10
  if exponent >= -3, exponent < 7 { return value.description }
  // Swift's description has all the digits; only the place of the point is ours.
  let description = value.description.split(separator: "e")[0]
  let digits = description.filter(\.isNumber).drop { $0 == "0" }
  var mantissa = digits.count > 1 ? "\(digits.first!).\(digits.dropFirst())" : String(digits)
  while mantissa.contains("."), mantissa.last == "0" || mantissa.last == "." { mantissa.removeLast() }
  return (value.sign == .minus ? "-" : "") + mantissa + "e\(exponent)"
}

extension Double {
  /// e of d.ddd·10ᵉ for a positive number, from its shortest decimal text.
  var exponent10: Int {
    let parts = description.split(separator: "e")
    let shift = parts.count > 1 ? Int(parts[1])! : 0
    let point = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    if point[0] != "0" { return point[0].count - 1 + shift }
    return -1 - point[1].prefix { $0 == "0" }.count + shift
  }
}

/// What a key takes.
public enum Accepted: Sendable, Hashable {
  case integer(ClosedRange<Int>)
  case number(Interval)
  case choice([String])
  case oneOf([Int])
  case text

  /// Numbers between two bounds, each within the interval or just outside it, as they stand and in the engine's single precision. Subnormal
  /// ones are none: arithmetic here takes them for 0.
  public struct Interval: Sendable, Hashable {
    public var lower: Double
    public var upper = Double.infinity
    public var excludesLower = false
    public var excludesUpper = false

    func contains(_ value: Double) -> Bool {
      let single = Float(value)
      return (value == 0 || single.isNormal) && bounds(value) && bounds(Double(single))
    }

    /// Whether it lies between the bounds, whatever becomes of it in single precision.
    func bounds(_ value: Double) -> Bool {
      (excludesLower ? value > lower : value >= lower) && (excludesUpper ? value < upper : value <= upper)
    }
  }

  static func from(_ lower: Int, to upper: Int = 1 << 53) -> Accepted { .integer(lower...upper) }
  static func atLeast(_ lower: Double) -> Accepted { .number(Interval(lower: lower)) }
  static func above(_ lower: Double) -> Accepted { .number(Interval(lower: lower, excludesLower: true)) }
  /// 0…`upper`.
  static func upTo(_ upper: Double) -> Accepted { .number(Interval(lower: 0, upper: upper)) }
  /// 0…1.
  static let share = Accepted.upTo(1)
  /// 0…1 without 1.
  static let rate = Accepted.number(Interval(lower: 0, upper: 1, excludesUpper: true))
  /// 0…1 without its ends.
  static let fraction = Accepted.number(Interval(lower: 0, upper: 1, excludesLower: true, excludesUpper: true))

  /// For "accepted: …".
  public var description: String {
    switch self {
    case .integer(let range):
      return range.upperBound == 1 << 53 ? "an integer, at least \(range.lowerBound)" : "an integer from \(range.lowerBound) to \(range.upperBound)"
    case .number(let interval):
      let lower = "\(interval.excludesLower ? "above" : "at least") \(canonicalText(interval.lower))"
      if interval.upper == .infinity { return "a number, \(lower)" }
      return "a number, \(lower) and \(interval.excludesUpper ? "below" : "at most") \(canonicalText(interval.upper))"
    case .choice(let choices): return choices.joined(separator: ", ")
    case .oneOf(let choices): return choices.map(String.init).joined(separator: ", ")
    case .text: return "text"
    }
  }

  /// The scalar as a value, or nil where it is not accepted.
  func value(of scalar: Scalar) -> KeyValue? {
    switch self {
    case .integer(let range): scalar.integer.flatMap { range.contains($0) ? .integer($0) : nil }
    case .number(let interval): scalar.number.flatMap { interval.contains($0) ? .number($0) : nil }
    case .choice(let choices): choices.contains(scalar.text) ? .text(scalar.text) : nil
    case .oneOf(let choices): scalar.integer.flatMap { choices.contains($0) ? .integer($0) : nil }
    // A folder named 2018 is text whether quoted or not.
    case .text: scalar.typed == .null ? nil : .text(scalar.text)
    }
  }
}

/// One dotted key of the spec: what it takes, what it is by default, what it is for, and the setting it writes to.
public struct Key: Sendable {
  public let name: String
  public let accepted: Accepted
  /// What the setting is, in its units.
  public let summary: String
  /// False where the paper is silent, so that the choice is ours: reports list it under "Not stated in the paper".
  public let statedInPaper: Bool
  /// A key without a default must be given.
  public let isRequired: Bool
  let read: @Sendable (TrialSettings) -> KeyValue
  let write: @Sendable (inout TrialSettings, KeyValue) -> Void
  let defaultValue: @Sendable (TrialSettings) -> (value: KeyValue, because: String?)
  private var effects: [Effect]

  /// A condition on another key, without which this one changes nothing.
  struct Effect: Sendable {
    /// nil where it holds, else why not: "with augment.copies 0".
    let missing: @Sendable (TrialSettings) -> String?

    static func when<V: SpecValue>(_ name: String, _ path: WritableKeyPath<TrialSettings, V> & Sendable, _ values: V...) -> Effect {
      Effect { values.contains($0[keyPath: path]) ? nil : "with \(name) \($0[keyPath: path].keyValue.text)" }
    }
    static func unlessZero<V: SpecValue & Numeric>(_ name: String, _ path: WritableKeyPath<TrialSettings, V> & Sendable) -> Effect {
      Effect { $0[keyPath: path] != 0 ? nil : "with \(name) 0" }
    }
  }

  /// A key that must be given (`initial` only fills the setting until it is), or one with a fixed default.
  init<V: SpecValue>(
    _ name: String, _ path: WritableKeyPath<TrialSettings, V> & Sendable, _ accepted: Accepted = V.accepted, default value: V,
    required: Bool = false, stated: Bool = true, effect: [Effect] = [], _ summary: String
  ) {
    self.init(name, path, accepted, defaultBy: { _ in (value, nil) }, required: required, stated: stated, effect: effect, summary)
  }

  /// A key whose default depends on keys that stand before it in the table; the closure says the value and why.
  init<V: SpecValue>(
    _ name: String, _ path: WritableKeyPath<TrialSettings, V> & Sendable, _ accepted: Accepted = V.accepted,
    defaultBy value: @escaping @Sendable (TrialSettings) -> (V, String?),
    required: Bool = false, stated: Bool = true, effect: [Effect] = [], _ summary: String
  ) {
    (self.name, self.accepted, self.summary, statedInPaper, isRequired, effects) = (name, accepted, summary, stated, required, effect)
    read = { $0[keyPath: path].keyValue }
    write = { settings, new in
      guard let new = V(new) else { preconditionFailure("\(name) was checked to be \(accepted.description), but is \(new)") }
      settings[keyPath: path] = new
    }
    defaultValue = { settings in
      let (value, because) = value(settings)
      return (value.keyValue, because)
    }
  }

  /// Whether a sweep can go through its values by a range.
  var hasRange: Bool {
    switch accepted {
    case .integer, .number: true
    case .choice, .oneOf, .text: false
    }
  }

  /// The same key where it also takes `effect` to change anything.
  func withEffect(_ effect: Effect) -> Key {
    var key = self
    key.effects.insert(effect, at: 0)
    return key
  }

  /// The key's value in `settings`.
  public func value(in settings: TrialSettings) -> KeyValue { read(settings) }

  /// Why the key changes nothing in `settings`, e.g. "with model.architecture unet"; nil where it does.
  public func withoutEffect(in settings: TrialSettings) -> String? {
    for effect in effects { if let reason = effect.missing(settings) { return reason } }
    return nil
  }
}

/// A type a setting can have.
protocol SpecValue: Hashable, Sendable {
  static var accepted: Accepted { get }
  init?(_ value: KeyValue)
  var keyValue: KeyValue { get }
}

extension Int: SpecValue {
  static var accepted: Accepted { .from(0) }
  init?(_ value: KeyValue) { if case .integer(let value) = value { self = value } else { return nil } }
  var keyValue: KeyValue { .integer(self) }
}

extension Double: SpecValue {
  static var accepted: Accepted { .atLeast(0) }
  init?(_ value: KeyValue) { if case .number(let value) = value { self = value } else { return nil } }
  var keyValue: KeyValue { .number(self) }
}

extension String: SpecValue {
  static var accepted: Accepted { .text }
  init?(_ value: KeyValue) { if case .text(let value) = value { self = value } else { return nil } }
  var keyValue: KeyValue { .text(self) }
}

extension SpecValue where Self: RawRepresentable & CaseIterable, RawValue == String {
  static var accepted: Accepted { .choice(allCases.map(\.rawValue)) }
  init?(_ value: KeyValue) { if case .text(let value) = value { self.init(rawValue: value) } else { return nil } }
  var keyValue: KeyValue { .text(rawValue) }
}

extension ModelSettings.Architecture: SpecValue {}
extension ModelSettings.Upsampling: SpecValue {}
extension ModelSettings.Normalization: SpecValue {}
extension DataSettings.Source: SpecValue {}
extension DataSettings.Selection: SpecValue {}
extension PatchSettings.Split: SpecValue {}
extension TrainSettings.Precision: SpecValue {}
extension EvaluateSettings.Images: SpecValue {}
