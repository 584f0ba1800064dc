import CKernels
import TestSupport
import Testing

/// Convolutions with products of bfloat16, on every instruction set, AMX's emulated where the processor has no tiles.
@Suite(.serialized, .wholeProcessor) struct BFloat16Tests {
  static let sets = Array(ck_isa.runnableOrEmulated.dropFirst())

  private static func in16(_ convolution: Convolution) -> Convolution {
    var convolution = convolution
    convolution.precision = CK_BFLOAT16
    return convolution
  }

  /// Where products are of bfloat16, their operands are rounded as the reference rounds them, so that only the order of sums
  /// differs; where a set stays with float32, so does the reference. But an enlarged image's equal taps are added up before they
  /// are rounded, and their sum is rounded in its last place.
  private static func check(_ convolution: Convolution, accumulate: Bool = false) {
    let convolution16 = in16(convolution)
    let plain = CK_ISA_REFERENCE.use { convolution.run(accumulate: accumulate) }
    let rounded = CK_ISA_REFERENCE.use { convolution16.run(accumulate: accumulate) }
    for isa in sets {
      var c = convolution16.conv
      isa.use {
        let found = convolution16.run(accumulate: accumulate)
        #expect(found.intact, "\(isa.testDescription)")
        func compare(_ what: String, _ pass: ck_conv_pass, _ part: (Convolution.Results) -> [Float]) {
          let isRounded = ck_conv_products(&c, pass) == CK_BFLOAT16
          let addsUpTaps = isRounded && c.kind == CK_CONV_NEAREST2 && pass != CK_BACKWARD_WEIGHTS
          let error = largestError(part(found), part(isRounded ? rounded : plain))
          #expect(error < (addsUpTaps ? 0x1p-7 : 2e-5), "\(isa.testDescription), \(what) of \(convolution.testDescription)")
        }
        compare("y", CK_FORWARD) { $0.y }
        for s in found.dx.indices { compare("dx", CK_BACKWARD_DATA) { $0.dx[s] } }
        compare("dkernel", CK_BACKWARD_WEIGHTS) { $0.dkernel }
        compare("dbias", CK_BACKWARD_WEIGHTS) { $0.dbias }
      }
    }
  }

  /// Channels and images that leave half a word, fill a tile of AMX, or more; rows that end within a vector.
  static let shapes: [ConvolutionTests.Shape] = [((3, 3), [1], 1, 1), ((5, 17), [9, 8], 33, 3), ((18, 16), [33, 16], 6, 2)]

  @Test(arguments: ConvolutionTests.operations, shapes) func `agrees with the plain loops of rounded operands`(
    operation: ConvolutionTests.Operation, shape: ConvolutionTests.Shape
  ) {
    var convolution = ConvolutionTests.convolution(operation, shape)
    convolution.relu = operation.kernel != 2
    Self.check(convolution, accumulate: shape.to % 2 == 1)
  }

  static let large = [
    Convolution(CK_CONV, kernel: 3, stride: 2, padding: 0, sides: (65, 130), slabs: [40], to: 36, images: 1),
    Convolution(CK_CONV_TRANSPOSED, kernel: 3, stride: 2, padding: 0, sides: (20, 60), slabs: [33], to: 18, images: 2),
    Convolution(CK_CONV, kernel: 3, stride: 1, padding: 1, sides: (64, 64), slabs: [8], to: 16, images: 2),
    Convolution(CK_CONV, kernel: 3, stride: 1, padding: 1, sides: (16, 16), slabs: [90, 70], to: 130, images: 5),
    Convolution(CK_CONV_NEAREST2, kernel: 2, stride: 1, padding: 0, sides: (40, 65), slabs: [34], to: 20, images: 1),
    // Taps that look beyond the last whole vector of cells, at columns that are there.
    Convolution(CK_CONV, kernel: 3, stride: 2, padding: 0, sides: (5, 65), slabs: [3], to: 4, images: 1, grow: -1),
    Convolution(CK_CONV, kernel: 3, stride: 1, padding: 0, sides: (6, 34), slabs: [3], to: 4, images: 1, grow: -2),
  ]

  @Test(arguments: large) func `strips, blocks and groups join without a seam`(convolution: Convolution) { Self.check(convolution) }

  /// What runs where there are no tiles is what runs where there are: only the order of sums may differ.
  @Test(.enabled(if: ck_isa_best() == CK_ISA_AMX), arguments: large) func `tiles in plain C agree with the processor's`(convolution: Convolution) {
    let own = CK_ISA_AMX.use { Self.in16(convolution).run() }
    let emulated = CK_ISA_AMX.use(emulating: true) { Self.in16(convolution).run() }
    for (a, b) in zip(own.all, emulated.all) { #expect(largestError(a, b) < 1e-5) }
  }

  @Test(arguments: ConvolutionTests.operations) func `the order of tasks does not change a bit`(operation: ConvolutionTests.Operation) {
    let convolution = Self.in16(ConvolutionTests.convolution(operation, ((19, 40), [7, 4], 9, 3)))
    for isa in Self.sets {
      let same = isa.use { convolution.run(accumulate: true) == convolution.run(accumulate: true, reversed: true) }
      #expect(same, "\(isa.testDescription)")
    }
  }

  /// The reference rounds to the nearest, ties to even, and keeps what is not a number.
  @Test(arguments: sets) func `rounds to the nearest, ties to even`(isa: ck_isa) {
    var values: [Float] = [1, 1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-20, 1 + 0x1.8p-7, -1 - 0x1p-8, 0x1.fffp127, .infinity, 0, -0x1.01p-100, 3.14159]
    var expected: [Float] = [1, 1, 1 + 0x1p-7, 1 + 0x1p-6, -1, .infinity, .infinity, 0, -0x1p-100, 3.140625]
    // Among them the one whose upper half alone is ∞, and the one that rounding would carry over to 0.
    values += NaNTests.kinds + [Float(bitPattern: 0xffff_ffff)]
    expected += [Float](repeating: .nan, count: values.count - expected.count)
    var c = Convolution(CK_CONV, kernel: 1, stride: 2, padding: 0, sides: (1, 2 * values.count), slabs: [1], to: 1, images: 1).conv
    c.precision = CK_BFLOAT16
    for set in [CK_ISA_REFERENCE, isa] {
      let found = set.use {
        let x = Guarded(values.flatMap { [$0, .nan] }), y = Guarded(values.count), packed = Guarded(ck_conv_forward_packed(&c))
        ck_conv_forward_pack(&c, [1], packed.start)
        var slab = ck_slab(data: x.start, channels: 1, image_stride: Int64(2 * values.count), paired: 0)
        let out = ck_slab(data: y.start, channels: 1, image_stride: Int64(values.count), paired: 0)
        for task in 0..<ck_conv_forward_tasks(&c) {
          ck_conv_forward(&c, task, &slab, 1, packed.start, [0], 0, out, Guarded(ck_conv_forward_scratch(&c)).start)
        }
        return y.values
      }
      for (i, (a, b)) in zip(found, expected).enumerated() { #expect(a == b || a.isNaN && b.isNaN, "\(values[i]), \(set.testDescription)") }
    }
  }
}
