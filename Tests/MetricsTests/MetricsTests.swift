import Foundation
import Imaging
import Metrics
import Testing

/// Random label images scored by an independent implementation (`Tests/Oracles/metrics_oracle.py`).
private struct Oracle: Decodable {
  struct Case: Decodable, CustomTestStringConvertible {
    var height, width, offset, truthObjects, predictedObjects: Int
    var averageIoU, iouAt050, averagePrecision, contestScore: Double
    var testDescription: String { "\(height) × \(width) at \(offset)" }

    func labels(_ which: Int) -> LabelImage {
      let start = offset + which * width * height
      return LabelImage(width: width, height: height, pixels: Oracle.labels[start..<(start + width * height)].map(Int32.init))
    }
  }
  var cases: [Case]

  static let fixtures = Bundle.module.url(forResource: "Fixtures", withExtension: nil)!
  static let labels = [UInt8](try! Data(contentsOf: fixtures.appendingPathComponent("labels.bin")))
  static let stored = try! JSONDecoder().decode(Oracle.self, from: Data(contentsOf: fixtures.appendingPathComponent("scores.json")))
}

private func labels(_ rows: String...) -> LabelImage {
  let pixels = rows.flatMap { $0.map { Int32(String($0))! } }
  return LabelImage(width: rows[0].count, height: rows.count, pixels: pixels)
}

@Suite struct MetricsTests {
  @Test func oracleAgrees() {
    let cases = Oracle.stored.cases
    #expect(cases.count == 300)
    for c in cases {
      let ours = ImageMetrics.score(truth: c.labels(0), prediction: c.labels(1))
      #expect(ours.truthObjects == c.truthObjects && ours.predictedObjects == c.predictedObjects, "\(c)")
      #expect(abs(ours.averageIoU - c.averageIoU) < 1e-12, "\(c)")
      #expect(abs(ours.iouAt050 - c.iouAt050) < 1e-12, "\(c)")
      #expect(abs(ours.averagePrecision - c.averagePrecision) < 1e-12, "\(c)")
      #expect(abs(ours.contestScore - c.contestScore) < 1e-12, "\(c)")
      #expect(ours.isEmpty == (c.truthObjects + c.predictedObjects == 0), "\(c)")
    }
    // The cases tell the four scores apart, or agreement would mean little.
    #expect(cases.filter { $0.averagePrecision - $0.contestScore > 0.01 }.count > 30)
    #expect(cases.filter { $0.iouAt050 - $0.averageIoU > 0.01 }.count > 30)
    #expect(cases.contains { $0.truthObjects + $0.predictedObjects == 0 })
  }

  @Test("An IoU of exactly T is not above T") func strictlyAbove() {
    // 1/2, then 3/5: a match from T = 0.5 and 0.55, not at 0.6.
    let half = ImageMetrics.score(truth: labels("110000"), prediction: labels("100000"))
    #expect(half.iouAt050 == 0 && half.averagePrecision == 0 && half.contestScore == 0)
    let threeFifths = ImageMetrics.score(truth: labels("111110"), prediction: labels("111000"))
    #expect(threeFifths.averagePrecision == 0.2 && threeFifths.contestScore == 0.2 && abs(threeFifths.averageIoU - 0.12) < 1e-15)
  }

  @Test("The paper counts only predictions that touch nothing; the contest every one without a match") func falsePositives() {
    // Truth 1 is found; prediction 2 touches it a little, prediction 3 touches nothing.
    let truth = labels("1111111111110000"), prediction = labels("1111111111122033")
    let ours = ImageMetrics.score(truth: truth, prediction: prediction)
    #expect(ours.iouAt050 == 11.0 / 12)
    // IoU 11/12 is above 0.50 … 0.90: nine of ten.
    #expect(abs(ours.averagePrecision - 0.9 / 2) < 1e-15)
    #expect(abs(ours.contestScore - 0.9 / 3) < 1e-15)
  }

  @Test func perfectAndEmpty() {
    let image = labels("0120", "0122")
    let perfect = ImageMetrics.score(truth: image, prediction: image)
    #expect([perfect.averageIoU, perfect.iouAt050, perfect.averagePrecision, perfect.contestScore] == [1, 1, 1, 1])
    let none = labels("0000", "0000")
    #expect(ImageMetrics.score(truth: none, prediction: none).isEmpty)
    for (truth, prediction) in [(image, none), (none, image)] {
      let ours = ImageMetrics.score(truth: truth, prediction: prediction)
      #expect(!ours.isEmpty && [ours.averageIoU, ours.iouAt050, ours.averagePrecision, ours.contestScore] == [0, 0, 0, 0])
    }
  }

  @Test("Thousands of labels, far apart") func manyLabels() {
    var truth = LabelImage(width: 200, height: 200, repeating: 0)
    var prediction = truth
    for y in 0..<200 {
      for x in 0..<200 where y % 4 < 3 && x % 4 < 3 {
        truth[y, x] = Int32((y / 4) * 50 + x / 4 + 1) * 800_000
        prediction[y, x] = y % 4 < 2 ? .max - Int32((y / 4) * 50 + x / 4) : 0
      }
    }
    let overlaps = Overlaps(truth: truth, prediction: prediction)
    #expect(overlaps.truthAreas == Array(repeating: 9, count: 2500) && overlaps.predictionAreas == Array(repeating: 6, count: 2500))
    #expect(overlaps.pairs.count == 2500 && overlaps.pairs.allSatisfy { $0.pixels == 6 && overlaps.union($0) == 9 })
    // 6/9 is above 0.50, 0.55, 0.60 and 0.65.
    #expect(abs(ImageMetrics.score(overlaps).contestScore - 0.4) < 1e-15)
  }

  @Test func spread() {
    let spread = Spread([1, 2, 3, 4])
    #expect(spread?.count == 4 && spread?.mean == 2.5 && spread?.standardDeviation == 1.25.squareRoot())
    #expect(Spread([]) == nil)
    let full = ImageMetrics.score(truth: labels("10"), prediction: labels("10"))
    let empty = ImageMetrics.score(truth: labels("00"), prediction: labels("00"))
    #expect(Spread(of: [full, empty, full], \.contestScore)?.count == 2 && Spread(of: [empty], \.contestScore) == nil)
  }
}
