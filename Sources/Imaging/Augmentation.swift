import TensorCore

/// How training images are varied at random: the augmentations that the paper names.
public struct AugmentationRecipe: Sendable, Hashable {
  /// Probability of a blur: Gaussian, median or average, drawn evenly.
  public var blur: Double
  /// Largest radius of a blur, pixels. A Gaussian blur of radius r has standard deviation r/2; the other two round r to 1 or more.
  public var blurRadius: Double
  /// Probability of a change in colour: of hue, saturation, contrast or illumination, drawn evenly. A grey image has neither hue nor
  /// saturation, so half of these draws change nothing; they are drawn all the same, as the paper draws them.
  public var color: Double
  /// Largest relative change of what `color` drew.
  public var colorStrength: Double
  /// Probability of a horizontal and, drawn apart, of a vertical flip.
  public var flip: Double
  /// Largest rotation, degrees either way, after a random quarter turn; 0 turns nothing, not even by quarters.
  public var rotation: Double
  /// Largest relative change of scale, below 1.
  public var scale: Double

  public init(
    blur: Double, blurRadius: Double, color: Double, colorStrength: Double, flip: Double, rotation: Double, scale: Double
  ) {
    precondition(blurRadius >= 0 && (0..<1).contains(scale), "blur radius \(blurRadius), scale \(scale)")
    (self.blur, self.blurRadius, self.color, self.colorStrength) = (blur, blurRadius, color, colorStrength)
    (self.flip, self.rotation, self.scale) = (flip, rotation, scale)
  }
}

/// One random variation of an image and its mask: blur, then colour, then place.
///
/// Blur and colour change the image alone; both are flipped, turned, rotated and scaled together (image bilinear, mask by the nearest
/// pixel, mirrored at the border). A quarter turn swaps width and height. Every call takes the same number of words from `random`,
/// whatever comes of them: changing one setting does not shift what the others draw.
public func augment(
  image: GrayImage, mask: Mask, recipe: AugmentationRecipe, random: inout CounterRandom
) -> (GrayImage, Mask) {
  precondition(image.width == mask.width && image.height == mask.height, "the mask has another size than its image")
  let variation = Variation(recipe, &random)
  return (variation.geometry.applied(to: variation.appearance(of: image)), variation.geometry.applied(toLabels: mask))
}

/// What was drawn for one copy.
struct Variation: Sendable, Equatable {
  enum Blur: Int, Sendable { case gaussian, median, average }
  enum Color: Int, Sendable { case hue, saturation, contrast, illumination }
  /// nil: not blurred.
  var blur: Blur?
  var blurRadius: Double
  /// nil: colours kept.
  var color: Color?
  /// Factor of what `color` says.
  var colorFactor: Double
  var geometry: Geometry

  init(_ recipe: AugmentationRecipe, _ random: inout CounterRandom) {
    // Drawn in full and in this order, before anything is decided.
    let blurs = Double(random.uniform()) < recipe.blur
    let blurKind = Blur(rawValue: random.below(3))
    blurRadius = recipe.blurRadius * (1 - Double(random.uniform()))
    blur = blurs && blurRadius > 0 ? blurKind : nil
    let colors = Double(random.uniform()) < recipe.color
    let colorKind = Color(rawValue: random.below(4))
    colorFactor = 1 + recipe.colorStrength * (2 * Double(random.uniform()) - 1)
    color = colors ? colorKind : nil
    geometry = Geometry()
    geometry.flipsHorizontally = Double(random.uniform()) < recipe.flip
    geometry.flipsVertically = Double(random.uniform()) < recipe.flip
    let quarters = random.below(4)
    geometry.quarterTurns = recipe.rotation > 0 ? quarters : 0
    geometry.rotation = recipe.rotation * (2 * Double(random.uniform()) - 1)
    geometry.scale = 1 + recipe.scale * (2 * Double(random.uniform()) - 1)
  }

  /// Blur and colour; values stay in [0, 1].
  func appearance(of image: GrayImage) -> GrayImage {
    let wholeRadius = max(1, Int(blurRadius.rounded()))
    let blurred =
      switch blur {
      case .gaussian: image.blurredGaussian(sigma: blurRadius / 2)
      case .median: image.blurredMedian(radius: wholeRadius)
      case .average: image.blurredAverage(radius: wholeRadius)
      case nil: image
      }
    let factor = Float(colorFactor)
    switch color {
    case .contrast:
      let mean = Float(blurred.pixels.reduce(0.0) { $0 + Double($1) } / Double(max(1, blurred.pixels.count)))
      return blurred.map { min(max(mean + ($0 - mean) * factor, 0), 1) }
    case .illumination: return blurred.map { min(max($0 * factor, 0), 1) }
    case .hue, .saturation, nil: return blurred
    }
  }
}
