import Imaging
import Testing

/// What scipy and scikit-image made of random disks (`Tests/Oracles/object_oracles.py`).
private struct Splits: Decodable {
  struct Case: Decodable, CustomTestStringConvertible {
    var height, width, offset, spacing, connectivity, count: Int
    var testDescription: String { "\(count) objects, at least \(spacing) apart" }
    var area: Int { height * width }
    var mask: Mask { Mask(width: width, height: height, pixels: Array(Splits.data[offset..<(offset + area)])) }
    var squaredDistances: [Int32] {
      (0..<area).map { i in (0..<4).reduce(0) { $0 | Int32(Splits.data[offset + area + 4 * i + $1]) << (8 * $1) } }
    }
    var objects: [Int32] { Splits.data[(offset + 5 * area)..<(offset + 6 * area)].map(Int32.init) }
  }
  var cases: [Case]
  static let stored: Splits = Fixture.json("watershed.json")
  static let data = Fixture.bytes("watershed.bin")
}

@Suite struct WatershedTests {
  @Test(arguments: Splits.stored.cases) private func distancesAreScipys(_ c: Splits.Case) {
    #expect(c.mask.squaredDistances().pixels == c.squaredDistances)
  }

  @Test(arguments: Splits.stored.cases) private func objectsAreScikitImages(_ c: Splits.Case) {
    let regions = c.mask.connectedRegions(connectivity: c.connectivity)
    let (labels, count) = regions.labels.splitByDistance(count: regions.count, spacing: c.spacing, connectivity: c.connectivity)
    #expect(count == c.count)
    #expect(labels.map { $0 == 0 ? UInt8(0) : 1 } == c.mask)
    // Numbers differ; which pixels belong together does not, but for pixels as near to one peak as to another (of these small objects some).
    var votes: [Int32: [Int32: Int]] = [:]
    for (our, their) in zip(labels.pixels, c.objects) where our > 0 { votes[our, default: [:]][their, default: 0] += 1 }
    let agreeing = votes.values.reduce(0) { $0 + $1.values.max()! }
    #expect(Double(agreeing) >= 0.98 * Double(c.objects.filter { $0 > 0 }.count), "\(agreeing) pixels agree")
    #expect(Set(votes.values.map { $0.max { $0.value < $1.value }!.key }).count == c.count)
  }

  @Test func distanceWithoutBackgroundAndToIt() {
    #expect(Mask(width: 3, height: 2, repeating: 1).squaredDistances().pixels.allSatisfy { $0 == .max })
    let row = Mask(width: 5, height: 1, pixels: [0, 1, 1, 1, 1])
    #expect(row.squaredDistances().pixels == [0, 1, 4, 9, 16])
    // A region that is the whole image is one object.
    let whole = Mask(width: 4, height: 4, repeating: 1).connectedRegions(connectivity: 8)
    #expect(whole.labels.splitByDistance(count: 1, spacing: 1, connectivity: 8) == (whole.labels, 1))
  }
}
