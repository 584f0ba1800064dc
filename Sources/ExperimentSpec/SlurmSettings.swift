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

  /// Options that the runner gives itself: with another value the tasks would not find each other.
  static let reserved = [
    "--array", "--dependency", "--error", "--export", "--kill-on-invalid-dep", "--output", "--parsable", "--requeue", "--no-requeue", "--signal", "--wrap",
  ]
  /// Options that have a key of their own.
  static let keyed = ["--partition": "partition", "--time": "time", "--mem": "memory", "--cpus-per-task": "cpus"]

  /// `60`, `30:00`, `1:30:00`, `2-12`, `2-12:30`, `2-12:30:00`: minutes, or as far as the signs say.
  static func isTime(_ text: String) -> Bool { text.wholeMatch(of: /\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d\d?(:\d\d){0,2}/) != nil }
  /// `4000` (megabytes), `4G`.
  static func isMemory(_ text: String) -> Bool { text.wholeMatch(of: /[1-9]\d*[KMGT]?/) != nil }
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

  var accepted: String {
    switch self {
    case .partition: "a partition's name"
    case .time: "minutes, or [days-]hours:minutes:seconds, as sbatch --time takes it: 90, 1:30:00, 2-12"
    case .memory: "a size as sbatch --mem takes it: 4000 (megabytes), 4G"
    case .cpus: "an integer from 1 to 1024"
    case .grace: "an integer from 10 to 3600"
    case .options: "a list of options with two dashes: [--account=pathology]"
    }
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
    case .partition: word(key, node) { !$0.isEmpty && !$0.contains(where: \.isWhitespace) && !$0.hasPrefix("-") }.map { setting(\.partition, $0) }
    case .time: word(key, node, SlurmSettings.isTime).map { setting(\.time, $0) }
    case .memory: word(key, node, SlurmSettings.isMemory).map { setting(\.memory, $0) }
    case .cpus: integer(key, node, 1...1024).map { setting(\.cpus, $0) }
    case .grace: integer(key, node, 10...3600).map { setting(\.grace, $0) }
    case .options: options(node).map { setting(\.options, $0) }
    }
  }

  private func setting<V: Sendable>(_ path: WritableKeyPath<SlurmSettings, V> & Sendable, _ value: V) -> SlurmDocument.Setting {
    { $0[keyPath: path] = value }
  }

  private func refuse(_ key: SlurmKey, _ node: Node) {
    findings.error("slurm.\(key.rawValue) cannot be \(node.described)", at: node.location, hints: ["accepted: \(key.accepted)"])
  }

  private func word(_ key: SlurmKey, _ node: Node, _ fits: (String) -> Bool) -> String? {
    if let scalar = node.scalar, scalar.typed != .null, fits(scalar.text) { return scalar.text }
    refuse(key, node)
    return nil
  }

  private func integer(_ key: SlurmKey, _ node: Node, _ range: ClosedRange<Int>) -> Int? {
    if case .integer(let value)? = node.scalar?.typed, range.contains(value) { return value }
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
      let name = String(option.prefix { $0 != "=" && $0 != " " })
      if SlurmSettings.reserved.contains(name) {
        findings.error("slurm.options: \(name) is given by the runner itself", at: item.location)
      } else if let key = SlurmSettings.keyed[name] {
        findings.error("slurm.options: \(name) has a key of its own", at: item.location, hints: ["write slurm.\(key)"])
      }
      return option
    }
  }
}
