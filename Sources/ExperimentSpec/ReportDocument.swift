import Diagnostics
import OrderedCollections

/// The `report` group of one file; names of trials are held against the trials once those are known.
struct ReportDocument: Sendable {
  var rows: [String]?
  var published: [Published]?
  var claims: [Claim]?
  var figureImages: [Located<String>]?
  var remark: String?

  struct Published: Sendable {
    var entry: ReportSettings.Published
    var trial: SourceLocation
    /// Where the key of each number stands.
    var places: OrderedDictionary<String, SourceLocation> = [:]
  }

  struct Claim: Sendable {
    var claim: ExperimentSpec.Claim
    /// Each trial it names, and where.
    var trials: [Located<String>]
  }

  func over(_ base: ReportDocument) -> ReportDocument {
    ReportDocument(
      rows: rows ?? base.rows, published: published ?? base.published, claims: claims ?? base.claims, figureImages: figureImages ?? base.figureImages,
      remark: remark ?? base.remark)
  }

  /// What the report shows, with the paper's rows where the spec names none; `trials` is nil where they are not known.
  func settings(trials: OrderedSet<String>?, _ findings: Findings) -> ReportSettings {
    func check(_ trial: String, _ location: SourceLocation) {
      guard let trials, !trials.contains(trial), !findings.isFull else { return }
      var hints = nearestName(to: trial, in: trials).map { ["did you mean '\($0)'?"] } ?? []
      if let longer = trials.first(where: { $0.hasPrefix(trial + " ") }) { hints = ["what the sweep goes through stands in the names: '\(longer)'"] }
      findings.error(
        "no trial is named '\(trial)'", at: location, hints: hints + ["trials: " + trials.prefix(6).joined(separator: "; ") + (trials.count > 6 ? "; …" : "")])
    }
    for published in published ?? [] { check(published.entry.trial, published.trial) }
    for claim in claims ?? [] { for trial in claim.trials { check(trial.value, trial.location) } }
    return ReportSettings(
      rows: rows ?? ["average_iou", "average_precision", "parameters", "ms_per_patch"], published: (published ?? []).map(\.entry),
      claims: (claims ?? []).map(\.claim), figureImages: (figureImages ?? []).map(\.value), remark: remark ?? "")
  }
}

extension SpecReader {
  func report(_ leaves: OrderedDictionary<String, Vocabulary.Leaf>) -> ReportDocument {
    var report = ReportDocument()
    for (key, leaf) in leaves {
      switch key {
      case "report.rows": report.rows = list(leaf.node, key).compactMap { choice($0, "a row of the report", ReportSettings.metrics) }
      case "report.columns": _ = choice(leaf.node, "report.table.columns", ["trial"])
      case "report.published":
        report.published = mappings(leaf.node, key).compactMap(published)
        checkOnce(report.published!)
      case "report.claims": report.claims = mappings(leaf.node, key).compactMap(claim)
      case "report.figure_images": report.figureImages = list(leaf.node, key).compactMap { node in text(node, "an image's id").map { Located(value: $0, location: node.location) } }
      case "report.remark": report.remark = text(leaf.node, key)
      default: break
      }
    }
    return report
  }

  private func published(_ item: Located<[Node.Entry]>) -> ReportDocument.Published? {
    let (leaves, isWhole) = wholeLeaves(Vocabulary.published, item)
    var entry = ReportSettings.Published(trial: "", values: [:], tolerance: [:], source: "")
    var places: OrderedDictionary<String, SourceLocation> = [:]
    for (key, leaf) in leaves {
      switch key {
      case "trial": entry.trial = text(leaf.node, key) ?? ""
      case "source": entry.source = text(leaf.node, key) ?? ""
      case _ where key.hasPrefix("tolerance."):
        let metric = String(key.dropFirst("tolerance.".count))
        if leaves[metric] == nil { findings.error("a tolerance for '\(metric)', which this entry does not publish", at: leaf.keyLocation) }
        guard let tolerance = number(leaf.node, key) else { continue }
        if tolerance < 0 { findings.error("\(key) cannot be \(leaf.node.described)", at: leaf.node.location, hints: ["accepted: a number, at least 0"]) }
        entry.tolerance[metric] = tolerance
      default:
        entry.values[key] = number(leaf.node, key)
        places[key] = leaf.keyLocation
        let metric = key.hasSuffix("_sd") ? String(key.dropLast(3)) : key
        if let value = entry.values[key], ReportSettings.imageMetrics.contains(metric), !(0...1).contains(value) {
          findings.error("\(key) cannot be \(leaf.node.described)", at: leaf.node.location, hints: ["accepted: 0 to 1; scores are fractions: 0.63 for 63 %"])
        }
      }
    }
    guard isWhole || leaves["trial"] != nil, let trial = required("trial", "a published entry", leaves, item.location) else { return nil }
    return entry.trial.isEmpty ? nil : .init(entry: entry, trial: trial.location, places: places)
  }

  /// A number published twice would leave the tolerance of one unchecked.
  private func checkOnce(_ published: [ReportDocument.Published]) {
    var firsts: [String: OrderedDictionary<String, SourceLocation>] = [:]  // by trial
    for item in published {
      let before = firsts[item.entry.trial, default: [:]]
      for (key, place) in item.places {
        guard let first = before[key] else { continue }
        findings.error("a second \(key) of '\(item.entry.trial)'", at: place, hints: ["first at line \(first.line), column \(first.column)"])
      }
      firsts[item.entry.trial] = before.merging(item.places) { first, _ in first }
    }
  }

