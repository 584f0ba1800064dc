import Diagnostics
import OrderedCollections

/// What one place says of one key, checked.
struct Setting: Sendable {
  var key: Key
  var content: Content
  var origin: ValueOrigin

  enum Content: Sendable, Hashable {
    case value(KeyValue)
    /// `${key}`: the value of another key in the same trial.
    case reference(to: String)
    /// What stands there is no value of the key: what depends on it is not judged.
    case refused
  }

  var value: KeyValue? { if case .value(let value) = content { value } else { nil } }
}

typealias Settings = OrderedDictionary<String, Setting>

/// A value and where it stands.
struct Located<Value: Sendable>: Sendable {
  var value: Value
  var location: SourceLocation
}

/// One file of a spec, every value checked for itself; nothing resolved yet.
struct SpecDocument: Sendable {
  var location: SourceLocation
  /// False where the file holds something else, which has been said.
  var isMapping = true
  /// Whether a name was given, right or wrong.
  var hasName = false
  var name: Located<String>?
  var title: String?
  var extends: Located<String>?
  var settings: Settings = [:]
  var trials: [NamedTrial]?
  var grid: OrderedDictionary<String, Axis> = [:]
  var zip: OrderedDictionary<String, Axis> = [:]
  var include: [Settings]?
  var exclude: [Condition]?
  var when: [Conditional]?
  var expect: Located<Int>?
  var reuse: [String]?
  var report = ReportDocument()
  var slurm = SlurmDocument()

  struct NamedTrial: Sendable {
    var name: Located<String>
    var settings: Settings
  }

  /// A key of the sweep and the values it goes through.
  struct Axis: Sendable {
    var values: [Setting]
    var location: SourceLocation
    /// False for a single value outside a list: it is set, and tells no trial from another.
    var isList = true
  }

  /// Some of the trials: those of this name, if one is given, whose resolved settings are all among these.
  struct Condition: Sendable {
    var trial: Located<String>?
    var values: OrderedDictionary<String, Set<KeyValue>>
    var location: SourceLocation
  }

  /// An entry of `sweep.when`: what else is set, or gone through, in the trials that meet a condition.
  struct Conditional: Sendable {
    var condition: Condition
    var axes: OrderedDictionary<String, Axis>
  }

  /// Of a trial's name, in bytes, with what the sweep adds to it.
  static let longestName = 1000
  /// Of an experiment's name, in bytes.
  static let longestExperimentName = 100

  /// This file laid over the base it extends: key by key, later wins, lists replace.
  func over(_ base: SpecDocument) -> SpecDocument {
    var result = self
    result.title = title ?? base.title
    result.settings = base.settings.merging(settings) { $1 }
    result.trials = trials ?? base.trials
    result.grid = base.grid.merging(grid) { $1 }
    result.zip = base.zip.merging(zip) { $1 }
    result.include = include ?? base.include
    result.exclude = exclude ?? base.exclude
    result.when = when ?? base.when
    result.expect = expect ?? base.expect
    result.reuse = reuse ?? base.reuse
    result.report = report.over(base.report)
    result.slurm = slurm.over(base.slurm)
    return result
  }
}

/// Reads located nodes into checked values; what is wrong goes to `findings`, and reading goes on.
struct SpecReader {
  let findings: Findings

