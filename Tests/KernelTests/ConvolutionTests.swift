import CKernels
import TestSupport
import Testing

@Suite(.serialized, .wholeProcessor) struct ConvolutionTests {
  typealias Operation = (kind: ck_conv_kind, kernel: Int, stride: Int, padding: Int, grow: Int)

  /// Every kind, kernel and stride with Keras's "same" padding, and some with other paddings and sides.
  static let operations: [Operation] = [
    (CK_CONV, 1, 1, 0, 0), (CK_CONV, 2, 1, 0, 0), (CK_CONV, 3, 1, 1, 0), (CK_CONV, 3, 1, 0, -2), (CK_CONV, 3, 1, 2, 2),
    (CK_CONV, 1, 2, 0, 0), (CK_CONV, 2, 2, 0, 0), (CK_CONV, 3, 2, 0, 0), (CK_CONV, 3, 2, 1, 0),
    (CK_CONV_TRANSPOSED, 1, 2, 0, 0), (CK_CONV_TRANSPOSED, 2, 2, 0, 0), (CK_CONV_TRANSPOSED, 3, 2, 0, 0), (CK_CONV_TRANSPOSED, 3, 2, 1, -1),
    (CK_CONV_TRANSPOSED, 3, 2, 0, 1),
    (CK_CONV_NEAREST2, 1, 1, 0, 0), (CK_CONV_NEAREST2, 2, 1, 0, 0), (CK_CONV_NEAREST2, 3, 1, 1, 0), (CK_CONV_NEAREST2, 2, 1, 1, 1),
  ]

  typealias Shape = (sides: (Int, Int), slabs: [Int], to: Int, images: Int)

  static let shapes: [Shape] = [
    ((3, 3), [1], 1, 1), ((4, 6), [2], 3, 5), ((16, 16), [8], 16, 3), ((7, 33), [3, 2], 5, 2), ((13, 9), [17], 8, 2),
    ((32, 32), [5, 8, 4], 2, 1), ((5, 17), [16], 33, 2), ((9, 70), [1, 1], 17, 1), ((18, 16), [33, 16], 34, 2),
  ]

  static func convolution(_ o: Operation, _ s: Shape) -> Convolution {
    Convolution(
      o.kind, kernel: o.kernel, stride: o.stride, padding: o.padding, sides: s.sides, slabs: s.slabs, to: s.to, images: s.images,
      grow: o.grow)
  }

  @Test(arguments: operations, shapes) func `every instruction set agrees with the plain loops`(operation: Operation, shape: Shape) {
    var convolution = ConvolutionTests.convolution(operation, shape)
    // Alternate: with and without ReLU, with and without adding to what is there.
    let accumulate = shape.to % 2 == 1
    convolution.relu = operation.kernel != 2
    let expected = CK_ISA_REFERENCE.use { convolution.run(accumulate: accumulate) }
    #expect(expected.intact)
    for isa in ck_isa.fast {
      let found = isa.use { convolution.run(accumulate: accumulate) }
      #expect(found.intact, "\(isa.testDescription)")
      for (k, (a, b)) in zip(found.all, expected.all).enumerated() {
        #expect(largestError(a, b) < 2e-5, "\(isa.testDescription), result \(k) of y, dx…, dkernel, dbias: \(convolution.testDescription)")
      }
    }
  }

  /// The header's promise; the instruction set that a fingerprint names for float32 rests on it.
  @Test(.enabled(if: ck_isa.tilesAreRunnable), arguments: operations, shapes)
  func `in float32 the sets beyond AVX-512 have its bits`(operation: Operation, shape: Shape) {
    let convolution = ConvolutionTests.convolution(operation, shape), expected = CK_ISA_AVX512.use { convolution.run(accumulate: true) }
    for isa in ck_isa.beyondAVX512 {
      let same = isa.use { convolution.run(accumulate: true) } == expected
      #expect(same, "\(isa.testDescription)")
    }
  }

