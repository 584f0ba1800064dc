/// The smallest upright rectangle around an object; rows y ..< y + height, columns x ..< x + width, in pixels.
public struct BoundingBox: Sendable, Hashable {
  public var y: Int
  public var x: Int
  public var height: Int
  public var width: Int
  public init(y: Int, x: Int, height: Int, width: Int) { (self.y, self.x, self.height, self.width) = (y, x, height, width) }

  /// With `margin` more on each side, as far as `image` goes.
  func grown<Pixel>(by margin: Int, within image: Image<Pixel>) -> BoundingBox {
    let (top, left) = (max(0, y - margin), max(0, x - margin))
    return BoundingBox(
      y: top, x: left, height: min(image.height, y + height + margin) - top, width: min(image.width, x + width + margin) - left)
  }
}

extension Image where Pixel == Int32 {
  /// Of the objects 1…count, each of which has pixels.
  public func boundingBoxes(count: Int) -> [BoundingBox] {
    var first = [(y: Int, x: Int)](repeating: (height, width), count: count), last = [(y: Int, x: Int)](repeating: (0, 0), count: count)
    pixels.withUnsafeBufferPointer { pixels in
      for y in 0..<height {
        for x in 0..<width {
          let object = Int(pixels[y * width + x]) - 1
          if object < 0 { continue }
          first[object] = (min(first[object].y, y), min(first[object].x, x))
          last[object] = (y, max(last[object].x, x))
        }
      }
    }
    return zip(first, last).map { BoundingBox(y: $0.y, x: $0.x, height: $1.y - $0.y + 1, width: $1.x - $0.x + 1) }
  }
}
