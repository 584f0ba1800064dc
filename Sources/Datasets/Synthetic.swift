import Files
import Foundation
import Diagnostics
import ExperimentSpec
import Imaging
import TensorCore

/// Nuclei as a fluorescence microscope shows them: dim to bright, unevenly lit, blurred, noisy, of many sizes, some touching or overlapping.
public enum Synthetic {
  /// Enters the digest: raise it whenever the same settings would give other pixels.
  static let version = 1

  public struct Scene: Sendable {
    /// 8-bit grey, `[side, side]`.
    public var image: DecodedImage
    public var truth: Truth
  }

  static func id(_ index: Int, _ part: DatasetItem.Part) -> String {
    let digits = String(index)
    return "\(part == .training ? "train" : "test")-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  static func index(ofID id: String) -> Int? { id.split(separator: "-").last.flatMap { Int($0) } }

  /// The image and truth number `index` (from 0) of a part: a pure function of its arguments, `syntheticSide` and `syntheticSeed`.
  public static func image(index: Int, part: DatasetItem.Part, _ settings: DataSettings) -> Scene {
    let side = settings.syntheticSide
    var random = CounterRandom(seed: settings.syntheticSeed, purpose: .synthetic, epoch: part == .training ? 0 : 1, sample: index)
    let nuclei = layOut(side: side, &random)
    var light = GrayImage(width: side, height: side, repeating: 0)
    var labels = LabelImage(width: side, height: side, repeating: 0)
    let texture = cloud(side: side, grain: 5, &random)
    for (i, nucleus) in nuclei.enumerated() { nucleus.draw(label: Int32(i + 1), texture: texture, light: &light, labels: &labels) }
    return Scene(image: expose(light, &random), truth: Truth(labels: labels, count: nuclei.count))
  }

  /// Writes the whole set as a folder of images and masks (16-bit label images), training at the top and test under `test/`.
  /// Throws `UserError` (exit 5).
  public static func write(to folder: String, _ settings: DataSettings, threads: Int) throws {
    for sub in ["images", "masks", "test/images", "test/masks"] { try DurableFile.makeFolder("\(folder)/\(sub)") }
    _ = try parallelMap(count: settings.syntheticTrain + settings.syntheticTest, threads: threads) { i in
      let part: DatasetItem.Part = i < settings.syntheticTrain ? .training : .test
      let index = part == .training ? i : i - settings.syntheticTrain
      let scene = image(index: index, part: part, settings)
      let prefix = folder + (part == .training ? "" : "/test")
      try PNG.write(scene.image.gray, to: "\(prefix)/images/\(id(index, part)).png")
      try PNG.write(scene.truth.labels, to: "\(prefix)/masks/\(id(index, part)).png")
    }
  }

  // MARK: Nuclei

  /// An ellipse with a wavy outline: radius(θ) = radius · (ellipse of axis ratio `flatness`) · (1 + Σ waveₖ cos(kθ + phaseₖ)), k = 2, 3, 4.
  private struct Nucleus {
    var y: Float, x: Float, radius: Float, flatness: Float, turn: Float
    var waves: [(size: Float, phase: Float)]
    var brightness: Float

    func draw(label: Int32, texture: GrayImage, light: inout GrayImage, labels: inout LabelImage) {
      let reach = radius * 1.6 + 2, side = light.width
      let rows = max(0, Int(y - reach))..<min(side, Int(y + reach) + 1), columns = max(0, Int(x - reach))..<min(side, Int(x + reach) + 1)
      for row in rows {
        for column in columns {
          let dy = Float(row) - y, dx = Float(column) - x
          let angle = atan2(dy, dx) - turn, distance = (dy * dy + dx * dx).squareRoot()
          let (c, s) = (cos(angle), sin(angle))
          var edge = radius * flatness.squareRoot() / (c * c * flatness * flatness + s * s).squareRoot()
          edge *= 1 + waves.enumerated().reduce(0) { $0 + $1.element.size * cos(Float($1.offset + 2) * angle + $1.element.phase) }
          let inside = (edge - distance) / 1.5
          if inside <= 0 { continue }
          // Brightest in the middle, textured like chromatin; where nuclei overlap, their light adds up.
          let depth = min(1, inside) * (0.75 + 0.25 * min(1, (edge - distance) / (0.6 * edge)))
          light[row, column] += brightness * depth * (0.8 + 0.4 * texture[row, column])
          if labels[row, column] == 0 { labels[row, column] = label }
        }
      }
    }
  }

  /// Places nuclei one after another; about half go beside one already there, so that many touch and some overlap.
  private static func layOut(side: Int, _ random: inout CounterRandom) -> [Nucleus] {
    let extent = Float(side)
    let typical = exp(random.uniform(log(6)...log(17)))
    let crowding = random.uniform(0.08...0.38), clustering = random.uniform(0.15...0.6)
    let wanted = max(3, Int(crowding * extent * extent / (.pi * typical * typical)))
    var nuclei: [Nucleus] = []
    for _ in 0..<(wanted * 4) where nuclei.count < wanted {
      let radius = min(max(typical * exp(0.28 * random.normal()), 4.5), 26)
      var (y, x) = (random.uniform(0...extent), random.uniform(0...extent))
      let clustered = random.uniform() < clustering
      if clustered, !nuclei.isEmpty {
        let beside = nuclei[random.below(nuclei.count)], angle = random.uniform(0...(2 * .pi))
        let gap = (radius + beside.radius) * random.uniform(0.82...1.05)
        (y, x) = (beside.y + gap * sin(angle), beside.x + gap * cos(angle))
      }
      let nucleus = Nucleus(
        y: y, x: x, radius: radius, flatness: random.uniform(0.62...1), turn: random.uniform(0...(2 * .pi)),
        waves: [0.06, 0.04, 0.02].map { (size: $0 * random.normal() * 0.7, phase: random.uniform(0...(2 * .pi))) },
        brightness: exp(0.3 * random.normal()))
      let onImage = y > 0 && x > 0 && y < extent && x < extent
      let crowded = nuclei.contains { other in
        let distance = ((other.y - y) * (other.y - y) + (other.x - x) * (other.x - x)).squareRoot()
        return distance < (other.radius + radius) * (clustered ? 0.78 : 1.1)
      }
      if onImage && !crowded { nuclei.append(nucleus) }
    }
    return nuclei
  }

  // MARK: Microscope

  /// Uneven light, out-of-focus haze, blur, shot and read noise, 8 bits.
  private static func expose(_ light: GrayImage, _ random: inout CounterRandom) -> DecodedImage {
    let side = light.width
    let peak = exp(random.uniform(log(0.12)...log(0.75)))
    let background = random.uniform(0.01...0.07), haze = random.uniform(0.02...0.12), unevenness = random.uniform(0.1...0.7)
    let slope = random.uniform(0...(2 * .pi)), sharpness = random.uniform(0.6...1.9)
    let shot = random.uniform(0.008...0.03), read = random.uniform(0.003...0.015)
    let patchy = cloud(side: side, grain: Float(side) / 3, &random)
    let focused = blurred(light, sigma: sharpness), glow = blurred(light, sigma: Float(side) / 16)
    let samples = (0..<(side * side)).map { i -> UInt16 in
      let (y, x) = (Float(i / side) / Float(side) - 0.5, Float(i % side) / Float(side) - 0.5)
      let lamp = 1 - unevenness * (0.5 * (0.5 + cos(slope) * x + sin(slope) * y) + 0.5 * patchy.pixels[i])
      let signal = lamp * (background * (0.6 + 0.8 * patchy.pixels[i]) + peak * (focused.pixels[i] + haze * glow.pixels[i]))
      let noisy = signal + (shot * max(signal, 0).squareRoot() + read) * random.normal()
      return UInt16(min(max(noisy, 0), 1) * 255 + 0.5)
    }
    return DecodedImage(width: side, height: side, channels: 1, bitDepth: 8, samples: samples)
  }

  /// Smooth random field in [0, 1]: white noise blurred with σ = grain (pixels), stretched to its range.
  private static func cloud(side: Int, grain: Float, _ random: inout CounterRandom) -> GrayImage {
    // Drawn and blurred on a coarser lattice where the grain is wide, then interpolated: cost does not grow with the grain.
    let step = max(1, grain / 3), coarse = Int((Float(side) / step).rounded(.up)) + 2
    let noise = GrayImage(width: coarse, height: coarse, pixels: (0..<(coarse * coarse)).map { _ in random.uniform() })
    let smooth = blurred(noise, sigma: grain / step)
    let (low, high) = (smooth.pixels.min()!, smooth.pixels.max()!)
    var field = GrayImage(width: side, height: side, repeating: 0)
    for y in 0..<side {
      for x in 0..<side {
        let (fy, fx) = (Float(y) / step, Float(x) / step)
        let (y0, x0) = (Int(fy), Int(fx)), (ay, ax) = (fy - Float(Int(fy)), fx - Float(Int(fx)))
        let top = smooth[y0, x0] * (1 - ax) + smooth[y0, x0 + 1] * ax, bottom = smooth[y0 + 1, x0] * (1 - ax) + smooth[y0 + 1, x0 + 1] * ax
        field[y, x] = (top * (1 - ay) + bottom * ay - low) / max(high - low, 1e-6)
      }
    }
    return field
  }

  /// Gaussian blur, σ in pixels, borders repeated.
  private static func blurred(_ image: GrayImage, sigma: Float) -> GrayImage {
    let reach = Int((3 * sigma).rounded(.up))
    let weights = (-reach...reach).map { exp(-Float($0 * $0) / (2 * sigma * sigma)) }
    let sum = weights.reduce(0, +)
    func pass(_ source: GrayImage, along: (y: Int, x: Int)) -> GrayImage {
      var out = source
      for y in 0..<source.height {
        for x in 0..<source.width {
          var value: Float = 0
          for (k, weight) in weights.enumerated() {
            let sy = min(max(y + (k - reach) * along.y, 0), source.height - 1), sx = min(max(x + (k - reach) * along.x, 0), source.width - 1)
            value += weight * source[sy, sx]
          }
          out[y, x] = value / sum
        }
      }
      return out
    }
    return pass(pass(image, along: (0, 1)), along: (1, 0))
  }
}
