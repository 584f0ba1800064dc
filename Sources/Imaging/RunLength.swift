/// Masks as runs of pixels, the way the 2018 Data Science Bowl writes them: "start length start length …", pixels counted from 1,
/// down the columns, first column first.
public enum RunLength {
  /// What is wrong with a text of runs; the caller adds file and row.
  public struct Fault: Error, Hashable, CustomStringConvertible {
    public var description: String
    public init(description: String) { self.description = description }
  }

  /// The mask that `text` describes; an empty text is an empty mask.
  ///
  /// Throws `Fault` for an odd count of numbers, something that is no number, a start or length below 1, a run past the end, and a run
  /// that starts before the last one has ended.
  public static func decode(_ text: some StringProtocol, width: Int, height: Int) throws(Fault) -> Mask {
    var numbers: [Int] = []
    for word in text.split(whereSeparator: \.isWhitespace) {
      guard let number = Int(word) else { throw Fault(description: "“\(word.prefix(40))” is not a number") }
      numbers.append(number)
    }
    if numbers.count % 2 != 0 { throw Fault(description: "\(numbers.count) numbers cannot be pairs of start and length") }
    var mask = Mask(width: width, height: height, repeating: 0)
    let pixels = width * height
    var end = 0
    for run in stride(from: 0, to: numbers.count, by: 2) {
      let (start, length) = (numbers[run], numbers[run + 1])
      if start < 1 || length < 1 { throw Fault(description: "run “\(start) \(length)”: start and length count from 1") }
      if start <= end { throw Fault(description: "run “\(start) \(length)” starts before the last one has ended, at \(end)") }
      if start > pixels || length > pixels - start + 1 {
        throw Fault(description: "run “\(start) \(length)” goes past the last of \(pixels) pixels (\(height) × \(width))")
      }
      end = start + length - 1
      for pixel in (start - 1)..<end { mask[pixel % height, pixel / height] = 1 }
    }
    return mask
  }

  /// The runs of the mask's nonzero pixels.
  public static func encode(_ mask: Mask) -> String { encode(mask.map { $0 == 0 ? Int32(0) : 1 }, count: 1)[0] }

  /// The runs of each object 1…count, in one pass over the image.
  public static func encode(_ labels: LabelImage, count: Int) -> [String] {
    var texts = [String](repeating: "", count: count)
    var (current, length) = (Int32(0), 0)
    let pixels = labels.width * labels.height
    for pixel in 0...pixels {
      let label = pixel < pixels ? labels[pixel % labels.height, pixel / labels.height] : 0
      if label != current {
        if current > 0 { texts[Int(current) - 1] += "\(texts[Int(current) - 1].isEmpty ? "" : " ")\(pixel - length + 1) \(length)" }
        (current, length) = (label, 0)
      }
      length += 1
    }
    return texts
  }
}
