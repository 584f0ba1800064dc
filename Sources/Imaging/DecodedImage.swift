import Diagnostics

/// A PNG file's samples, palette and transparency expanded.
public struct DecodedImage: Sendable, Equatable {
  public var width: Int
  public var height: Int
  /// 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.
  public var channels: Int
  /// 8 (samples 0…255; files of 1, 2 and 4 bits are spread over that range) or 16 (0…65,535).
  public var bitDepth: Int
  /// `[height, width, channels]`, interleaved.
  public var samples: [UInt16]

  public init(width: Int, height: Int, channels: Int, bitDepth: Int, samples: [UInt16]) {
    precondition((1...4).contains(channels) && (bitDepth == 8 || bitDepth == 16), "\(channels) channels of \(bitDepth) bits")
    precondition(samples.count == width * height * channels, "\(samples.count) samples cannot fill \(width) × \(height) × \(channels)")
    (self.width, self.height, self.channels, self.bitDepth, self.samples) = (width, height, channels, bitDepth, samples)
  }

  /// The value of full white: 255 or 65,535.
  public var fullScale: Double { bitDepth == 16 ? 65_535 : 255 }

  /// Whether R = G = B at every pixel: the paper's "grey-scale images only". True for files without colour; alpha is ignored.
  public var isGray: Bool {
    guard channels >= 3 else { return true }
    return samples.withUnsafeBufferPointer { s in
      stride(from: 0, to: s.count, by: channels).allSatisfy { s[$0] == s[$0 + 1] && s[$0] == s[$0 + 2] }
    }
  }

  /// Grey values in [0, 1]. Colour by luminance, 0.2125 R + 0.7154 G + 0.0721 B (scikit-image's `rgb2gray`); alpha is ignored.
  public var gray: GrayImage {
    let scale = 1 / fullScale
    let isColor = channels >= 3 && !isGray
    let pixels = samples.withUnsafeBufferPointer { s in
      [Float](unsafeUninitializedCapacity: width * height) { out, count in
        for i in 0..<(width * height) {
          let p = i * channels
          // A grey pixel keeps its value to the bit: the weights' sum is 1 only up to rounding.
          let value = isColor ? 0.2125 * Double(s[p]) + 0.7154 * Double(s[p + 1]) + 0.0721 * Double(s[p + 2]) : Double(s[p])
          out[i] = Float(value * scale)
        }
        count = width * height
      }
    }
    return GrayImage(width: width, height: height, pixels: pixels)
  }

  /// Mean of R, G and B (or of grey) over all pixels, as a fraction of full scale, in [0, 1]; alpha is ignored.
  public var meanIntensity: Double {
    let color = channels >= 3 ? 3 : 1
    var sum = 0
    samples.withUnsafeBufferPointer { s in
      for p in stride(from: 0, to: s.count, by: channels) {
        for c in 0..<color { sum += Int(s[p + c]) }
      }
    }
    return Double(sum) / (fullScale * Double(max(1, width * height * color)))
  }

  /// 1 where the first channel is not zero.
  public var mask: Mask { Mask(width: width, height: height, pixels: firstChannel { $0 == 0 ? 0 : 1 }) }

  /// The first channel's values as labels (what `PNG.write` makes of a `LabelImage`).
  public var labels: LabelImage { LabelImage(width: width, height: height, pixels: firstChannel { Int32($0) }) }

  /// The same; throws `UserError` (exit 6) where the image is in colour: its first channel would be taken for labels.
  func grayLabels(path: String) throws -> LabelImage {
    guard isGray else { throw UserError("\(path): in colour; a mask or label image is grey, and its values are the labels", exitCode: .damagedData) }
    return labels
  }

  private func firstChannel<Pixel>(_ transform: (UInt16) -> Pixel) -> [Pixel] {
    samples.withUnsafeBufferPointer { s in
      [Pixel](unsafeUninitializedCapacity: width * height) { out, count in
        for i in 0..<(width * height) { out.initializeElement(at: i, to: transform(s[i &* channels])) }
        count = width * height
      }
    }
  }
}
