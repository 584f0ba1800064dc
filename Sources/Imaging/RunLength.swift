/// Masks as runs of pixels, the way the 2018 Data Science Bowl writes them: "start length start length …", pixels counted from 1,
/// down the columns, first column first.
public enum RunLength {
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
