import CKernels
import TestSupport
import Testing

/// To the nearest, ties to even; what is not a number stays so.
func bfloat16(_ value: Float) -> Float {
  Float(bitPattern: (value.isNaN ? value.bitPattern | 0x40_0000 : value.bitPattern &+ 0x7fff &+ value.bitPattern >> 16 & 1) & 0xffff_0000)
}

func bfloat16Pair(_ low: Float, _ high: Float) -> Float { Float(bitPattern: bfloat16(low).bitPattern >> 16 | bfloat16(high).bitPattern) }

/// Images of `image` values (planes of even number) and a gap, two planes made one.
func bfloat16Pairs(_ values: [Float], image: Int, gap: Int, plane: Int) -> [Float] {
  var words: [Float] = []
  for n in stride(from: 0, to: values.count, by: image + gap) {
    for first in stride(from: n, to: n + image, by: 2 * plane) {
      for i in first..<first + plane { words.append(bfloat16Pair(values[i], values[i + plane])) }
    }
    words += values[n + image..<n + image + gap]
  }
  return words
}

/// And back.
func ofBFloat16Pairs(_ words: [Float], image: Int, gap: Int, plane: Int) -> [Float] {
  var values: [Float] = []
  for n in stride(from: 0, to: words.count, by: image + gap) {
    for first in stride(from: n, to: n + image, by: plane) {
      for word in words[first..<first + plane] { values.append(Float(bitPattern: word.bitPattern << 16)) }
      for word in words[first..<first + plane] { values.append(Float(bitPattern: word.bitPattern & 0xffff_0000)) }
    }
    values += words[n + image..<n + image + gap]
  }
  return values
}

/// Tensors as words of two channels: what comes out is what comes out of planes of float32, rounded, bit by bit.
@Suite(.serialized, .wholeProcessor) struct PairTests {
  static let shapes: [ConvolutionTests.Shape] = [((4, 6), [2], 2, 3), ((5, 17), [4, 8], 34, 2), ((18, 16), [32, 16], 6, 2), ((3, 70), [18], 16, 1)]
  static let kinds: [Convolution.Paired] = [[.x, .y, .mask, .dy, .dx], [.x, .mask], [.y, .mask, .dy], [.dx]]

  /// Where the processor has no tiles they are plain C; without bfloat16's instructions there are no pairs.
  @Test(.enabled(if: ck_isa.tilesAreRunnable), arguments: ConvolutionTests.operations, shapes)
  func `a convolution of pairs is that of its rounded planes`(operation: ConvolutionTests.Operation, shape: ConvolutionTests.Shape) {
    var convolution = ConvolutionTests.convolution(operation, shape)
    convolution.precision = CK_BFLOAT16
    convolution.relu = operation.kernel != 2
    CK_ISA_AMX.use {
      guard ck_conv_takes_pairs(&convolution.conv) != 0 else { return }
      let plain = convolution.run()
      for paired in Self.kinds {
        let found = convolution.run(paired: paired), name = "\(paired.rawValue): \(convolution.testDescription)"
        #expect(found.intact, "\(name)")
        #expect(found.y == (paired.contains(.y) ? plain.y.map(bfloat16) : plain.y), "y, \(name)")
        #expect(found.dx == (paired.contains(.dx) ? plain.dx.map { $0.map(bfloat16) } : plain.dx), "dx, \(name)")
        #expect(found.dkernel == plain.dkernel && found.dbias == plain.dbias, "weights, \(name)")
      }
    }
  }

