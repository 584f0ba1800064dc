import Diagnostics
import OrderedCollections

extension Experiment {
  /// Where `key`'s value comes from in each trial, as text for a terminal (`runner explain SPEC KEY`).
  ///
  /// - Throws: `UserError`, exit code 2, where there is no such key.
  public func explain(_ key: String) throws(UserError) -> String {
    guard let key = KeyTable[key] else {
      let hints = KeyTable.hints(forUnknown: key)
      throw UserError("unknown key '\(key)'", exitCode: .badCommandOrSpec, hints: hints.isEmpty ? ["only settings of trials can be explained; runner schema lists them"] : hints)
    }
    var text = "\(key.name): \(key.summary)\naccepted: \(key.accepted.description)\n"
    if !key.statedInPaper { text += "not stated in the paper: the default is this program's choice\n" }
    // Trials that differ only in seed usually say the same: one line for all of them.
    var rows: OrderedSet<[String]> = []
    for trial in trials { rows.append([trial.name, quotedIfEmpty(key.read(trial.settings).text), explained(trial, key.name)]) }
    let widths = (0..<2).map { column in max(["trial", "value"][column].count, rows.map { $0[column].count }.max() ?? 0) }
    for row in [["trial", "value", "from"]] + rows {
      text += "\n" + (0..<2).map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count + 2) }.joined() + row[2]
    }
    return text
  }

  /// The whole experiment as a spec of its own, with a comment on every value that says where it came from: `spec.resolved.yaml`.
  ///
  /// Reading it gives the same trials and report again. Places are relative to the spec's folder, so the text does not depend on the machine.
  public func resolvedYAML() -> String {
    var text = "# Every value of every trial, and where it came from. Made by the run; reading it gives the same experiment.\n"
    text += "name: \(yamlText(name))\ntitle: \(yamlText(title))\n"
    if !reuse.isEmpty { text += "reuse: \(yamlList(reuse))\n" }
    text += "trials:\n"
    for trial in trials {
      text += "  - name: \(yamlText(trial.name))\n"
      for key in KeyTable.keys {
        let value = key.read(trial.settings)
        var written = if case .text(let value) = value { yamlText(value) } else { value.text }, remark = ""
        // Trials of one name may differ in what follows their seed, and in nothing else. Any other reference may lead to a setting without
        // effect, which is written as its default.
        if trial.followsSeed(key.name), case .reference(let other, _)? = trial.origins[key.name] { (written, remark) = (yamlText("${\(other)}"), "\(written), ") }
        let from = originText(trial.origins[key.name]) { "\(relativePath($0.file, from: path)):\($0.line):\($0.column)" }
        text += "    \(key.name): \(written)  # \(remark)\(from == "default" || from.hasPrefix("default:") ? from : "from \(from)")\n"
      }
    }
    return text + report.yaml
  }

  /// A value's origin; that of a reference, with the origin of what it refers to.
  private func explained(_ trial: Trial, _ key: String) -> String {
    let origin = trial.origins[key], text = originText(origin) { $0.description }
    guard case .reference(let other, _)? = origin else { return text }
    return "\(text): \(explained(trial, other))"
  }

  private func originText(_ origin: ValueOrigin?, _ place: (SourceLocation) -> String) -> String {
    switch origin {
    case .file(let location): place(location)
    case .sweep(let part, let location): "\(place(location)), \(part)"
    case .reference(let other, let from): "\(originText(from, place)), ${\(other)}"
    case .commandLine: "--set"
    case .defaulted(let because?): "default: \(because)"
    case .defaulted(nil), nil: "default"
    }
  }

  private func quotedIfEmpty(_ text: String) -> String { text.isEmpty ? "''" : text }
}

extension ReportSettings {
  /// The `report` group of a spec.
  fileprivate var yaml: String {
    func numbers(_ values: [String: Double]) -> [String] { values.sorted { $0.key < $1.key }.map { "\($0.key): \(canonicalText($0.value))" } }
    var text = "report:\n  rows: \(yamlList(rows))\n"
    if !remark.isEmpty { text += "  remark: \(yamlText(remark))\n" }
    if !figureImages.isEmpty { text += "  figure_images: \(yamlList(figureImages))\n" }
    if !published.isEmpty { text += "  published:\n" }
    for entry in published {
      var fields = ["trial: \(yamlText(entry.trial))"] + numbers(entry.values)
      if !entry.source.isEmpty { fields.append("source: \(yamlText(entry.source))") }
      if !entry.tolerance.isEmpty { fields.append("tolerance: {\(numbers(entry.tolerance).joined(separator: ", "))}") }
      text += "    - {\(fields.joined(separator: ", "))}\n"
    }
    if !claims.isEmpty { text += "  claims:\n" }
    for claim in claims { text += "    - \(claim.yaml)\n" }
    return text
  }
}

private func yamlList(_ items: [String]) -> String { "[\(items.map { yamlText($0) }.joined(separator: ", "))]" }

/// Text as a YAML scalar that reads back as this text: plain where that is safe anywhere, else in double quotes.
func yamlText(_ text: String) -> String {
  let plain = text.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || "0"..."9" ~= $0 || "-_.+/()= ".unicodeScalars.contains($0)) }
  if plain, let first = text.unicodeScalars.first, first.properties.isAlphabetic, text.last != " ", case .text = Scalar(text).typed { return text }
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": quoted += "\\\""
    case "\\": quoted += "\\\\"
    case "\n": quoted += "\\n"
    case "\t": quoted += "\\t"
    case _ where scalar.properties.generalCategory == .control || "\u{2028}\u{2029}\u{FEFF}\u{FFFE}\u{FFFF}".unicodeScalars.contains(scalar):
      let hex = String(scalar.value, radix: 16)
      quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}
