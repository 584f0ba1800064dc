import TensorCore

/// A change of place that an image and its mask go through together: flips, quarter turns, then a small rotation and scaling about
/// the centre.
struct Geometry: Sendable, Equatable {
  var flipsHorizontally = false
  var flipsVertically = false
  /// Quarter turns counter-clockwise, 0…3. An odd number swaps width and height.
  var quarterTurns = 0
  /// Degrees counter-clockwise.
  var rotation = 0.0
  /// Above 1 enlarges what is seen.
  var scale = 1.0

  /// Bilinear between pixels; beyond the border the image goes on as its own mirror image.
  func applied(to image: GrayImage) -> GrayImage {
    let turned = turnedAndFlipped(image)
    guard let inverse = Inverse(self, turned.width, turned.height) else { return turned }
    var out = turned
    turned.pixels.withUnsafeBufferPointer { source in
      out.pixels.withUnsafeMutableBufferPointer { out in
        for y in 0..<turned.height {
          for x in 0..<turned.width {
            let (sy, sx) = inverse.source(y, x)
            let (top, left) = (sy.rounded(.down), sx.rounded(.down))
            let (dy, dx) = (Float(sy - top), Float(sx - left))
            let (y0, y1) = (reflected(Int(top), turned.height) * turned.width, reflected(Int(top) + 1, turned.height) * turned.width)
            let (x0, x1) = (reflected(Int(left), turned.width), reflected(Int(left) + 1, turned.width))
            let above = source[y0 + x0] + (source[y0 + x1] - source[y0 + x0]) * dx
            let below = source[y1 + x0] + (source[y1 + x1] - source[y1 + x0]) * dx
            out[y * turned.width + x] = above + (below - above) * dy
          }
        }
      }
    }
    return out
  }

  /// The nearest pixel: for masks and labels, whose values do not mix.
  func applied<Label>(toLabels image: Image<Label>) -> Image<Label> {
    let turned = turnedAndFlipped(image)
    guard let inverse = Inverse(self, turned.width, turned.height) else { return turned }
    var out = turned
    for y in 0..<turned.height {
      for x in 0..<turned.width {
        let (sy, sx) = inverse.source(y, x)
        out[y, x] = turned[reflected(Int(sy.rounded()), turned.height), reflected(Int(sx.rounded()), turned.width)]
      }
    }
    return out
  }

  /// The part that moves pixels without mixing them.
  private func turnedAndFlipped<Pixel>(_ image: Image<Pixel>) -> Image<Pixel> {
    let (width, height) = quarterTurns % 2 == 0 ? (image.width, image.height) : (image.height, image.width)
    var pixels: [Pixel] = []
    pixels.reserveCapacity(width * height)
    for y in 0..<height {
      for x in 0..<width {
        var (sy, sx) = (y, x)
        switch quarterTurns {
        case 1: (sy, sx) = (x, height - 1 - y)
        case 2: (sy, sx) = (height - 1 - y, width - 1 - x)
        case 3: (sy, sx) = (width - 1 - x, y)
        default: break
        }
        if flipsHorizontally { sx = image.width - 1 - sx }
        if flipsVertically { sy = image.height - 1 - sy }
        pixels.append(image[sy, sx])
      }
    }
    return Image(width: width, height: height, pixels: pixels)
  }

  /// Where a pixel of the rotated and scaled image comes from.
  private struct Inverse {
    var cosine: Double, sine: Double, centreY: Double, centreX: Double

    /// nil where nothing is rotated or scaled, so that such an image stays the same to the bit.
    init?(_ geometry: Geometry, _ width: Int, _ height: Int) {
      if geometry.rotation == 0 && geometry.scale == 1 { return nil }
      let angle = geometry.rotation / 180 * Double.pi
      (cosine, sine) = (angle.cosine() / geometry.scale, (angle - Double.pi / 2).cosine() / geometry.scale)
      (centreY, centreX) = (Double(height - 1) / 2, Double(width - 1) / 2)
    }

    func source(_ y: Int, _ x: Int) -> (Double, Double) {
      let (dy, dx) = (Double(y) - centreY, Double(x) - centreX)
      return (centreY + cosine * dy + sine * dx, centreX + cosine * dx - sine * dy)
    }
  }
}
