import CKernels
import TestSupport
import Testing

/// The paths by matrix products of tiles: Winograd with stride 1 and 2, and the convolution of an enlarged image (whole
/// vectors a row, eight channels or more).
@Suite(.serialized, .wholeProcessor) struct TiledConvolutionTests {
  @Sendable private static func shape(_ sides: (Int, Int), _ slabs: [Int], _ to: Int, _ images: Int) -> Convolution {
    Convolution(CK_CONV, kernel: 3, stride: 1, padding: 1, sides: sides, slabs: slabs, to: to, images: images)
  }

  @Sendable private static func enlarged(_ sides: (Int, Int), _ slabs: [Int], _ to: Int, _ images: Int) -> Convolution {
    Convolution(CK_CONV_NEAREST2, kernel: 2, stride: 1, padding: 0, sides: sides, slabs: slabs, to: to, images: images)
  }

  /// Of stride 2, from a plane twice as large as `coarse`; and back.
  @Sendable private static func strided(_ coarse: (Int, Int), _ slabs: [Int], _ to: Int, _ images: Int) -> Convolution {
    Convolution(CK_CONV, kernel: 3, stride: 2, padding: 0, sides: (2 * coarse.0, 2 * coarse.1), slabs: slabs, to: to, images: images)
  }

  @Sendable private static func transposed(_ coarse: (Int, Int), _ slabs: [Int], _ to: Int, _ images: Int) -> Convolution {
    Convolution(CK_CONV_TRANSPOSED, kernel: 3, stride: 2, padding: 0, sides: coarse, slabs: slabs, to: to, images: images)
  }

  static let makes: [Make] = [shape, enlarged, strided, transposed]

  typealias Make = @Sendable ((Int, Int), [Int], Int, Int) -> Convolution

  static let shapes = [
    shape((4, 16), [8], 8, 1),           // one row of tiles
    shape((8, 48), [9, 8], 17, 3),       // a task's rows of tiles do not fill its vectors
    shape((12, 16), [3, 5, 4], 9, 5),    // a task spans images, the last one is short
    shape((16, 16), [20, 24], 70, 3),    // output channels are shared out among tasks
    shape((4, 272), [16], 20, 2),        // a row of tiles longer than a task should be
    shape((64, 64), [12], 24, 1),
    shape((128, 256), [8], 10, 3),       // a task of the weight gradient goes over several chunks

    enlarged((1, 16), [8], 8, 1),
    enlarged((5, 32), [9, 8], 17, 3),    // a task spans images, the last one is short
    enlarged((8, 16), [20, 24], 70, 1),  // output channels are shared out among tasks
    enlarged((2, 144), [16], 20, 2),     // a row longer than a task should be
    enlarged((16, 64), [12], 9, 5),      // several chunks
  ] + [strided, transposed].flatMap { make in
    [
      make((4, 16), [8], 8, 1),          // one row of tiles
      make((8, 48), [9, 8], 17, 3),      // a task's rows of tiles do not fill its vectors
      make((12, 16), [3, 5, 4], 9, 5),   // a task spans images, the last one is short
      make((4, 272), [16], 20, 2),       // a row of tiles longer than a task should be
      make((16, 16), [20, 24], 70, 1),   // two blocks of coarse channels at once, and one left over
      make((16, 16), [9], 130, 2),       // output channels are shared out among tasks, of the weight gradient as well
      make((32, 64), [24], 12, 3),       // a task of the weight gradient goes over several chunks
    ]
  }

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

  @Test(.enabled(if: ck_isa.tilesAreRunnable), arguments: shapes)
  func `in float32 the sets beyond AVX-512 have its bits`(convolution: Convolution) {
    let expected = CK_ISA_AVX512.use { convolution.run(accumulate: true) }
    for isa in ck_isa.beyondAVX512 {
      let same = isa.use { convolution.run(accumulate: true) } == expected
      #expect(same, "\(isa.testDescription)")
    }
  }

  @Test(arguments: makes, ck_isa.fast) func `an image's bits do not depend on the others`(make: Make, isa: ck_isa) {
    isa.use {
      let one = make((16, 16), [40], 40, 1).run(), many = make((16, 16), [40], 40, 7).run()
      #expect(one.y == Array(many.y.prefix(one.y.count)))
      #expect(one.dx[0] == Array(many.dx[0].prefix(one.dx[0].count)))
    }
  }

  @Test(arguments: makes, ck_isa.fast) func `a slab without data is left alone`(make: Make, isa: ck_isa) {
    let convolution = make((16, 32), [6, 5, 4], 8, 2)
    isa.use {
      let whole = convolution.run(), without = convolution.run(withoutSlab: 1)
      #expect(without.dx[0] == whole.dx[0] && without.dx[2] == whole.dx[2] && without.dx[1] != whole.dx[1])
    }
  }

  /// The transforms multiply and cancel, so F(4×4, 3×3) loses a digit (3e-6 here, 1e-6 with stride 2); more would show.
  @Test(arguments: makes, ck_isa.fast) func `loses little against sums in double`(make: Make, isa: ck_isa) {
    var convolution = make((16, 16), [256], 32, 1)
    convolution.relu = false
    let exact = CK_ISA_REFERENCE.use { convolution.run() }, found = isa.use { convolution.run() }
    func error(_ a: [Float], _ b: [Float]) -> Double { relativeError(a.filter { !$0.isNaN }, b.filter { !$0.isNaN }) }
    #expect(error(found.y, exact.y) < 1e-5)
    #expect(error(found.dx[0], exact.dx[0]) < 1e-5)
    #expect(error(found.dkernel, exact.dkernel) < 1e-5)
    #expect(error(found.dbias, exact.dbias) < 1e-6)
  }
}