  private func claim(_ item: Located<[Node.Entry]>) -> ReportDocument.Claim? {
    let (leaves, isWhole) = wholeLeaves(Vocabulary.claim, item)
    let what = "a claim"
    let relations = Claim.Relation.allCases.filter { leaves[$0.rawValue] != nil }
    // Of a key that was misspelt it was said already.
    guard isWhole || (leaves["claim"] != nil && leaves["metric"] != nil && !relations.isEmpty) else { return nil }
    let sentence = required("claim", what, leaves, item.location).flatMap { text($0, "claim") }
    let metric = required("metric", what, leaves, item.location).flatMap { choice($0, "metric", ReportSettings.metrics) }
    guard let relation = relations.first, relations.count == 1 else {
      findings.error(
        "\(what) \(relations.isEmpty ? "without a comparison" : "with more than one comparison")", at: item.location,
        hints: ["one of greater, less, alike: [a trial, another trial or a number]"])
      return nil
    }
    let sides = sides(leaves[relation.rawValue]!.node, relation)
    let margin = margin(leaves, relation, metric)
    guard let metric else { return nil }
    let tests = ReportSettings.tests(of: metric)
    let test = leaves["test"].map { choice($0.node, "the test of \(metric)", tests) } ?? tests[0]
    if relation == .alike, margin == nil {
      let isGiven = leaves.keys.contains { $0.hasPrefix("by.") || $0.hasPrefix("within.") }
      if !isGiven { findings.error("alike without a margin", at: leaves["alike"]!.keyLocation, hints: ["for example: within: {per_cent: 5}"]) }
      return nil
    }
    guard let sentence, let sides, let test else { return nil }
    let claim = Claim(sentence, metric: metric, relation, sides.trial.value, sides.reference, margin: margin ?? .none, test: test)
    return .init(claim: claim, trials: sides.trials)
  }

  /// What stands in `greater`, `less` or `alike`: a trial, and a trial or a number that is not quoted.
  private func sides(_ node: Node, _ relation: Claim.Relation) -> (trial: Located<String>, reference: Claim.Reference, trials: [Located<String>])? {
    guard let items = node.sequence, items.count == 2 else {
      findings.error("\(relation.rawValue) takes a trial, and another or a number", at: node.location, hints: ["for example: [U-Net+, U-Net] or [U-Net, 0.15]"])
      return nil
    }
    guard let name = text(items[0], "a trial's name") else { return nil }
    let trial = Located(value: name, location: items[0].location)
    if let level = items[1].scalar?.number, level.isFinite { return (trial, .number(level), [trial]) }
    guard let other = text(items[1], "a trial's name") else { return nil }
    if other == name { findings.error("a claim about one trial beside itself", at: node.location, hints: ["\(relation.rawValue) takes a trial, and another or a number"]) }
    return (trial, .trial(other), [trial, Located(value: other, location: items[1].location)])
  }

  /// `by` or `within`; nil where neither is given, or it is at fault.
  private func margin(_ leaves: OrderedDictionary<String, Vocabulary.Leaf>, _ relation: Claim.Relation, _ metric: String?) -> Claim.Margin? {
    let given = leaves.filter { $0.key.hasPrefix("by.") || $0.key.hasPrefix("within.") }
    guard let (key, leaf) = given.elements.first else { return nil }
    if let second = given.elements.dropFirst().first {
      findings.error("a second margin", at: second.value.keyLocation, hints: ["a claim has one"])
    }
    let parts = key.split(separator: "."), group = relation == .alike ? "within" : "by"
    guard parts[0] == group, let unit = Claim.Margin.Unit(rawValue: String(parts[1])) else {
      findings.error("\(relation.rawValue) takes '\(group)', not '\(parts[0])'", at: leaf.keyLocation)
      return nil
    }
    if unit == .points, let metric, !ReportSettings.imageMetrics.contains(metric) {
      findings.error("'\(metric)' is no score, so it has no points", at: leaf.keyLocation, hints: ["accepted: per_cent, absolute"])
    }
    let numbers = (leaf.node.sequence ?? [leaf.node]).compactMap { number($0, key) }
    let isRange = leaf.node.sequence != nil
    guard isRange ? numbers.count == 2 && numbers[0] < numbers[1] && relation != .alike : numbers.count == 1, relation == .alike ? numbers[0] > 0 : numbers[0] >= 0
    else {
      if numbers.count == leaf.node.sequence?.count ?? 1 {
        let accepted = relation == .alike ? "a number above 0" : "a number, at least 0, or two of them, the smaller first"
        findings.error("\(key) cannot be \(leaf.node.described)", at: leaf.node.location, hints: ["accepted: \(accepted)"])
      }
      return nil
    }
    return Claim.Margin(unit, numbers[0], isRange ? numbers[1] : nil)
  }

  /// The keys of an entry, and whether nothing was wrong with any.
  func wholeLeaves(_ vocabulary: Vocabulary, _ item: Located<[Node.Entry]>) -> (leaves: OrderedDictionary<String, Vocabulary.Leaf>, isWhole: Bool) {
    let before = findings.errors.count, leaves = vocabulary.leaves(of: item.value, findings)
    return (leaves, findings.errors.count == before)
  }

  private func required(
    _ key: String, _ what: String, _ leaves: OrderedDictionary<String, Vocabulary.Leaf>, _ location: SourceLocation
  ) -> Node? {
    if let leaf = leaves[key] { return leaf.node }
    findings.error("\(what) without '\(key)'", at: location)
    return nil
  }
}
