import Diagnostics
import OrderedCollections

/// The dotted keys that a mapping of the spec may hold, and the groups they stand in.
struct Vocabulary: Sendable {
  let keys: OrderedSet<String>
  /// Other names of a key.
  let aliases: [String: String]
  let groups: OrderedSet<String>

  init(_ keys: [String], aliases: [String: String] = [:]) {
    self.keys = OrderedSet(keys)
    self.aliases = aliases
    var groups: OrderedSet<String> = []
    for key in keys + aliases.keys.sorted() {
      let parts = key.split(separator: ".")
      for count in 1..<max(parts.count, 1) { groups.append(parts[..<count].joined(separator: ".")) }
    }
    self.groups = groups
  }

  /// All that may stand under a prefix, keys and groups, by their whole names.
  func names(under prefix: String) -> [String] { (Array(keys) + aliases.keys.sorted() + groups).filter { $0.hasPrefix(prefix) } }

  func holds(_ name: String) -> Bool { keys.contains(name) || groups.contains(name) }

  /// A key's value as it stands in the file.
  struct Leaf: Sendable {
    var node: Node
    var keyLocation: SourceLocation
    var merged: Bool
  }

  /// A mapping's values by dotted key. Nested and dotted keys are the same thing: `model: {depth: 5}` is `model.depth: 5`.
  ///
  /// Unknown keys, duplicates and groups that are no mappings go to `findings`.
  func leaves(of mapping: [Node.Entry], _ findings: Findings) -> OrderedDictionary<String, Leaf> {
    var leaves: OrderedDictionary<String, Leaf> = [:]
    collect(mapping, under: "", merged: false, into: &leaves, findings)
    return leaves
  }

  private func collect(
    _ mapping: [Node.Entry], under prefix: String, merged: Bool, into leaves: inout OrderedDictionary<String, Leaf>, _ findings: Findings
  ) {
    for entry in mapping {
      let written = prefix + entry.key
      let key = aliases[written] ?? written
      let leaf = Leaf(node: entry.value, keyLocation: entry.keyLocation, merged: merged || entry.merged)
      if keys.contains(key) {
        switch leaves[key] {
        case nil: leaves[key] = leaf
        case let first? where first.merged && !leaf.merged: leaves[key] = leaf
        case let first? where !first.merged && !leaf.merged:
          findings.error(
            "duplicate key '\(written)'", at: entry.keyLocation, hints: ["first at line \(first.keyLocation.line), column \(first.keyLocation.column)"])
        default: break
        }
      } else if groups.contains(written) {
        if let nested = entry.value.mapping {
          collect(nested, under: written + ".", merged: leaf.merged, into: &leaves, findings)
        } else if !entry.value.isNull {
          findings.error("'\(written)' is a group of keys, and cannot be \(entry.value.described)", at: entry.value.location, hints: [accepted(under: written + ".")])
        }
      } else {
        unknown(written, under: prefix, at: entry.keyLocation, findings)
      }
    }
  }

  private func unknown(_ key: String, under prefix: String, at location: SourceLocation, _ findings: Findings) {
    if findings.isFull { return }
    var hints: [String] = []
    if let nearest = nearestName(to: key, in: names(under: "")) { hints.append("did you mean '\(nearest)'?") }
    // `train.fine_tune.epoch` at the top stands in the group it names.
    let group = groups.filter { key.hasPrefix($0 + ".") }.max { $0.count < $1.count }
    hints.append(accepted(under: group.map { $0 + "." } ?? prefix))
    findings.error("unknown key '\(key)'", at: location, hints: hints)
  }

  /// The keys and groups directly under a prefix.
  private func accepted(under prefix: String) -> String {
    var names: OrderedSet<String> = []
    for key in Array(keys) + aliases.keys.sorted() where key.hasPrefix(prefix) {
      let rest = key.dropFirst(prefix.count).split(separator: ".")
      names.append(prefix + rest[0] + (rest.count > 1 ? ".…" : ""))
    }
    return "accepted: " + names.joined(separator: ", ")
  }
}

extension Vocabulary {
  private static let settings = KeyTable.keys.map(\.name)

  static let spec = Vocabulary(
    ["name", "title", "extends", "reuse", "trials"] + settings
      + settings.map { "sweep.grid." + $0 } + settings.map { "sweep.zip." + $0 } + ["sweep.include", "sweep.exclude", "sweep.when", "sweep.expect"]
      + ["report.rows", "report.columns", "report.published", "report.claims", "report.figure_images", "report.remark"]
      + SlurmKey.allCases.map { "slurm.\($0.rawValue)" },
    aliases: ["remark": "report.remark", "report.table.rows": "report.rows", "report.table.columns": "report.columns"])
  static let trial = Vocabulary(["name"] + settings)
  static let include = Vocabulary(settings)
  static let exclude = Vocabulary(["trial"] + settings)
  static let when = Vocabulary((["trial"] + settings).map { "if." + $0 } + settings.map { "set." + $0 })
  static let range = Vocabulary(["from", "to", "step", "factor"])
  static let published = Vocabulary(["trial", "source"] + ReportSettings.publishedNumbers + ReportSettings.metrics.map { "tolerance." + $0 })
  static let claim = Vocabulary(
    ["claim", "metric", "test"] + Claim.Relation.allCases.map(\.rawValue)
      + ["by", "within"].flatMap { group in Claim.Margin.Unit.allCases.map { "\(group).\($0.rawValue)" } })
}

extension ReportSettings {
  /// Metrics that every test image has, so that a claim about them can be tested by resampling.
  static let imageMetrics = [
    "average_iou", "average_precision", "iou_at_050", "contest_score", "contest_score_by_regions", "annotated_average_iou", "annotated_iou_at_050",
    "annotated_average_precision",
  ]

  /// What a row of the report's table or a claim can be about: a trial's numbers.
  public static let metrics = imageMetrics + [
    "parameters", "trainable_parameters", "size_mb", "multiply_adds", "val_loss", "main_val_loss", "late_fall", "best_epoch", "ms_per_patch",
    "ms_per_patch_min", "train_seconds", "peak_rss_mb",
  ]

  /// What a published entry can give: a metric, its printed spread, or the paper's time on its own processor.
  public static let publishedNumbers = metrics + metrics.map { $0 + "_sd" } + ["gpu_ms_per_patch"]

  /// How a claim is judged: by resampling test images and seeds, by Student's t over seeds, by the order of timed rounds, or by the numbers themselves.
  public static let tests = ["paired_bootstrap", "over_seeds", "rank_sum", "exact"]

  /// The first is what a claim about `metric` is judged by unless it asks for the other: a network's structure leaves nothing to chance,
  /// and what is one number a training varies with the seed alone.
  public static func tests(of metric: String) -> [String] {
    if imageMetrics.contains(metric) { return ["paired_bootstrap", "exact"] }
    return switch metric {
    case "val_loss", "main_val_loss", "late_fall", "best_epoch": ["over_seeds", "exact"]
    case "ms_per_patch": ["rank_sum", "exact"]
    default: ["exact"]
    }
  }
}
