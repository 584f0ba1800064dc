import TensorCore
import Testing

@testable import Imaging

@Suite struct AugmentationTests {
  static let still = AugmentationRecipe(blur: 0, blurRadius: 0, color: 0, colorStrength: 0, flip: 0, rotation: 0, scale: 0)
  static let full = AugmentationRecipe(blur: 1, blurRadius: 2, color: 1, colorStrength: 0.3, flip: 0.5, rotation: 10, scale: 0.1)

  static func sample(_ width: Int, _ height: Int) -> (GrayImage, Mask) {
    var random = CounterRandom(seed: width, purpose: .testing, epoch: height)
    let image = GrayImage(width: width, height: height, pixels: (0..<(width * height)).map { _ in random.uniform() })
    return (image, image.map { $0 > 0.6 ? 1 : 0 })
  }

  @Test func nothingIsAskedFor() {
    let (image, mask) = Self.sample(13, 8)
    for sample in 0..<20 {
      var random = CounterRandom(seed: 3, purpose: .augmentation, sample: sample)
      let copy = augment(image: image, mask: mask, recipe: Self.still, random: &random)
      #expect(copy.0 == image && copy.1 == mask)
    }
  }

  @Test("The same draws give the same copy; every call takes as many words") func repeatable() {
    let (image, mask) = Self.sample(21, 16)
    var words: Set<UInt32> = []
    for recipe in [Self.still, Self.full] {
      var first = CounterRandom(seed: 3, purpose: .augmentation, sample: 9), second = first
      let (a, b) = (augment(image: image, mask: mask, recipe: recipe, random: &first), augment(image: image, mask: mask, recipe: recipe, random: &second))
      #expect(a.0 == b.0 && a.1 == b.1)
      words.insert(first.nextWord())
    }
    #expect(words.count == 1)
  }

  @Test("Copies stay in range and image and mask keep one size") func bounds() {
    let (image, mask) = Self.sample(21, 16)
    var shapes: Set<[Int]> = [], copies: Set<[Float]> = []
    for sample in 0..<200 {
      var random = CounterRandom(seed: 1, purpose: .augmentation, sample: sample)
      let copy = augment(image: image, mask: mask, recipe: Self.full, random: &random)
      #expect(copy.0.pixels.allSatisfy { (0...1).contains($0) } && copy.1.pixels.allSatisfy { $0 <= 1 })
      #expect(copy.0.width == copy.1.width && copy.0.height == copy.1.height)
      shapes.insert([copy.0.width, copy.0.height])
      copies.insert(copy.0.pixels)
    }
    #expect(shapes == [[21, 16], [16, 21]] && copies.count == 200)
  }

  @Test func drawsFollowTheirProbabilities() {
    let recipe = AugmentationRecipe(blur: 0.6, blurRadius: 3, color: 0.4, colorStrength: 0.25, flip: 0.3, rotation: 15, scale: 0.2)
    let variations = (0..<6000).map { sample in
      var random = CounterRandom(seed: 7, purpose: .augmentation, sample: sample)
      return Variation(recipe, &random)
    }
    func share(_ condition: (Variation) -> Bool) -> Double { Double(variations.filter(condition).count) / 6000 }
    for kind in [Variation.Blur.gaussian, .median, .average] { #expect(abs(share { $0.blur == kind } - 0.2) < 0.02) }
    for kind in [Variation.Color.hue, .saturation, .contrast, .illumination] { #expect(abs(share { $0.color == kind } - 0.1) < 0.02) }
    #expect(abs(share { $0.geometry.flipsHorizontally } - 0.3) < 0.02 && abs(share { $0.geometry.flipsVertically } - 0.3) < 0.02)
    for quarters in 0..<4 { #expect(abs(share { $0.geometry.quarterTurns == quarters } - 0.25) < 0.02) }
    #expect(variations.allSatisfy { abs($0.geometry.rotation) <= 15 && abs($0.geometry.scale - 1) <= 0.2 && abs($0.colorFactor - 1) <= 0.25 })
    #expect(variations.allSatisfy { $0.blurRadius > 0 && $0.blurRadius <= 3 })
    #expect(share { $0.geometry.rotation > 7.5 } > 0.2 && share { $0.geometry.rotation < -7.5 } > 0.2)
  }

  @Test func flipsAndQuarterTurnsMovePixelsExactly() {
    let image = Image<Float>(width: 3, height: 2, pixels: [1, 2, 3, 4, 5, 6])
    func moved(_ change: (inout Geometry) -> Void) -> Image<Float> {
      var geometry = Geometry()
      change(&geometry)
      #expect(geometry.applied(to: image) == geometry.applied(toLabels: image))
      return geometry.applied(to: image)
    }
    #expect(moved { $0.flipsHorizontally = true }.pixels == [3, 2, 1, 6, 5, 4])
    #expect(moved { $0.flipsVertically = true }.pixels == [4, 5, 6, 1, 2, 3])
    let turned = moved { $0.quarterTurns = 1 }
    #expect(turned.width == 2 && turned.pixels == [3, 6, 2, 5, 1, 4])
    #expect(moved { $0.quarterTurns = 2 }.pixels == [6, 5, 4, 3, 2, 1])
    #expect(moved { $0.quarterTurns = 3 }.pixels == [4, 1, 5, 2, 6, 3])
  }

  @Test("Rotation by 90° is a quarter turn, and scaling keeps the centre") func rotation() {
    let (image, mask) = Self.sample(9, 9)
    var (quarter, rotated) = (Geometry(), Geometry())
    quarter.quarterTurns = 1
    rotated.rotation = 90
    #expect(largestDifference(quarter.applied(to: image).pixels, rotated.applied(to: image).pixels) < 1e-5)
    #expect(quarter.applied(toLabels: mask) == rotated.applied(toLabels: mask))

    var scaled = Geometry()
    scaled.scale = 2
    let large = scaled.applied(to: image)
    #expect(large[4, 4] == image[4, 4] && large[2, 6] == image[3, 5] && large[0, 0] == image[2, 2])
    #expect(abs(large[4, 5] - (image[4, 4] + image[4, 5]) / 2) < 1e-6)
    scaled.scale = 0.5
    // Three pixels past the border is three pixels back from it.
    #expect(scaled.applied(to: image)[0, 4] == image[4, 4] && scaled.applied(to: image)[1, 4] == image[2, 4])
  }

  @Test func contrastAndIllumination() {
    let image = GrayImage(width: 2, height: 1, pixels: [0.2, 0.6])
    var random = CounterRandom(seed: 1, purpose: .augmentation)
    var variation = Variation(Self.still, &random)
    variation.colorFactor = 1.5
    variation.color = .contrast
    #expect(largestDifference(variation.appearance(of: image).pixels, [0.1, 0.7]) < 1e-6)
    variation.color = .illumination
    #expect(largestDifference(variation.appearance(of: image).pixels, [0.3, 0.9]) < 1e-6)
    variation.colorFactor = 2
    #expect(variation.appearance(of: image).pixels == [0.4, 1])
    for color in [Variation.Color.hue, .saturation] {
      variation.color = color
      #expect(variation.appearance(of: image) == image)
    }
  }
}
