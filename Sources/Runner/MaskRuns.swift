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
    guard height > 0, width > 0, height <= 1 << 20, width <= 1 << 20 else { return nil }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(height * width)
    var value: UInt8 = 0
    for part in text.split(separator: " ") {
      guard let length = Int(part), length >= 0, length <= height * width - pixels.count else { return nil }
      pixels.append(contentsOf: repeatElement(value, count: length))
      value = 1 - value
    }
    return pixels.count == height * width ? Mask(width: width, height: height, pixels: pixels) : nil
  }

  /// `masks.csv` of a trial: image, height, width, runs.
  static func table(_ masks: [(image: String, mask: Mask)]) -> String {
    var lines = ["image,height,width,runs"]
    for (image, mask) in masks { lines.append("\(quoted(image)),\(mask.height),\(mask.width),\(encode(mask))") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The masks of a table that `table` wrote, by image; lines that are not such are left out.
  static func masks(inTable text: String) -> [String: Mask] {
    var masks: [String: Mask] = [:]
    for line in text.split(separator: "\n").dropFirst() {
      // From the end: the name alone may hold commas.
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
      guard fields.count >= 4, let height = Int(fields[fields.count - 3]), let width = Int(fields[fields.count - 2]) else { continue }
      guard let mask = decode(fields[fields.count - 1], height: height, width: width) else { continue }
      masks[unquoted(fields[..<(fields.count - 3)].joined(separator: ","))] = mask
    }
    return masks
  }

  private static func quoted(_ text: String) -> String {
    text.contains { $0 == "," || $0 == "\"" } ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
  }

  private static func unquoted(_ text: String) -> String {
    guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
    return text.dropFirst().dropLast().replacing("\"\"", with: "\"").description
  }
}
