import CKernels
import TestSupport
import Testing

/// 1 × 1 convolutions to four channels or fewer.
@Suite(.serialized, .wholeProcessor) struct PointwiseTests {
  private static func shape(_ sides: (Int, Int), _ slabs: [Int], _ to: Int, _ images: Int) -> Convolution {
    Convolution(CK_CONV, kernel: 1, stride: 1, padding: 0, sides: sides, slabs: slabs, to: to, images: images)
  }

  static let shapes = [
    shape((1, 1), [1], 1, 1),            // less than a vector
    shape((3, 37), [4], 4, 2),           // all output channels there may be
    shape((64, 32), [2], 1, 2),          // one whole block
    shape((97, 101), [5, 4, 2], 3, 3),   // two segments, the last block short; groups of planes across slabs
    shape((128, 128), [16], 2, 1),
  ]

  @Test(arguments: shapes, ck_isa.fast) func `agrees with the plain loops`(convolution: Convolution, isa: ck_isa) {
    for (relu, accumulate) in [(true, false), (false, true)] {
      var convolution = convolution
      convolution.relu = relu
      let expected = CK_ISA_REFERENCE.use { convolution.run(accumulate: accumulate) }
      let found = isa.use { convolution.run(accumulate: accumulate) }
      #expect(found.intact)
      for (k, (a, b)) in zip(found.all, expected.all).enumerated() {
        #expect(largestError(a, b) < 2e-5, "result \(k) of y, dx…, dkernel, dbias")
      }
    }
  }

  @Test(arguments: shapes, ck_isa.fast) func `the order of tasks does not change a bit`(convolution: Convolution, isa: ck_isa) {
    isa.use { #expect(convolution.run(accumulate: true) == convolution.run(accumulate: true, reversed: true)) }
  }

  @Test(arguments: ck_isa.fast) func `an image's bits do not depend on the others`(isa: ck_isa) {
    isa.use {
      let one = PointwiseTests.shape((40, 60), [9], 2, 1).run(), many = PointwiseTests.shape((40, 60), [9], 2, 4).run()
      #expect(one.y == Array(many.y.prefix(one.y.count)))
      #expect(one.dx[0] == Array(many.dx[0].prefix(one.dx[0].count)))
    }
  }

  @Test(arguments: ck_isa.fast) func `a slab without data is left alone`(isa: ck_isa) {
    let convolution = PointwiseTests.shape((9, 20), [6, 5, 4], 2, 2)
    isa.use {
      let whole = convolution.run(), without = convolution.run(withoutSlab: 1)
      #expect(without.dx[0] == whole.dx[0] && without.dx[2] == whole.dx[2] && without.dx[1] != whole.dx[1])
    }
  }
}
