import Imaging

/// Size, shape and intensity of one object, in pixels; scikit-image's `regionprops` gives the same numbers.
public struct ObjectMeasurements: Sendable, Hashable {
  public var label: Int
  /// Of the pixels' centres; the upper left pixel's is (0, 0).
  public var centroid: (y: Double, x: Double) { (centroidY, centroidX) }
  public var centroidY: Double
  public var centroidX: Double
  public var box: BoundingBox
  public var area: Int
  /// Of the line through the centres of the border pixels, steps counted 1, √2 and (1 + √2)/2.
  /// K. Benkrid, D. Crookes, A. Benkrid, "Design and FPGA implementation of a perimeter estimator", 2000.
  public var perimeter: Double
  /// Of the ellipse with the object's second moments: 0 for a circle, towards 1 for a line.
  public var eccentricity: Double
  /// Area over the area of the convex hull.
  public var solidity: Double
  /// Over the object's pixels, in the units of the image that was given.
  public var meanIntensity: Double
  public var integratedIntensity: Double

  /// Measures the objects 1…count of `labels`, each of which has pixels, on `image`.
  public static func measure(_ labels: LabelImage, count: Int, on image: GrayImage) -> [ObjectMeasurements] {
    precondition(labels.width == image.width && labels.height == image.height, "labels and image differ in size")
    return labels.boundingBoxes(count: count).enumerated().map { ObjectMeasurements(Int32($0 + 1), within: $1, of: labels, on: image) }
  }

  private init(_ label: Int32, within box: BoundingBox, of labels: LabelImage, on image: GrayImage) {
    var area = 0, sumY = 0, sumX = 0, sum = 0.0
    var rows: [ObjectRow] = []
    rows.reserveCapacity(box.height)
    for y in 0..<box.height {
      var row = ObjectRow(first: box.width, last: -1)
      for x in 0..<box.width where labels[box.y + y, box.x + x] == label {
        area += 1
        sumY += y
        sumX += x
        sum += Double(image[box.y + y, box.x + x])
        row = ObjectRow(first: min(row.first, x), last: x)
      }
      rows.append(row)
    }
    let meanY = Double(sumY) / Double(area), meanX = Double(sumX) / Double(area)
    var yy = 0.0, xx = 0.0, yx = 0.0
    for y in 0..<box.height {
      for x in 0..<box.width where labels[box.y + y, box.x + x] == label {
        let dy = Double(y) - meanY, dx = Double(x) - meanX
        yy += dy * dy
        xx += dx * dx
        yx += dy * dx
      }
    }
    self.label = Int(label)
    (self.box, self.area, centroidY, centroidX) = (box, area, Double(box.y) + meanY, Double(box.x) + meanX)
    (meanIntensity, integratedIntensity) = (sum / Double(area), sum)
    eccentricity = Self.eccentricity(yy / Double(area), xx / Double(area), yx / Double(area))
    solidity = Double(area) / Double(convexArea(rows))
    perimeter = Self.perimeter(label, within: box, of: labels)
  }

  /// √(1 − l₂/l₁) of the second moments' eigenvalues l₁ ≥ l₂.
  private static func eccentricity(_ yy: Double, _ xx: Double, _ yx: Double) -> Double {
    let half = (yy + xx) / 2, spread = (((yy - xx) / 2) * ((yy - xx) / 2) + yx * yx).squareRoot()
    let (great, small) = (half + spread, max(0, half - spread))
    return great > 0 ? (1 - small / great).squareRoot() : 0
  }

  /// A border pixel has a neighbour (of four) outside; its kind is told by its border neighbours: 2 for each at a side, 10 for each at a corner.
  private static func perimeter(_ label: Int32, within box: BoundingBox, of labels: LabelImage) -> Double {
    // With a margin of two pixels outside, so that every neighbour is there.
    let width = box.width + 4
    var inside = [Bool](repeating: false, count: width * (box.height + 4)), border = inside
    for y in 0..<box.height { for x in 0..<box.width { inside[(y + 2) * width + x + 2] = labels[box.y + y, box.x + x] == label } }
    for place in width..<(inside.count - width) where inside[place] {
      border[place] = !(inside[place - width] && inside[place - 1] && inside[place + 1] && inside[place + width])
    }
    var straight = 0, diagonal = 0, mixed = 0
    for place in width..<(inside.count - width) where border[place] {
      func count(_ steps: Int...) -> Int { steps.reduce(0) { $0 + (border[place + $1] ? 1 : 0) } }
      switch 1 + 2 * count(-width, -1, 1, width) + 10 * count(-width - 1, -width + 1, width - 1, width + 1) {
      case 5, 7, 15, 17, 25, 27: straight += 1
      case 21, 33: diagonal += 1
      case 13, 23: mixed += 1
      default: break
      }
    }
    let root = 2.0.squareRoot()
    return Double(straight) + Double(diagonal) * root + Double(mixed) * (1 + root) / 2
  }
}

/// Outermost columns of an object in one row of its box; none where `last` is below `first`.
private struct ObjectRow {
  var first: Int
  var last: Int
}

/// Pixels whose centres lie in or on the convex hull of the object's pixels, each taken as the diamond of its four sides' middles. In whole
/// numbers (half pixels), so that what lies on the hull is told exactly.
private func convexArea(_ rows: [ObjectRow]) -> Int {
  var points: [(y: Int, x: Int)] = []
  for (y, row) in rows.enumerated() where row.last >= row.first {
    for x in [row.first, row.last] { points += [(2 * y, 2 * x - 1), (2 * y, 2 * x + 1), (2 * y - 1, 2 * x), (2 * y + 1, 2 * x)] }
  }
  points.sort { ($0.y, $0.x) < ($1.y, $1.x) }
  // The hull's left and right chains, from top to bottom (A. M. Andrew's monotone chain).
  func chain(turning sign: Int) -> [(y: Int, x: Int)] {
    var kept: [(y: Int, x: Int)] = []
    for point in points {
      while kept.count >= 2 {
        let (a, b) = (kept[kept.count - 2], kept[kept.count - 1])
        let cross = (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x)
        if cross * sign > 0 { break }
        kept.removeLast()
      }
      kept.append(point)
    }
    return kept
  }
  let left = chain(turning: -1), right = chain(turning: 1)

  /// Where a chain crosses row `y` (half pixels), as a fraction.
  func crossing(_ chain: [(y: Int, x: Int)], _ y: Int) -> (numerator: Int, denominator: Int) {
    let next = chain.firstIndex { $0.y >= y }!
    if chain[next].y == y { return (chain[next].x, 1) }
    let (a, b) = (chain[next - 1], chain[next])
    return (a.x * (b.y - a.y) + (b.x - a.x) * (y - a.y), b.y - a.y)
  }
  func ceiling(_ a: Int, _ b: Int) -> Int { a > 0 ? (a + b - 1) / b : -(-a / b) }
  func floor(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : -((-a + b - 1) / b) }
  return rows.indices.reduce(0) { area, row in
    let from = crossing(left, 2 * row), to = crossing(right, 2 * row)
    return area + max(0, floor(to.numerator, 2 * to.denominator) - ceiling(from.numerator, 2 * from.denominator) + 1)
  }
}
