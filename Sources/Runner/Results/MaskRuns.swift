import Imaging

/// A mask as the lengths of its runs, row by row, background first: small enough to commit, and exact.
///
///     0 0 1 1      →  "2 2 1 3"
///     0 1 1 1
enum MaskRuns {
  static func encode(_ mask: Mask) -> String {
    var runs: [Int] = []
    var current: UInt8 = 0
    var length = 0
    for pixel in mask.pixels {
      let value: UInt8 = pixel == 0 ? 0 : 1
      if value == current {
        length += 1
      } else {
        runs.append(length)
        (current, length) = (value, 1)
      }
    }
    runs.append(length)
    return runs.map(String.init).joined(separator: " ")
  }

  /// nil where the text is not runs that fill `height × width` exactly.
  static func decode(_ text: some StringProtocol, height: Int, width: Int) -> Mask? {
    guard height > 0, width > 0, height <= PNG.maximumSide, width <= PNG.maximumSide else { return nil }
    var lengths: [Int] = [], left = height * width
    for part in text.split(separator: " ") {
      guard let length = Int(part), length >= 0, length <= left else { return nil }
      lengths.append(length)
      left -= length
    }
    // Before anything is made: a size that the runs do not fill takes no memory.
    guard left == 0 else { return nil }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(height * width)
    for (index, length) in lengths.enumerated() { pixels.append(contentsOf: repeatElement(UInt8(index % 2), count: length)) }
    return Mask(width: width, height: height, pixels: pixels)
  }

  /// `masks.csv` of a trial: image, height, width, runs.
  static func table(_ masks: [(image: String, mask: Mask)]) -> String {
    var lines = ["image,height,width,runs"]
    for (image, mask) in masks { lines.append("\(quoted(image)),\(mask.height),\(mask.width),\(encode(mask))") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Most pixels of all masks of a table together: a short line can claim a large mask.
  private static let maximumPixels = 1 << 30

  /// The masks of a table that `table` wrote, by image; lines that are not such are left out, and what goes beyond `maximumPixels`.
  static func masks(inTable text: String) -> [String: Mask] {
    var masks: [String: Mask] = [:]
    var pixels = 0
    for line in text.split(separator: "\n").dropFirst() {
      // From the end: the name alone may hold commas.
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
      guard fields.count >= 4, let height = Int(fields[fields.count - 3]), let width = Int(fields[fields.count - 2]) else { continue }
      guard let mask = decode(fields[fields.count - 1], height: height, width: width) else { continue }
      pixels += height * width
      guard pixels <= maximumPixels else { break }
      masks[unquoted(fields[..<(fields.count - 3)].joined(separator: ","))] = mask
    }
    return masks
  }

  /// A field of a CSV file, in quotes where it holds a comma, a quote or a line break.
  static func quoted(_ text: String) -> String {
    text.contains { $0 == "," || $0 == "\"" || $0.isNewline } ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
  }

  private static func unquoted(_ text: String) -> String {
    guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
    return text.dropFirst().dropLast().replacing("\"\"", with: "\"").description
  }
}
