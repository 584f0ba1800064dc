import Diagnostics
import Foundation
import SwiftCSV

/// One column of a CSV file: how it is called, written and read back. One definition serves both ways.
struct Column<Row> {
  var name: String
  var text: (Row) -> String
  /// Takes the field into the row; false where the text is not of the column's type.
  var take: (inout Row, String) -> Bool

  static func text(_ name: String, _ path: WritableKeyPath<Row, String>) -> Column {
    Column(name: name, text: { $0[keyPath: path] }) { row, field in
      row[keyPath: path] = field
      return true
    }
  }

  static func integer(_ name: String, _ path: WritableKeyPath<Row, Int>) -> Column {
    Column(name: name, text: { String($0[keyPath: path]) }) { row, field in
      guard let value = Int(field) else { return false }
      row[keyPath: path] = value
      return true
    }
  }

  static func integer(_ name: String, _ path: WritableKeyPath<Row, Int?>) -> Column {
    Column(name: name, text: { $0[keyPath: path].map(String.init) ?? "" }) { row, field in
      row[keyPath: path] = Int(field)
      return field.isEmpty || row[keyPath: path] != nil
    }
  }

  /// An empty field is NaN, and NaN an empty field.
  static func number(_ name: String, _ path: WritableKeyPath<Row, Double>) -> Column {
    Column(name: name, text: { Numbers.shortest($0[keyPath: path]) }) { row, field in
      guard let value = field.isEmpty ? .nan : Double(field) else { return false }
      row[keyPath: path] = value
      return true
    }
  }

  static func number(_ name: String, _ path: WritableKeyPath<Row, Double?>) -> Column {
    Column(name: name, text: { $0[keyPath: path].map(Numbers.shortest) ?? "" }) { row, field in
      row[keyPath: path] = Double(field)
      return field.isEmpty || row[keyPath: path] != nil
    }
  }

  static func flag(_ name: String, _ path: WritableKeyPath<Row, Bool>) -> Column {
    Column(name: name, text: { $0[keyPath: path] ? "1" : "0" }) { row, field in
      row[keyPath: path] = field == "1"
      return field == "0" || field == "1"
    }
  }

  /// Several numbers in one field, parted by spaces.
  static func numbers(_ name: String, _ path: WritableKeyPath<Row, [Double]>) -> Column {
    Column(name: name, text: { $0[keyPath: path].map(Numbers.shortest).joined(separator: " ") }) { row, field in
      let parts = field.split(separator: " ")
      row[keyPath: path] = parts.compactMap { Double($0) }
      return row[keyPath: path].count == parts.count
    }
  }
}

/// A row type that knows its CSV file's name and columns, the contract's columns first.
protocol CSVRow {
  static var file: String { get }
  static var columns: [Column<Self>] { get }
  /// A row for `take` to fill.
  init()
}

/// CSV as RFC 4180 quotes it, UTF-8, lines ended by one line feed.
enum CSVFile {
  static func text<Row: CSVRow>(_ rows: [Row]) -> String {
    let columns = Row.columns
    var text = columns.map { quoted($0.name) }.joined(separator: ",") + "\n"
    for row in rows { text += columns.map { quoted($0.text(row)) }.joined(separator: ",") + "\n" }
    return text
  }

  /// The rows of `text`; columns are found by name, further ones are let be.
  /// - Throws: `UserError` (exit 5), with file and row, where a column is missing or a field is not of its type.
  static func rows<Row: CSVRow>(_ text: String, path: String) throws -> [Row] {
    func damaged(_ row: Int, _ what: String) -> UserError {
      UserError("\(path), row \(row): \(what)", exitCode: .inputOrOutputFailed, hints: ["`runner report` writes it again from the records"])
    }
    var fields: [[String]] = [], header: [String] = []
    do {
      // Line by line: `rows` would fill up a line that was cut off.
      let csv = try EnumeratedCSV(string: text, delimiter: .comma, loadColumns: false, rowLimit: 0)
      header = csv.header
      try csv.enumerateAsArray(startAt: 1, rowLimit: nil) { fields.append($0) }
    } catch { throw damaged(1, "not a CSV file") }
    let columns = Row.columns
    let places = try columns.map { column in
      guard let place = header.firstIndex(of: column.name) else { throw damaged(1, "there is no column `\(column.name)`") }
      return place
    }
    return try fields.enumerated().map { index, line in
      guard line.count == header.count else { throw damaged(index + 2, "\(line.count) fields where the header names \(header.count)") }
      var row = Row()
      for (column, place) in zip(columns, places) where !column.take(&row, line[place]) {
        throw damaged(index + 2, "`\(line[place])` does not fit the column `\(column.name)`")
      }
      return row
    }
  }

  static func read<Row: CSVRow>(in folder: URL) throws -> [Row] {
    let url = folder.appendingPathComponent(Row.file)
    guard let data = try? Data(contentsOf: url), let text = String(data: data, encoding: .utf8) else {
      throw UserError("\(url.path): cannot be read as UTF-8 text", exitCode: .inputOrOutputFailed)
    }
    return try rows(text, path: url.path)
  }

  /// Quotes what RFC 4180 asks for, and spaces at the ends, which some readers (SwiftCSV among them) drop.
  static func quoted(_ field: String) -> String {
    let needs = field.contains { $0 == "," || $0 == "\"" || $0.isNewline } || field.first?.isWhitespace == true || field.last?.isWhitespace == true
    return needs ? "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : field
  }
}
