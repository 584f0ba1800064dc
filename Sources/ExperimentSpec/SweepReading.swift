import Diagnostics
import OrderedCollections

/// The parts of `sweep`: axes, ranges, conditions.
extension SpecReader {
  /// A key of `sweep.grid` or `sweep.zip` with its values: a list, or a range.
  func axis(_ leaf: Vocabulary.Leaf, of written: String, part: String) -> SpecDocument.Axis {
    let name = String(written.dropFirst(part.count + 1)), key = known(name)
    if let values = values(key, leaf.node, part: part) { return .init(values: values, location: leaf.keyLocation) }
    let example = key.defaultValue(KeyTable.blank).value.text
    findings.error(
      "a sweep takes a list of values or a range, and cannot be \(leaf.node.sequence == nil ? leaf.node.described : "an empty list")",
      at: leaf.node.location, hints: ["for example: \(name): [\(example.isEmpty ? "…" : example)]"])
    return .init(values: [Setting(key: key, content: .refused, origin: .file(leaf.node.location))], location: leaf.keyLocation)
  }

  func inclusion(_ item: Located<[Node.Entry]>) -> Settings {
    settings(Vocabulary.include.leaves(of: item.value, findings)).mapValues { setting in
      var setting = setting
      if case .file(let location) = setting.origin { setting.origin = .sweep(part: "sweep.include", location) }
      return setting
    }
  }

  func exclusion(_ item: Located<[Node.Entry]>) -> SpecDocument.Condition {
    let (leaves, isWhole) = wholeLeaves(Vocabulary.exclude, item)
    if leaves.isEmpty, isWhole { findings.error("this exclusion names no key", at: item.location) }
    return condition(leaves, under: "", at: item.location)
  }

  /// `{if: {…}, set: {…}}`.
  func conditional(_ item: Located<[Node.Entry]>) -> SpecDocument.Conditional {
    let (leaves, isWhole) = wholeLeaves(Vocabulary.when, item), part = "sweep.when"
    let condition = condition(leaves, under: "if.", at: item.location)
    var axes: OrderedDictionary<String, SpecDocument.Axis> = [:]
    for (written, leaf) in leaves where written.hasPrefix("set.") {
      let name = String(written.dropFirst("set.".count))
      axes[name] = oneOrMore(known(name), leaf, part: part)
    }
    if condition.trial == nil, condition.values.isEmpty, isWhole {
      findings.error("this entry has no condition", at: item.location, hints: ["for example: {if: {model.architecture: unet++}, set: {model.l2: [0, 1e-4]}}"])
    }
    if axes.isEmpty, isWhole { findings.error("this entry sets nothing", at: item.location, hints: ["what is set where the condition holds stands under 'set'"]) }
    return .init(condition: condition, axes: axes)
  }

  private func condition(
    _ leaves: OrderedDictionary<String, Vocabulary.Leaf>, under prefix: String, at location: SourceLocation
  ) -> SpecDocument.Condition {
    var condition = SpecDocument.Condition(values: [:], location: location)
    for (written, leaf) in leaves where written.hasPrefix(prefix) {
      let name = String(written.dropFirst(prefix.count))
      if name == "trial" {
        condition.trial = text(leaf.node, "trial").map { Located(value: $0, location: leaf.node.location) }
      } else if let key = KeyTable[name] {
        let axis = oneOrMore(key, leaf, part: prefix)
        for setting in axis.values where setting.content != .refused && setting.value == nil {
          findings.error("a condition compares with values, not with references", at: setting.origin.location)
        }
        condition.values[name] = Set(axis.values.compactMap(\.value))
      }
    }
    return condition
  }

  /// A single value, a list, or a range.
  private func oneOrMore(_ key: Key, _ leaf: Vocabulary.Leaf, part: String) -> SpecDocument.Axis {
    if let values = values(key, leaf.node, part: part) { return .init(values: values, location: leaf.keyLocation) }
    return .init(values: [swept(setting(key, leaf.node), part)], location: leaf.keyLocation, isList: false)
  }

