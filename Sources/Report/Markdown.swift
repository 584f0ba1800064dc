import Foundation

/// Markdown as GitHub reads it. Columns are not padded: a time's width would else change lines that do not depend on the clock.
enum Markdown {
  /// Marks a line that depends on the clock or the machine.
  static let clock = "<!-- clock -->"

  /// User's text for running text or a cell: one line, nothing that ends a cell or begins a tag.
  static func plain(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ").replacingOccurrences(of: "|", with: "\\|").replacingOccurrences(of: "<", with: "&lt;")
  }

  /// Text as code in a cell.
  static func code(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ").replacingOccurrences(of: "|", with: "\\|")
    return line.isEmpty ? "" : line.contains("`") ? "`` \(line) ``" : "`\(line)`"
  }

  /// The first column to the left, the others as `numeric` says.
  static func table(_ header: [String], _ rows: [[String]], numeric: Bool = true) -> String {
    let ruler = header.indices.map { $0 == 0 || !numeric ? "---" : "---:" }
    return ([header, ruler] + rows).map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
