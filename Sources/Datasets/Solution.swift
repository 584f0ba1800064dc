import Diagnostics
import Imaging

/// `stage1_solution.csv`: one annotated nucleus a row, as runs of pixels.
///
/// The table is split here, over bytes, because each fault must name its line; columns may stand in any order.
struct Solution: Sendable {
  struct Nucleus: Sendable {
    var image: String
    /// Line in the file, from 1.
    var line: Int
    var height: Int
    var width: Int
    /// (first pixel, length), pixels counted from 0 down the columns (`x · height + y`).
    var runs: [(start: Int, length: Int)]
  }

  let path: String
  let bytes: [UInt8]
  /// In the file's order.
  let nuclei: [Nucleus]
  private let rowsOfImage: [String: [Int]]

  /// Throws `UserError` (exit 6) at the line of the first missing column, odd or unreadable list of runs, run past the end, or repeated row.
  init(bytes: [UInt8], path: String) throws {
    (self.path, self.bytes) = (path, bytes)
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
    if lines.first?.starts(with: [0xEF, 0xBB, 0xBF]) == true { lines[0] = lines[0].dropFirst(3) }
    let header = Self.fields(lines.popFirst() ?? []).map { String(decoding: $0, as: UTF8.self) }
    let columns = try ["ImageId", "EncodedPixels", "Height", "Width"].map { name in
      guard let column = header.firstIndex(of: name) else {
        throw UserError.damaged(path, line: 1, "no column \(name)", hints: ["columns found: \(header.joined(separator: ", "))"])
      }
      return column
    }
    var nuclei: [Nucleus] = [], rows: [String: [Int]] = [:], seen: [ArraySlice<UInt8>: Int] = [:]
    // `lines` is a slice that begins at 1, so an index is the line's number less one.
    for (index, line) in zip(lines.indices, lines) where !line.allSatisfy({ $0 == UInt8(ascii: "\r") }) {
      let number = index + 1
      func fail(_ message: String) -> UserError { UserError.damaged(path, line: number, message) }
      let fields = Self.fields(line)
      guard fields.count == header.count else { throw fail("\(fields.count) fields where the header has \(header.count)") }
      if let first = seen.updateValue(number, forKey: line) { throw fail("the same row as line \(first)") }
      let image = String(decoding: fields[columns[0]], as: UTF8.self)
      guard let height = Self.integer(fields[columns[2]]), let width = Self.integer(fields[columns[3]]), height > 0, width > 0,
        height <= PNG.maximumSide, width <= PNG.maximumSide
      else { throw fail("Height and Width are not the size of an image") }
      let numbers = try fields[columns[1]].split(separator: UInt8(ascii: " ")).map { word in
        guard let number = Self.integer(word) else { throw fail("EncodedPixels: “\(String(decoding: word, as: UTF8.self))” is not a number") }
        return number
      }
      guard numbers.count.isMultiple(of: 2) else { throw fail("EncodedPixels: an odd count of numbers, \(numbers.count)") }
      let runs = try stride(from: 0, to: numbers.count, by: 2).map { i in
        let (start, length) = (numbers[i], numbers[i + 1])
        guard start >= 1, length >= 1 else { throw fail("EncodedPixels: run \(start) \(length) is empty or begins before pixel 1") }
        guard start - 1 + length <= height * width else {
          throw fail("EncodedPixels: run \(start) \(length) ends past the image's \(height * width) pixels")
        }
        return (start: start - 1, length: length)
      }
      rows[image, default: []].append(nuclei.count)
      nuclei.append(Nucleus(image: image, line: number, height: height, width: width, runs: runs))
    }
    (self.nuclei, self.rowsOfImage) = (nuclei, rows)
  }

  /// The image's rows, those without a run (images without nuclei) left out. Throws where it has none, or one gives another size.
  private func rows(_ item: DatasetItem) throws -> [Nucleus] {
    guard let rows = rowsOfImage[item.id] else { throw UserError.damaged(path, "no row for test image \(item.id)") }
    let nuclei = rows.map { self.nuclei[$0] }
    if let other = nuclei.first(where: { $0.height != item.height || $0.width != item.width }) {
      throw UserError.damaged(
        path, line: other.line, "size \(other.width) × \(other.height); image \(item.id) has \(item.width) × \(item.height)")
    }
    return nuclei.filter { !$0.runs.isEmpty }
  }

  /// The number of the image's nuclei.
  func check(_ item: DatasetItem) throws -> Int { try rows(item).count }

  func truth(_ item: DatasetItem) throws -> Truth {
    let nuclei = try rows(item)
    var labels = LabelImage(width: item.width, height: item.height, repeating: 0)
    for (index, nucleus) in nuclei.enumerated() {
      for run in nucleus.runs {
        for pixel in run.start..<(run.start + run.length) {
          let (x, y) = pixel.quotientAndRemainder(dividingBy: item.height)
          if labels[y, x] == 0 { labels[y, x] = Int32(index + 1) }
        }
      }
    }
    return Truth(labels: labels, count: nuclei.count)
  }

  /// A line's fields; quotes around a field are taken off (no field of this table holds a comma or a quote).
  private static func fields(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    return line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { field in
      let quote = UInt8(ascii: "\"")
      return field.count >= 2 && field.first == quote && field.last == quote ? field.dropFirst().dropLast() : field
    }
  }

  /// A whole number of at most nine digits; nil for anything else.
  private static func integer(_ digits: ArraySlice<UInt8>) -> Int? {
    guard (1...9).contains(digits.count) else { return nil }
    var value = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      value = value * 10 + Int(digit - 0x30)
    }
    return value
  }
}