  /// Large enough that images are cut into strips, channels into blocks and sums into groups.
  static let large = [
    Convolution(CK_CONV, kernel: 3, stride: 1, padding: 1, sides: (70, 250), slabs: [16, 20], to: 40, images: 1),
    Convolution(CK_CONV, kernel: 3, stride: 1, padding: 1, sides: (16, 16), slabs: [90, 70], to: 130, images: 5),
    Convolution(CK_CONV, kernel: 3, stride: 2, padding: 0, sides: (65, 130), slabs: [40], to: 36, images: 1),
    Convolution(CK_CONV_TRANSPOSED, kernel: 3, stride: 2, padding: 0, sides: (41, 60), slabs: [33], to: 18, images: 1),
    Convolution(CK_CONV_NEAREST2, kernel: 2, stride: 1, padding: 0, sides: (40, 65), slabs: [34], to: 20, images: 1),
  ]

  @Test(arguments: large, ck_isa.fast) func `strips, blocks and groups join without a seam`(convolution: Convolution, isa: ck_isa) {
    let expected = CK_ISA_REFERENCE.use { convolution.run() }, found = isa.use { convolution.run() }
    #expect(found.intact)
    for (k, (a, b)) in zip(found.all, expected.all).enumerated() {
      #expect(largestError(a, b) < 2e-5, "result \(k) of y, dx…, dkernel, dbias")
    }
  }

