import Diagnostics
import OrderedCollections

/// The `report` group of one file; names of trials are held against the trials once those are known.
struct ReportDocument: Sendable {
  var rows: [String]?
  var published: [Published]?
  var claims: [Claim]?
  var figureImages: [String]?
  var remark: String?

  struct Published: Sendable {
    var entry: ReportSettings.Published
    var trial: SourceLocation
  }

  struct Claim: Sendable {
    var claim: ReportSettings.Claim
    var trials: [SourceLocation]
  }

  func over(_ base: ReportDocument) -> ReportDocument {
    ReportDocument(
      rows: rows ?? base.rows, published: published ?? base.published, claims: claims ?? base.claims, figureImages: figureImages ?? base.figureImages,
      remark: remark ?? base.remark)
  }

  /// What the report shows, with the paper's rows where the spec names none; `trials` is nil where they are not known.
  func settings(trials: OrderedSet<String>?, _ findings: Findings) -> ReportSettings {
    func check(_ trial: String, _ location: SourceLocation) {
      guard let trials, !trials.contains(trial) else { return }
      let nearest = nearestName(to: trial, in: trials).map { ["did you mean '\($0)'?"] } ?? []
      findings.error("no trial is named '\(trial)'", at: location, hints: nearest + ["trials: " + trials.prefix(12).joined(separator: ", ")])
    }
    for published in published ?? [] { check(published.entry.trial, published.trial) }
    for claim in claims ?? [] { for (trial, location) in Swift.zip(claim.claim.greater, claim.trials) { check(trial, location) } }
    return ReportSettings(
      rows: rows ?? ["average_iou", "average_precision", "parameters", "ms_per_patch"], published: (published ?? []).map(\.entry),
      claims: (claims ?? []).map(\.claim), figureImages: figureImages ?? [], remark: remark ?? "")
  }
}

extension SpecReader {
  func report(_ leaves: OrderedDictionary<String, Vocabulary.Leaf>) -> ReportDocument {
    var report = ReportDocument()
    for (key, leaf) in leaves {
      switch key {
      case "report.rows": report.rows = list(leaf.node, key).compactMap { choice($0, "a row of the report", ReportSettings.metrics) }
      case "report.columns": _ = choice(leaf.node, "report.table.columns", ["trial"])
      case "report.published": report.published = mappings(leaf.node, key).compactMap(published)
      case "report.claims": report.claims = mappings(leaf.node, key).compactMap(claim)
      case "report.figure_images": report.figureImages = list(leaf.node, key).compactMap { text($0, "an image's id") }
      case "report.remark": report.remark = text(leaf.node, key)
      default: break
      }
    }
    return report
  }

  private func published(_ item: Located<[Node.Entry]>) -> ReportDocument.Published? {
    let leaves = Vocabulary.published.leaves(of: item.value, findings)
    var entry = ReportSettings.Published(trial: "", values: [:], tolerance: [:], source: "")
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
      default: entry.values[key] = number(leaf.node, key)
      }
    }
    guard let trial = required("trial", "a published entry", leaves, item.location) else { return nil }
    return entry.trial.isEmpty ? nil : .init(entry: entry, trial: trial.location)
  }

  private func claim(_ item: Located<[Node.Entry]>) -> ReportDocument.Claim? {
    let leaves = Vocabulary.claim.leaves(of: item.value, findings)
    let what = "a claim"
    let sentence = required("claim", what, leaves, item.location).flatMap { text($0, "claim") }
    let metric = required("metric", what, leaves, item.location).flatMap { choice($0, "metric", ReportSettings.metrics) }
    let pair = required("greater", what, leaves, item.location)
    let test = leaves["test"].map { choice($0.node, "test", ReportSettings.tests) }
    if let metric, let node = leaves["test"]?.node, test == "paired_bootstrap", !ReportSettings.imageMetrics.contains(metric) {
      findings.error("'\(metric)' is no score of single images: nothing to resample", at: node.location, hints: ["accepted: exact"])
    }
    guard let pair, let metric, let sentence else { return nil }
    guard let items = pair.sequence, items.count == 2 else {
      findings.error("greater takes two trials, the greater first", at: pair.location)
      return nil
    }
    let names = items.compactMap { text($0, "a trial's name") }
    guard names.count == 2 else { return nil }
    let usual = ReportSettings.imageMetrics.contains(metric) ? "paired_bootstrap" : "exact"
    return .init(
      claim: .init(claim: sentence, metric: metric, greater: names, test: (test ?? usual) ?? usual), trials: items.map(\.location))
  }

  private func required(
    _ key: String, _ what: String, _ leaves: OrderedDictionary<String, Vocabulary.Leaf>, _ location: SourceLocation
  ) -> Node? {
    if let leaf = leaves[key] { return leaf.node }
    findings.error("\(what) without '\(key)'", at: location)
    return nil
  }
}