  func document(_ root: Node) -> SpecDocument {
    var document = SpecDocument(location: root.location)
    guard let mapping = root.mapping else {
      findings.error("an experiment is a mapping of keys to values, and cannot be \(root.described)", at: root.location)
      document.isMapping = false
      return document
    }
    let leaves = Vocabulary.spec.leaves(of: mapping, findings)
    document.settings = settings(leaves)
    for (key, leaf) in leaves {
      switch key {
      case "name": (document.name, document.hasName) = (experimentName(leaf.node), true)
      case "title": document.title = text(leaf.node, "title")
      case "extends": document.extends = text(leaf.node, "extends").map { Located(value: $0, location: leaf.node.location) }
      case "reuse": document.reuse = list(leaf.node, key).compactMap { experimentName($0, "an entry of reuse")?.value }
      case "trials": document.trials = trials(leaf.node)
      case "sweep.include": document.include = mappings(leaf.node, key).map(inclusion)
      case "sweep.exclude": document.exclude = mappings(leaf.node, key).map(exclusion)
      case "sweep.when": document.when = mappings(leaf.node, key).map(conditional)
      case "sweep.expect": document.expect = positive(leaf.node, key).map { Located(value: $0, location: leaf.node.location) }
      case _ where key.hasPrefix("sweep.grid."): document.grid[String(key.dropFirst("sweep.grid.".count))] = axis(leaf, of: key, part: "sweep.grid")
      case _ where key.hasPrefix("sweep.zip."): document.zip[String(key.dropFirst("sweep.zip.".count))] = axis(leaf, of: key, part: "sweep.zip")
      default: break
      }
    }
    document.report = report(leaves)
    document.slurm = slurm(leaves)
    return document
  }

  // MARK: Settings

  /// The leaves that are settings, checked by the key table.
  func settings(_ leaves: OrderedDictionary<String, Vocabulary.Leaf>) -> Settings {
    var settings: Settings = [:]
    for (name, leaf) in leaves {
      if let key = KeyTable[name] { settings[name] = setting(key, leaf.node) }
    }
    return settings
  }

  func setting(_ key: Key, _ node: Node) -> Setting {
    let content = Setting.Content(node.scalar, of: key)
    if content == .refused { findings.error("\(key.name) cannot be \(node.described)", at: node.location, hints: key.hints(for: node.scalar)) }
    return Setting(key: key, content: content, origin: .file(node.location))
  }

  /// `--set key=value`, held to the same checks; a nil setting is one whose key is unknown.
  func override(_ name: String, _ text: String) -> Setting? {
    guard let key = KeyTable[name] else {
      findings.error("--set \(name)=\(text): unknown key '\(name)'", at: nil, hints: KeyTable.hints(forUnknown: name))
      return nil
    }
    // Nothing is text too, where text is taken: so `--set data.root=` gives the default back.
    let scalar = Scalar(text, style: key.accepted == .text ? .quoted : .plain), content = Setting.Content(scalar, of: key)
    if content == .refused { findings.error("--set \(name)=\(text): not accepted", at: nil, hints: key.hints(for: scalar)) }
    return Setting(key: key, content: content, origin: .commandLine)
  }

  // MARK: Trials

  private func trials(_ node: Node) -> [SpecDocument.NamedTrial] {
    let items = mappings(node, "trials")
    if items.isEmpty, node.sequence?.isEmpty ?? false {
      findings.error("no trial stands here", at: node.location, hints: ["leave 'trials' out for one trial with the experiment's settings"])
    }
    return items.compactMap { item in
      let leaves = Vocabulary.trial.leaves(of: item.value, findings)
      let settings = settings(leaves)
      guard let name = leaves["name"] else {
        findings.error("this trial has no name", at: item.location, hints: ["add: name: …"])
        return nil
      }
      return trialName(name.node).map { .init(name: Located(value: $0, location: name.node.location), settings: settings) }
    }
  }