  /// The values of a list or a range; nil where the node is neither.
  private func values(_ key: Key, _ node: Node, part: String) -> [Setting]? {
    if let range = node.mapping { return self.range(key, range, at: node.location).map { swept($0, part) } }
    guard let items = node.sequence, !items.isEmpty else { return nil }
    var values: [Setting] = []
    var seen: Set<Setting.Content> = []
    for item in items {
      let setting = setting(key, item)
      if setting.content != .refused, !seen.insert(setting.content).inserted {
        findings.error("\(item.scalar?.text ?? "") stands twice in this list", at: item.location)
      }
      values.append(swept(setting, part))
    }
    return values
  }

  private func swept(_ setting: Setting, _ part: String) -> Setting {
    guard let location = setting.origin.location else { preconditionFailure("a sweep's value stands in no file") }
    return Setting(key: setting.key, content: setting.content, origin: .sweep(part: part, location))
  }

  private func known(_ name: String) -> Key {
    guard let key = KeyTable[name] else { preconditionFailure("'\(name)' is in the vocabulary of sweeps, but not in the key table") }
    return key
  }

  // MARK: Ranges

  /// The values of `{from: 1, to: 9, step: 2}` or `{from: 1e-5, to: 1e-1, factor: 10}`, both ends included; whole numbers go by 1 if nothing is said.
  private func range(_ key: Key, _ mapping: [Node.Entry], at location: SourceLocation) -> [Setting] {
    let refused = [Setting(key: key, content: .refused, origin: .file(location))]
    func fault(_ message: String, hints: [String] = []) -> [Setting] {
      findings.error(message, at: location, hints: hints)
      return refused
    }
    guard key.hasRange else { return fault("\(key.name) has no range", hints: ["give a list; accepted: \(key.accepted.description)"]) }
    var given: [String: Double] = [:]
    let leaves = Vocabulary.range.leaves(of: mapping, findings)
    for (name, leaf) in leaves { given[name] = number(leaf.node, name) }
    if given.count < leaves.count || leaves.count < mapping.count { return refused }  // which has been said
    guard let from = given["from"], let to = given["to"] else { return fault("a range has 'from' and 'to'", hints: ["for example: {from: 1, to: 3}"]) }
    guard from <= to else { return fault("a range goes up: its 'to' is below its 'from'") }

    let isWhole = if case .integer = key.accepted { true } else { false }
    let element: (Int) -> Double
    switch (given["step"] ?? (isWhole && given["factor"] == nil ? 1 : nil), given["factor"]) {
    case (let step?, nil):
      guard step > 0 else { return fault("the step of a range is above 0, and cannot be \(canonicalText(step))") }
      element = { from + Double($0) * step }
    case (nil, let factor?):
      guard factor > 1, from > 0 else { return fault("a range by factors begins above 0, and its factor is above 1") }
      var value = from / factor
      element = { _ in
        value *= factor
        return value
      }
    case (nil, nil): return fault("a range of numbers says how it goes on", hints: ["add 'step' (what is added) or 'factor' (what is multiplied by)"])
    default: return fault("a range goes on by 'step' or by 'factor', not by both")
    }
    var settings: [Setting] = []
    var last = -Double.infinity
    while true {
      let exact = element(settings.count)
      if last == to, exact >= to { return settings }
      // The ends as they are written; what is computed between them as a person would have written it.
      let rounded = exact.roundedToTwelveDigits, isExact = isWhole && exact == exact.rounded()
      let number = settings.isEmpty ? from : isExact ? exact : rounded == to.roundedToTwelveDigits ? to : rounded
      let text = isWhole ? Int(exactly: number).map(String.init) ?? canonicalText(number) : canonicalText(number)
      if number > to { return settings }
      guard number > last else { return fault("the steps of this range are too small: its numbers have twelve digits") }
      last = number
      guard settings.count < Resolver.mostTrials else { return fault("a range of more than \(Resolver.mostTrials) values") }
      guard let value = key.accepted.value(of: Scalar(text)) else {
        return fault("\(key.name) cannot be \(text)", hints: key.accepted.hints(for: nil))
      }
      settings.append(Setting(key: key, content: .value(value), origin: .file(location)))
    }
  }
}

extension Double {
  /// The number that a person would have written: 1e-5 · 10 is 1e-4, not 1.0000000000000001e-4.
  fileprivate var roundedToTwelveDigits: Double {
    guard self != 0, isFinite else { return self }
    let exponent = magnitude.exponent10 - 11
    guard let unit = Double("1e\(exponent)"), unit.isNormal else { return self }
    return Double("\(Int((self / unit).rounded()))e\(exponent)") ?? self
  }
}
