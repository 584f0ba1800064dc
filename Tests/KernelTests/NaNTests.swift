import CKernels
import TestSupport
import Testing

/// A run that diverged must show: what is not a number stays so through every path and its ReLU. Only max-pooling may lose it.
@Suite(.serialized, .wholeProcessor) struct NaNTests {
  /// The usual one; what x86 makes of ∞ − ∞, whose sign is that of the values ReLU cuts off; and one whose upper half alone is ∞.
  static let kinds: [Float] = [.nan, Float(bitPattern: 0xffc0_0000), Float(bitPattern: 0x7f80_0001)]

  static let convolutions: [Convolution] =
    [((7, 33), [3, 2], 5, 4), ((8, 16), [16, 8], 18, 4)].flatMap { (shape: ConvolutionTests.Shape) in
      ConvolutionTests.operations.map { ConvolutionTests.convolution($0, shape) }
    }
    + TiledConvolutionTests.makes.map { $0((8, 16), [16, 8], 20, 4) }
    + [Convolution(CK_CONV, kernel: 1, stride: 1, padding: 0, sides: (64, 32), slabs: [4], to: 2, images: 4)]

  @Test(arguments: convolutions, kinds.indices) func `it reaches every output that reads it, and no other image`(convolution: Convolution, kind: Int) {
    let c = convolution.conv, (height, width) = (Int(c.in_height), Int(c.in_width)), x = convolution.x()
    // One in each image but the last: in a corner, within (at even places, which stride 2 reads), at the end.
    let places = [(0, 0), (height / 4 * 2, width / 4 * 2), (height - 1, width - 1)]
    for (n, place) in places.enumerated() {
      let slab = n % convolution.slabs.count, plane = n * convolution.inImage(slab) + (convolution.slabs[slab] - 1) * convolution.inPlane
      x[slab].start[plane + place.0 * width + place.1] = Self.kinds[(kind + n) % Self.kinds.count]
    }
    let reading = places.map { (rows: convolution.rows(reading: $0.0), columns: convolution.columns(reading: $0.1)) }
    #expect(!reading[0].rows.isEmpty && !reading[0].columns.isEmpty && !reading[1].rows.isEmpty && !reading[1].columns.isEmpty)

    func check(_ y: [Float], _ name: String) {
      let plane = convolution.outPlane, channels = Int(c.out_channels), clean = places.count * convolution.outImage
      var lost = 0
      for (n, (rows, columns)) in reading.enumerated() {
        for o in 0..<channels {
          for i in rows { for j in columns where !y[n * convolution.outImage + o * plane + i * Int(c.out_width) + j].isNaN { lost += 1 } }
        }
      }
      #expect(lost == 0, "\(name)")
      let strayed = y[clean..<clean + channels * plane].contains { $0.isNaN }
      #expect(!strayed, "\(name)")
    }
    for precision in [CK_FLOAT32, CK_BFLOAT16] {
      var convolution = convolution
      convolution.precision = precision
      for isa in ck_isa.runnableOrEmulated {
        let name = "\(isa.testDescription)\(precision == CK_BFLOAT16 ? ", bfloat16" : "")"
        isa.use {
          check(convolution.forward(x, paired: false), name)
          guard ck_conv_takes_pairs(&convolution.conv) != 0, convolution.slabs.allSatisfy({ $0 % 2 == 0 }) else { return }
          check(convolution.forward(x, paired: true), "\(name), pairs")
        }
      }
    }
  }

  @Test(arguments: ck_isa.runnable, [8, 176, 5000]) func `batch norm keeps it, and so does a pair`(isa: ck_isa, pixels: Int) {
    let places = Set([0, pixels / 2, pixels - 1]), count = Int64(pixels)
    var sick = samples(pixels, seed: 1)
    let sound = samples(pixels, seed: 2)
    for (k, place) in places.sorted().enumerated() { sick[place] = Self.kinds[k] }
    func isNaN(_ values: some Sequence<Float>) -> Set<Int> { Set(values.enumerated().filter { $0.element.isNaN }.map { $0.offset }) }
    isa.use {
      for relu in [Int32(0), 1] {
        var y = [Float](repeating: 0, count: pixels), words = y
        ck_scale_shift(sick, &y, count, 0.75, -0.125, relu)
        #expect(isNaN(y) == places)
        for isFirst in [true, false] {
          ck_scale_shift_pairs(isFirst ? sick + sound : sound + sick, count, &words, count, [0.75, -0.5], [-0.125, 0.25], relu)
          let channels = ofBFloat16Pairs(words, image: pixels, gap: 0, plane: pixels)
          #expect(isNaN(channels[..<pixels]) == (isFirst ? places : []))
          #expect(isNaN(channels[pixels...]) == (isFirst ? [] : places))
        }
      }
    }
  }

  @Test(arguments: ck_isa.runnable) func `ReLU alone keeps it`(isa: ck_isa) {
    var x = samples(120, seed: 3)
    for i in stride(from: 0, to: 120, by: 7) { x[i] = Self.kinds[i % 3] }
    var y = x
    isa.use { ck_relu(x, &y, 120) }
    for i in 0..<120 { #expect(x[i].isNaN ? y[i].isNaN : y[i] == max(x[i], 0), "\(i)") }
  }
}

extension Convolution {
  /// The forward pass alone, of these slabs; with `paired`, from pairs to pairs.
  fileprivate func forward(_ x: [Guarded], paired: Bool) -> [Float] {
    var c = conv
    let channels = Int(c.out_channels)
    let inputs = x.enumerated().map { placed($1, channels: slabs[$0], plane: inPlane, paired: paired) }
    let (y, out) = placed(
      Guarded([Float](repeating: 0, count: Int(c.images) * outImage)), channels: channels, plane: outPlane, paired: paired)
    let weights = kernel(), bias = Guarded(samples(channels, seed: 4)), packed = Guarded(ck_conv_forward_packed(&c))
    ck_conv_forward_pack(&c, weights.start, packed.start)
    let slabList = inputs.map(\.slab)
    withExtendedLifetime((inputs, y, bias, packed)) {
      for task in 0..<ck_conv_forward_tasks(&c) {
        let scratch = Guarded(ck_conv_forward_scratch(&c))
        ck_conv_forward(&c, task, slabList, Int32(slabList.count), packed.start, bias.start, 1, out, scratch.start)
      }
    }
    return read(y, channels: channels, plane: outPlane, paired: paired)
  }

  /// The output's rows whose definition reads this row of the input; and columns alike.
  fileprivate func rows(reading row: Int) -> [Int] { (0..<Int(conv.out_height)).filter { reads($0, row, pad: Int(conv.pad_top)) } }
  fileprivate func columns(reading column: Int) -> [Int] { (0..<Int(conv.out_width)).filter { reads($0, column, pad: Int(conv.pad_left)) } }

  private func reads(_ output: Int, _ input: Int, pad: Int) -> Bool {
    let stride = Int(conv.stride)
    return (0..<Int(conv.kernel)).contains { tap in
      switch conv.kind {
      case CK_CONV_TRANSPOSED: stride * input + tap - pad == output
      case CK_CONV_NEAREST2: (output + tap - pad) >> 1 == input
      default: stride * output + tap - pad == input
      }
    }
  }
}
