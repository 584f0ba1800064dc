import Imaging

/// An RGB picture to draw tiles and labels on; what falls outside is cut off.
struct Canvas {
  private(set) var picture: RGBImage

  init(width: Int, height: Int, fill: RGB) { picture = RGBImage(width: width, height: height, repeating: fill) }

  mutating func fill(x: Int, y: Int, width: Int, height: Int, _ color: RGB) {
    for row in max(0, y)..<max(0, min(picture.height, y + height)) where row >= 0 {
      for column in max(0, x)..<max(max(0, x), min(picture.width, x + width)) { picture[row, column] = color }
    }
  }

  /// The outline of a rectangle, `thickness` pixels inwards.
  mutating func outline(x: Int, y: Int, width: Int, height: Int, thickness: Int = 1, _ color: RGB) {
    fill(x: x, y: y, width: width, height: thickness, color)
    fill(x: x, y: y + height - thickness, width: width, height: thickness, color)
    fill(x: x, y: y, width: thickness, height: height, color)
    fill(x: x + width - thickness, y: y, width: thickness, height: height, color)
  }

  mutating func place(_ tile: RGBImage, x: Int, y: Int) {
    for row in 0..<tile.height {
      for column in 0..<tile.width where y + row < picture.height && x + column < picture.width {
        picture[y + row, x + column] = tile[row, column]
      }
    }
  }

  /// Letters of `letterScale` times the font's size.
  mutating func write(_ text: String, x: Int, y: Int, _ color: RGB) {
    for (index, character) in text.enumerated() {
      for (row, line) in BitmapFont.coverage(of: character).enumerated() {
        for (column, share) in line.enumerated() where share > 0 {
          let (px, py) = (x + index * BitmapFont.advance * Self.letterScale + column, y + row)
          guard (0..<picture.width).contains(px), (0..<picture.height).contains(py) else { continue }
          picture[py, px] = picture[py, px].mixed(with: color, share)
        }
      }
    }
  }

  static let letterScale = 2
  static func width(of text: String) -> Int { max(0, text.count * BitmapFont.advance - 1) * letterScale }
}

extension RGB {
  fileprivate func mixed(with other: RGB, _ share: Float) -> RGB {
    func mix(_ a: UInt8, _ b: UInt8) -> UInt8 { UInt8((Float(a) * (1 - share) + Float(b) * share).rounded()) }
    return RGB(mix(red, other.red), mix(green, other.green), mix(blue, other.blue))
  }
}

/// Scaling for tiles.
enum Scaling {
  /// By the nearest pixel: masks keep their exact colours.
  static func nearest<Pixel>(_ image: Image<Pixel>, width: Int, height: Int) -> Image<Pixel> {
    var pixels: [Pixel] = []
    pixels.reserveCapacity(width * height)
    for y in 0..<height {
      let row = (2 * y + 1) * image.height / (2 * height)
      for x in 0..<width { pixels.append(image[row, (2 * x + 1) * image.width / (2 * width)]) }
    }
    return Image(width: width, height: height, pixels: pixels)
  }

  /// Bilinear; where the image shrinks, the triangle is as wide as the shrinking asks, so that no pixel is skipped.
  static func smooth(_ image: GrayImage, width: Int, height: Int) -> GrayImage {
    let across = weights(from: image.width, to: width), down = weights(from: image.height, to: height)
    var narrow = GrayImage(width: width, height: image.height, repeating: 0)
    for y in 0..<image.height {
      for x in 0..<width {
        var sum: Float = 0
        for (index, weight) in across[x].weights.enumerated() { sum += weight * image[y, across[x].first + index] }
        narrow[y, x] = sum
      }
    }
    var scaled = GrayImage(width: width, height: height, repeating: 0)
    for y in 0..<height {
      for (index, weight) in down[y].weights.enumerated() {
        for x in 0..<width { scaled[y, x] += weight * narrow[down[y].first + index, x] }
      }
    }
    return scaled
  }

  /// For each target pixel the first source pixel and the triangle's weights from there on, summing to 1.
  private static func weights(from source: Int, to target: Int) -> [(first: Int, weights: [Float])] {
    let step = Float(source) / Float(target), reach = max(1, step)
    return (0..<target).map { place in
      let centre = (Float(place) + 0.5) * step - 0.5
      let first = max(0, Int((centre - reach).rounded(.up))), last = min(source - 1, Int((centre + reach).rounded(.down)))
      let raw = (first...last).map { max(0, 1 - abs(Float($0) - centre) / reach) }
      let sum = raw.reduce(0, +)
      return (first, raw.map { $0 / sum })
    }
  }
}
