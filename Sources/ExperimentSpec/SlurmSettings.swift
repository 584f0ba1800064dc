import Diagnostics
import OrderedCollections

/// What a cluster is asked for, the `slurm` group of a spec: how, not what is computed, and so in no fingerprint and no record.
public struct SlurmSettings: Sendable, Hashable {
  /// nil: the cluster's default.
  public var partition: String?
  /// Longest time of a task, as `sbatch --time` takes it; nil: the partition's limit.
  public var time: String?
  /// Memory of a task, as `sbatch --mem` takes it; nil: the plan's figure and what the process needs beside it.
  public var memory: String?
  /// Cores, and so threads, of a task.
  public var cpus = 4
  /// Seconds before the time limit at which a training writes its checkpoint and asks to be queued again.
  public var grace = 120
  /// Further options of `sbatch`, e.g. `--account=pathology`.
  public var options: [String] = []

  public init() {}

  /// Options that the runner gives itself, or that move its tasks: with another value these would not find each other.
  static let reserved = [
    "--array", "--chdir", "--dependency", "--error", "--export", "--kill-on-invalid-dep", "--output", "--parsable", "--requeue", "--no-requeue", "--signal", "--wrap",
  ]
  /// Options that have a key of their own.
  static let keyed: [(option: String, key: SlurmKey)] = [
    ("--partition", .partition), ("--time", .time), ("--mem", .memory), ("--mem-per-cpu", .memory), ("--mem-per-gpu", .memory), ("--cpus-per-task", .cpus),
  ]
  /// The names of both, without their dashes.
  static var refused: [String] { (reserved + keyed.map(\.option)).map { String($0.dropFirst(2)) } }
}

/// The keys of the `slurm` group: what each takes and is for; validation, messages and the schema are made from them.
enum SlurmKey: String, CaseIterable {
  case partition, time, memory, cpus, grace, options

  var summary: String {
    switch self {
    case .partition: "Partition; the cluster's default where it is not given."
    case .time: "Longest time of a task; a training that needs more is queued again from its checkpoint."
    case .memory: "Memory of a task; by default the plan's figure and what the process needs beside it."
    case .cpus: "Cores, and so threads, of a task."
    case .grace: "Seconds before the time limit at which a training writes its checkpoint and asks to be queued again."
    case .options: "Further options of sbatch."
    }
  }

  enum Form {
    /// Text that matches a regular expression, of those that Swift and JSON Schema read alike.
    case word(String, described: String)
    case integer(ClosedRange<Int>)
    case options
  }

  var form: Form {
    switch self {
    case .partition: .word(#"[^-\s]\S*"#, described: "a partition's name")
    // Minutes, or as far as the signs say: 30:00, 1:30:00, 2-12, 2-12:30, 2-12:30:00.
    case .time:
      .word(
        "[0-9]+|[0-9]+:[0-9]{2}|[0-9]+:[0-9]{2}:[0-9]{2}|[0-9]+-[0-9]{1,2}(:[0-9]{2}){0,2}",
        described: "minutes, or [days-]hours:minutes:seconds, as sbatch --time takes it: 90, 1:30:00, 2-12")
    case .memory: .word("[1-9][0-9]*[KMGT]?", described: "a size as sbatch --mem takes it: 4000 (megabytes), 4G")
    case .cpus: .integer(1...1024)
    case .grace: .integer(10...3600)
    case .options: .options
    }
  }

  var accepted: String {
    switch form {
    case .word(_, let described): described
    case .integer(let range): Accepted.integer(range).description
    case .options: "a list of options with two dashes: [--account=pathology]"
    }
  }

  /// Whether a word of this key can be `text`.
  func takes(_ text: String) -> Bool {
    guard case .word(let pattern, _) = form, let word = try? Regex(pattern) else { preconditionFailure("slurm.\(rawValue) is no word, or its pattern is no regular expression") }
    return text.wholeMatch(of: word) != nil
  }
}

/// The `slurm` group of one file.
struct SlurmDocument: Sendable {
  typealias Setting = @Sendable (inout SlurmSettings) -> Void
  var settings: [Setting] = []

  /// Key by key, later wins.
  func over(_ base: SlurmDocument) -> SlurmDocument { SlurmDocument(settings: base.settings + settings) }

  func resolved() -> SlurmSettings { settings.reduce(into: SlurmSettings()) { $1(&$0) } }
}

extension SpecReader {
  func slurm(_ leaves: OrderedDictionary<String, Vocabulary.Leaf>) -> SlurmDocument {
    var document = SlurmDocument()
    for key in SlurmKey.allCases {
      guard let node = leaves["slurm.\(key.rawValue)"]?.node, let setting = setting(key, node) else { continue }
      document.settings.append(setting)
    }
    return document
  }

  private func setting(_ key: SlurmKey, _ node: Node) -> SlurmDocument.Setting? {
    switch key {
    case .partition: word(key, node).map { setting(\.partition, $0) }
    case .time: word(key, node).map { setting(\.time, $0) }
    case .memory: word(key, node).map { setting(\.memory, $0) }
    case .cpus: integer(key, node).map { setting(\.cpus, $0) }
    case .grace: integer(key, node).map { setting(\.grace, $0) }
    case .options: options(node).map { setting(\.options, $0) }
    }
  }

  private func setting<V: Sendable>(_ path: WritableKeyPath<SlurmSettings, V> & Sendable, _ value: V) -> SlurmDocument.Setting {
    { $0[keyPath: path] = value }
  }

  private func refuse(_ key: SlurmKey, _ node: Node) {
    findings.error("slurm.\(key.rawValue) cannot be \(node.described)", at: node.location, hints: ["accepted: \(key.accepted)"])
  }

  private func word(_ key: SlurmKey, _ node: Node) -> String? {
    if let scalar = node.scalar, scalar.typed != .null, key.takes(scalar.text) { return scalar.text }
    refuse(key, node)
    return nil
  }

  private func integer(_ key: SlurmKey, _ node: Node) -> Int? {
    if case .integer(let range) = key.form, let value = node.scalar?.integer, range.contains(value) { return value }
    refuse(key, node)
    return nil
  }

  private func options(_ node: Node) -> [String]? {
    guard let items = node.sequence else {
      refuse(.options, node)
      return nil
    }
    return items.compactMap { item in
      guard let option = item.scalar?.text, option.hasPrefix("--"), option.count > 2, !option.contains(where: \.isNewline) else {
        refuse(.options, item)
        return nil
      }
      // sbatch takes any beginning of an option's name for the whole.
      let name = option.prefix { $0 != "=" && $0 != " " }
      if let reserved = SlurmSettings.reserved.first(where: { $0.hasPrefix(name) }) {
        findings.error("slurm.options: \(reserved) is the runner's to give", at: item.location)
      } else if let (keyed, key) = SlurmSettings.keyed.first(where: { $0.option.hasPrefix(name) }) {
        findings.error("slurm.options: \(keyed) has a key of its own", at: item.location, hints: ["write slurm.\(key.rawValue)"])
      }
      return option
    }
  }
}
