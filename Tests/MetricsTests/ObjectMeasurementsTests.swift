import Foundation
import Imaging
import Metrics
import Testing

/// What scikit-image's `regionprops` says of objects (`Tests/Oracles/object_oracles.py`).
private struct Regionprops: Decodable {
  struct Object: Decodable {
    var label, area: Int
    var centroid: [Double]
    /// First row and column, and those behind the last.
    var box: [Int]
    var perimeter, eccentricity, solidity, meanIntensity, integratedIntensity: Double
  }
  struct Case: Decodable, CustomTestStringConvertible {
    var height, width, offset: Int
    var objects: [Object]
    var testDescription: String { "\(height) × \(width) at \(offset)" }
    func bytes(_ which: Int) -> [UInt8] {
      let start = offset + which * width * height
      return Array(Regionprops.data[start..<(start + width * height)])
    }
  }
  var cases: [Case]

  static let fixtures = Bundle.module.url(forResource: "Fixtures", withExtension: nil)!
  static let data = [UInt8](try! Data(contentsOf: fixtures.appendingPathComponent("objects.bin")))
  static let stored = try! JSONDecoder().decode(Regionprops.self, from: Data(contentsOf: fixtures.appendingPathComponent("objects.json")))
}

@Suite struct ObjectMeasurementsTests {
  @Test(arguments: Regionprops.stored.cases) private func scikitImageAgrees(_ c: Regionprops.Case) {
    let labels = LabelImage(width: c.width, height: c.height, pixels: c.bytes(0).map(Int32.init))
    let image = GrayImage(width: c.width, height: c.height, pixels: c.bytes(1).map { Float($0) })
    let ours = ObjectMeasurements.measure(labels, count: c.objects.count, on: image)
    #expect(ours.map(\.label) == c.objects.map(\.label))
    for (our, their) in zip(ours, c.objects) {
      func agree(_ a: Double, _ b: Double, _ what: String) { #expect(abs(a - b) <= 1e-9 * max(1, abs(b)), "\(what) of object \(our.label): \(a), scikit-image \(b)") }
      #expect(our.area == their.area)
      #expect(our.box == BoundingBox(y: their.box[0], x: their.box[1], height: their.box[2] - their.box[0], width: their.box[3] - their.box[1]))
      agree(our.centroid.y, their.centroid[0], "row of the centroid")
      agree(our.centroid.x, their.centroid[1], "column of the centroid")
      agree(our.perimeter, their.perimeter, "perimeter")
      // √(1 − l₂/l₁) has no digits to spare near a circle.
      #expect(abs(our.eccentricity * our.eccentricity - their.eccentricity * their.eccentricity) < 1e-9, "eccentricity of object \(our.label)")
      agree(our.solidity, their.solidity, "solidity")
      agree(our.meanIntensity, their.meanIntensity, "mean intensity")
      agree(our.integratedIntensity, their.integratedIntensity, "integrated intensity")
    }
  }

  @Test func nothingIsMeasuredWhereNothingIs() {
    #expect(ObjectMeasurements.measure(LabelImage(width: 3, height: 2, repeating: 0), count: 0, on: GrayImage(width: 3, height: 2, repeating: 1)).isEmpty)
  }
}