  @Test(arguments: ck_isa.runnable, [8, 176, 5000]) func `are normalised as their channels are`(isa: ck_isa, pixels: Int) {
    let x = samples(2 * pixels, seed: 1), dy = samples(2 * pixels, seed: 2), count = Int64(pixels)
    let scale: [Float] = [0.75, -0.5], shift: [Float] = [-0.125, 0.25]
    isa.use {
      for relu in [Int32(0), 1] {
        let gradients = (0..<2).map { ck_batchnorm_gradient(mean: 0.1, scale: scale[$0], shift: shift[$0], a: 0.5, b: -0.25, c: 0.01 * Float($0)) }
        var y: [Float] = [], dx: [Float] = []
        for c in 0..<2 {
          let channel = Array(x[c * pixels..<(c + 1) * pixels])
          var one = channel
          ck_scale_shift(channel, &one, count, scale[c], shift[c], relu)
          y += one
          ck_batchnorm_backward_apply(channel, Array(dy[c * pixels..<(c + 1) * pixels]), &one, count, gradients[c], relu, 0)
          dx += one
        }
        var found = [Float](repeating: 0, count: pixels)
        ck_scale_shift_pairs(x, count, &found, count, scale, shift, relu)
        #expect(ofBFloat16Pairs(found, image: pixels, gap: 0, plane: pixels) == y.map(bfloat16))
        ck_batchnorm_backward_apply_pairs(x, dy, count, &found, count, gradients, relu)
        #expect(ofBFloat16Pairs(found, image: pixels, gap: 0, plane: pixels) == dx.map(bfloat16))
      }
    }
  }

  @Test(arguments: ck_isa.runnable, [Float(0.5), 0.75]) func `are dropped as their channels are`(isa: ck_isa, rate: Float) {
    let pixels = 1400, values = samples(2 * pixels, seed: 3).map(bfloat16)
    var expected = values, words = bfloat16Pairs(values, image: 2 * pixels, gap: 0, plane: pixels)
    isa.use {
      ck_dropout(values, &expected, 80, Int64(2 * pixels), rate, 7, 1, 2, 3, 0)
      ck_dropout_pairs(&words, 80, 80 + Int64(pixels), Int64(pixels), rate, 7, 1, 2, 3)
    }
    #expect(ofBFloat16Pairs(words, image: pixels, gap: 0, plane: pixels) == expected)
    isa.use {
      ck_dropout_backward(&expected, Int64(2 * pixels), rate)
      ck_dropout_backward_pairs(&words, Int64(pixels), rate)
    }
    #expect(ofBFloat16Pairs(words, image: pixels, gap: 0, plane: pixels) == expected)
  }

  @Test(arguments: ck_isa.runnable, PoolingTests.sides) func `are pooled as their channels are`(isa: ck_isa, sides: (height: Int32, width: Int32)) {
    let (h, w) = (Int(sides.height), Int(sides.width)), plane = h * w, small = (h / 2) * (w / 2), pairs = 3
    // Few values, so that blocks hold their maximum twice.
    let x = samples(2 * pairs * plane, seed: 5).map { ($0 * 3).rounded() }, dy = samples(pairs * small, seed: 6)
    let words = bfloat16Pairs(x, image: 2 * pairs * plane, gap: 0, plane: plane)
    isa.use {
      var found = [Float](repeating: 0, count: pairs * small), pooled = found + found
      ck_maxpool2_pairs(words, &found, Int64(pairs), sides.height, sides.width)
      ck_maxpool2_forward(x, &pooled, Int64(2 * pairs), sides.height, sides.width)
      if small > 0 { #expect(ofBFloat16Pairs(found, image: pairs * small, gap: 0, plane: small) == pooled) }
      for (c, part) in [CK_LOWER, CK_UPPER].enumerated() {
        let channels = (0..<pairs).flatMap { (pair: Int) -> [Float] in Array(x[(2 * pair + c) * plane..<(2 * pair + c + 1) * plane]) }
        for accumulate in [Int32(0), 1] {
          var expected = samples(pairs * plane, seed: 7), found = expected
          ck_maxpool2_backward(channels, CK_WORDS, dy, &expected, Int64(pairs), sides.height, sides.width, accumulate)
          ck_maxpool2_backward(words, part, dy, &found, Int64(pairs), sides.height, sides.width, accumulate)
          #expect(found == expected)
        }
      }
    }
  }
}
