extension KeyTable {
  /// The key table as the README shows it: one row a key, † where the paper is silent and the choice is ours.
  public static func markdown() -> String {
    let networks = ModelSettings.Architecture.allCases.filter(\.isNetwork)
    var lines = ["| key | accepted | default | meaning |", "|---|---|---|---|"]
    for key in keys {
      let defaults = networks.map { key.read(TrialSettings.defaults(for: $0)).text }
      let shown =
        if key.isRequired { "(required)" } else if Set(defaults).count == 1 { defaults[0].isEmpty ? "(empty)" : "`\(defaults[0])`" } else {
          zip(networks, defaults).map { "`\($1)` (\($0.rawValue))" }.joined(separator: ", ")
        }
      let accepted = key.accepted.description.replacing("|", with: "\\|")
      lines.append("| `\(key.name)`\(key.statedInPaper ? "" : " †") | \(accepted) | \(shown) | \(key.summary.replacing("|", with: "\\|")) |")
    }
    return lines.joined(separator: "\n")
  }
}
