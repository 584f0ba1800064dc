import CKernels
import TestSupport
import Testing

@Suite(.serialized, .wholeProcessor) struct PoolingTests {
  static let sides: [(height: Int32, width: Int32)] = [(2, 2), (1, 5), (7, 9), (16, 16), (15, 66), (32, 130)]
  let planes = 3

  @Test(arguments: ck_isa.fast, sides) func `agrees with the plain loops`(isa: ck_isa, sides: (height: Int32, width: Int32)) {
    let (h, w) = (Int(sides.height), Int(sides.width))
    // Few values, so that blocks hold their maximum twice.
    let x = samples(planes * h * w, seed: 1).map { ($0 * 3).rounded() }
    let pooled = samples(planes * (h / 2) * (w / 2), seed: 2), enlarged = samples(planes * 4 * h * w, seed: 3)
    let before = samples(planes * h * w, seed: 4)

    func outputs() -> [[Float]] {
      var results: [[Float]] = []
      var y = pooled
      ck_maxpool2_forward(x, &y, Int64(planes), sides.height, sides.width)
      results.append(y)
      y = enlarged
      ck_nearest2_forward(x, &y, Int64(planes), sides.height, sides.width)
      results.append(y)
      for accumulate in [Int32(0), 1] {
        var dx = before
        ck_maxpool2_backward(x, CK_WORDS, pooled, &dx, Int64(planes), sides.height, sides.width, accumulate)
        results.append(dx)
        dx = before
        ck_nearest2_backward(enlarged, &dx, Int64(planes), sides.height, sides.width, accumulate)
        results.append(dx)
      }
      return results
    }
    let expected = CK_ISA_REFERENCE.use(outputs), found = isa.use(outputs)
    // Sums of four may be taken in another order; everything else is a choice or one addition.
    for (k, (a, b)) in zip(found, expected).enumerated() {
      if k == 3 || k == 5 { #expect(relativeError(a, b) < 1e-6, "output \(k)") } else { #expect(a == b, "output \(k)") }
    }
  }

  @Test(arguments: ck_isa.runnable) func `the first maximum in row order takes the gradient`(isa: ck_isa) {
    let x: [Float] = [
      1, 1, 0, 2, 5, 5, 0, 3,
      1, 1, 2, 2, 5, 5, 3, 3,
    ]
    var y = [Float](repeating: 0, count: 4), dx = [Float](repeating: 9, count: 16)
    isa.use {
      ck_maxpool2_forward(x, &y, 1, 2, 8)
      ck_maxpool2_backward(x, CK_WORDS, [1, 2, 3, 4], &dx, 1, 2, 8, 0)
    }
    #expect(y == [1, 2, 5, 3])
    #expect(dx == [1, 0, 0, 2, 3, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0])
  }
}