  @Test(arguments: operations, ck_isa.runnable) func `the order of tasks does not change a bit`(operation: Operation, isa: ck_isa) {
    let convolution = ConvolutionTests.convolution(operation, ((19, 40), [7, 4], 9, 3))
    isa.use { #expect(convolution.run(accumulate: true) == convolution.run(accumulate: true, reversed: true)) }
  }

  @Test(arguments: ck_isa.runnable) func `a slab without data is left alone`(isa: ck_isa) {
    let convolution = Convolution(CK_CONV, kernel: 3, stride: 1, padding: 1, sides: (9, 20), slabs: [6, 5, 4], to: 7)
    isa.use {
      let whole = convolution.run(), without = convolution.run(withoutSlab: 1)
      #expect(without.dx[0] == whole.dx[0] && without.dx[2] == whole.dx[2] && without.dx[1] != whole.dx[1])
    }
  }

  @Test(arguments: ck_isa.runnable) func `NaN passes through ReLU, so that a diverged run shows`(isa: ck_isa) {
    isa.use {
      var c = Convolution(CK_CONV, kernel: 1, stride: 1, padding: 0, sides: (4, 20), slabs: [1], to: 1, images: 1).conv
      let x = Guarded(80), y = Guarded([Float](repeating: 0, count: 80)), packed = Guarded(ck_conv_forward_packed(&c))
      ck_conv_forward_pack(&c, [1], packed.start)
      var slab = ck_slab(data: x.start, channels: 1, image_stride: 80, paired: 0)
      for task in 0..<ck_conv_forward_tasks(&c) {
        let out = ck_slab(data: y.start, channels: 1, image_stride: 80, paired: 0)
        ck_conv_forward(&c, task, &slab, 1, packed.start, [0], 1, out, Guarded(ck_conv_forward_scratch(&c)).start)
      }
      #expect(y.values.allSatisfy { $0.isNaN })
    }
  }

  /// Written from the definitions in the header, in double, for one image.
  private func definition(_ convolution: Convolution) -> [Double] {
    let c = convolution.conv, x = convolution.x(), kernel = convolution.kernel().values, bias = samples(Int(c.out_channels), seed: 4)
    let (k, height, width) = (Int(c.kernel), Int(c.in_height), Int(c.in_width))
    let (outHeight, outWidth) = (Int(c.out_height), Int(c.out_width)), (ins, outs) = (Int(c.in_channels), Int(c.out_channels))
    let channels = convolution.slabs.enumerated().flatMap { s, count in (0..<count).map { (slab: s, channel: $0) } }
    func pixel(_ channel: Int, _ i: Int, _ j: Int) -> Double {
      guard i >= 0, j >= 0, i < height, j < width else { return 0 }
      let (s, c) = channels[channel]
      return Double(x[s].start[c * height * width + i * width + j])
    }
    var y = (0..<outs).flatMap { [Double](repeating: Double(bias[$0]), count: outHeight * outWidth) }
    for o in 0..<outs {
      for ic in 0..<ins {
        for u in 0..<k {
          for v in 0..<k {
            if c.kind == CK_CONV_TRANSPOSED {
              let w = Double(kernel[((ic * outs + o) * k + u) * k + v])
              for i in 0..<height {
                for j in 0..<width {
                  let (row, column) = (Int(c.stride) * i + u - Int(c.pad_top), Int(c.stride) * j + v - Int(c.pad_left))
                  guard row >= 0, column >= 0, row < outHeight, column < outWidth else { continue }
                  y[(o * outHeight + row) * outWidth + column] += w * pixel(ic, i, j)
                }
              }
              continue
            }
            let w = Double(kernel[((o * ins + ic) * k + u) * k + v])
            for i in 0..<outHeight {
              for j in 0..<outWidth {
                var (row, column) = (Int(c.stride) * i + u - Int(c.pad_top), Int(c.stride) * j + v - Int(c.pad_left))
                // Enlarged twice, pixel (2a, 2b) to (2a + 1, 2b + 1) is pixel (a, b); negative rows stay outside.
                if c.kind == CK_CONV_NEAREST2 { (row, column) = (row >> 1, column >> 1) }
                y[(o * outHeight + i) * outWidth + j] += w * pixel(ic, row, column)
              }
            }
          }
        }
      }
    }
    return y
  }

  @Test(arguments: operations) func `the forward pass is the definition`(operation: Operation) {
    for shape in [Shape((5, 6), [2, 1], 3, 1), ((6, 19), [2], 2, 1)] {
      var convolution = ConvolutionTests.convolution(operation, shape)
      convolution.relu = false
      let exact = definition(convolution).map { Float($0) }
      for isa in ck_isa.runnable {
        let y = isa.use { convolution.run() }.y
        #expect(largestError(Array(y.prefix(exact.count)), exact) < 2e-6, "\(isa.testDescription)")
      }
    }
  }

  /// ⟨conv(x), dy⟩ = ⟨x, dx⟩ = ⟨kernel, dkernel⟩: a convolution is linear in its input and in its kernel.
  @Test(arguments: operations, ck_isa.runnable) func `gradients are adjoint to the forward pass`(operation: Operation, isa: ck_isa) {
    for shape in [Shape((11, 13), [5, 3], 6, 2), ((16, 34), [4], 5, 3)] {
      var convolution = ConvolutionTests.convolution(operation, shape)
      convolution.relu = false
      let r = isa.use { convolution.run(withoutBias: true) }
      func product(_ a: [Float], _ b: [Float], image: Int, of length: Int) -> (sum: Double, size: Double) {
        var sum = 0.0, size = 0.0
        for i in 0..<a.count where i % image < length {
          let p = Double(a[i]) * Double(b[i])
          sum += p
          size += abs(p)
        }
        return (sum, size)
      }
      let outLength = convolution.outImage - Convolution.gap
      let forward = product(r.y, convolution.dy().values, image: convolution.outImage, of: outLength)
      let data = zip(convolution.x(), r.dx).enumerated().reduce(0.0) { sum, next in
        let (slab, (x, dx)) = next
        let image = convolution.inImage(slab)
        return sum + product(x.values, dx, image: image, of: image - Convolution.gap).sum
      }
      let kernel = product(convolution.kernel().values, r.dkernel, image: convolution.kernelCount, of: convolution.kernelCount).sum
      #expect(abs(data - forward.sum) < 2e-6 * forward.size)
      #expect(abs(kernel - forward.sum) < 2e-6 * forward.size)

      let dy = convolution.dy()
      let dbias = (0..<Int(convolution.conv.out_channels)).map { o in
        var sum = 0.0
        for n in 0..<Int(convolution.conv.images) {
          for i in 0..<convolution.outPlane { sum += Double(dy.start[n * convolution.outImage + o * convolution.outPlane + i]) }
        }
        return Float(sum)
      }
      #expect(largestError(r.dbias, dbias) < 1e-5)
    }
  }
}