  /// A trial's name stands on one line of tables, logs and figures.
  private func trialName(_ node: Node) -> String? {
    guard let name = text(node, "name") else { return nil }
    if name.utf8.count > SpecDocument.longestName || name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control || $0.properties.isPatternWhitespace && $0 != " " }) {
      findings.error("name cannot be \(node.described)", at: node.location, hints: ["accepted: one line, at most \(SpecDocument.longestName) bytes"])
    }
    return name
  }

  // MARK: Values of other kinds

  /// The name is the results folder's too.
  private func experimentName(_ node: Node, _ key: String = "name") -> Located<String>? {
    guard let name = text(node, key) else { return nil }
    let fits = name.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || "0"..."9" ~= $0 || "-_.".unicodeScalars.contains($0)) }
    if !fits || name.hasPrefix(".") || name.utf8.count > SpecDocument.longestExperimentName {
      findings.error(
        "\(key) cannot be \(node.described)", at: node.location,
        hints: ["accepted: letters, digits, '-', '_' and '.', at most \(SpecDocument.longestExperimentName), not beginning with a point: it names the results folder"])
    }
    return Located(value: name, location: node.location)
  }

  func text(_ node: Node, _ what: String) -> String? {
    if case .text(let text)? = node.scalar.flatMap(Accepted.text.value), !text.isEmpty { return text }
    findings.error("\(what) cannot be \(node.scalar?.text == "" ? "empty" : node.described)", at: node.location, hints: ["accepted: text"])
    return nil
  }

  func number(_ node: Node, _ what: String) -> Double? {
    if let value = node.scalar?.number, value.isFinite { return value }
    findings.error("\(what) cannot be \(node.described)", at: node.location, hints: ["accepted: a number"])
    return nil
  }

  private func positive(_ node: Node, _ what: String) -> Int? {
    if let value = node.scalar?.integer, value > 0 { return value }
    findings.error("\(what) cannot be \(node.described)", at: node.location, hints: ["accepted: an integer, at least 1"])
    return nil
  }

  func choice(_ node: Node, _ what: String, _ choices: [String]) -> String? {
    let accepted = Accepted.choice(choices)
    if case .text(let text)? = node.scalar.flatMap(accepted.value) { return text }
    findings.error("\(what) cannot be \(node.described)", at: node.location, hints: accepted.hints(for: node.scalar))
    return nil
  }

  func list(_ node: Node, _ what: String) -> [Node] {
    if let items = node.sequence { return items }
    findings.error("\(what) takes a list, and cannot be \(node.described)", at: node.location)
    return []
  }

  func mappings(_ node: Node, _ what: String) -> [Located<[Node.Entry]>] {
    list(node, what).compactMap { item in
      if let mapping = item.mapping { return Located(value: mapping, location: item.location) }
      findings.error("an entry of \(what) is a mapping, and cannot be \(item.described)", at: item.location)
      return nil
    }
  }
}

extension Setting.Content {
  /// What a scalar says of `key`.
  init(_ scalar: Scalar?, of key: Key) {
    if let name = scalar?.reference {
      self = KeyTable[name].map(key.canRefer) ?? false ? .reference(to: name) : .refused
    } else if let value = scalar.flatMap(key.accepted.value), scalar?.text.contains("${") == false {
      self = .value(value)
    } else {
      self = .refused
    }
  }
}

extension Scalar {
  /// The key that `${key}` refers to; nil where this is no reference.
  fileprivate var reference: String? { text.hasPrefix("${") && text.hasSuffix("}") ? String(text.dropFirst(2).dropLast()) : nil }
}

extension Key {
  /// Hints for what was refused as the key's value.
  func hints(for scalar: Scalar?) -> [String] {
    guard let scalar, scalar.text.contains("${") else { return accepted.hints(for: scalar) }
    guard let name = scalar.reference else { return ["a reference is a whole value: ${key}"] }
    if let other = KeyTable[name] { return ["\(self.name) is a choice, and refers only to a key of the same choices, which \(other.name) is not"] }
    return ["unknown key '\(name)'"] + KeyTable.hints(forUnknown: name)
  }

  /// Whether its value may be another's: defaults are chosen by choices, so these refer to the same choices alone.
  fileprivate func canRefer(to other: Key) -> Bool { if case .choice = accepted { accepted == other.accepted } else { true } }
}

extension Accepted {
  /// Hints for a value that was refused.
  func hints(for scalar: Scalar?) -> [String] {
    var hints = ["accepted: " + description]
    if case .choice(let choices) = self, let scalar, let nearest = nearestName(to: scalar.text, in: choices) { hints.append("did you mean '\(nearest)'?") }
    if case .number(let interval) = self, let number = scalar?.number, interval.bounds(number) {
      let single = Float(number)
      hints.append("the engine computes in single precision, where it is \(single.isFinite ? single.isNormal ? canonicalText(Double(single)) : "0" : "infinite")")
    }
    // "5" is text in YAML, and only looks like a number.
    if let scalar, scalar.style != .plain, value(of: Scalar(scalar.text)) != nil { hints.append("write it without quotes: what is quoted is text") }
    return hints
  }
}
