import CKernels
import TestSupport
import Testing

@Suite(.serialized, .wholeProcessor) struct BatchNormTests {
  /// Three images of a channel that stand further apart than their pixels.
  struct Channel {
    var pixels: Int, images = 3, stride: Int, x: [Float], dy: [Float]

    init(pixels: Int, offset: Float) {
      self.pixels = pixels
      stride = pixels + 5
      x = samples(images * stride, seed: 5).map { $0 + offset }
      dy = samples(images * stride, seed: 6)
    }
  }

  @Test(arguments: ck_isa.runnable, [1, 63, 256, 4096, 9999])
  func `moments survive a mean far from zero`(isa: ck_isa, pixels: Int) {
    let channel = Channel(pixels: pixels, offset: 300)
    var found: [Float] = [0, 0]
    isa.use { ck_batchnorm_moments(channel.x, Int32(channel.images), Int64(channel.stride), Int64(pixels), &found) }

    let values = (0..<channel.images).flatMap { n in channel.x[n * channel.stride..<n * channel.stride + pixels].map(Double.init) }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    #expect(abs(Double(found[0]) - mean) < 1e-7 * abs(mean))
    #expect(abs(Double(found[1]) - variance) <= 2e-6 * variance)
  }

  @Test(arguments: ck_isa.fast, [1, 63, 256, 9999]) func `agrees with the plain loops`(isa: ck_isa, pixels: Int) {
    let channel = Channel(pixels: pixels, offset: 0.2), count = Int64(channel.x.count)
    for relu in [Int32(0), 1] {
      func outputs() -> [[Float]] {
        var y = channel.x, sums: [Float] = [0, 0], results: [[Float]] = []
        ck_scale_shift(channel.x, &y, count, 0.75, -0.125, relu)
        results.append(y)
        ck_batchnorm_backward_sums(
          channel.x, channel.dy, Int32(channel.images), Int64(channel.stride), Int64(channel.stride), Int64(pixels), 0.2, 0.75, -0.125,
          relu, &sums)
        results.append(sums)
        for accumulate in [Int32(0), 1] {
          var dx = samples(channel.x.count, seed: 7)
          ck_batchnorm_backward_apply(
            channel.x, channel.dy, &dx, count, .init(mean: 0.2, scale: 0.75, shift: -0.125, a: 0.5, b: -0.25, c: 0.01), relu, accumulate)
          results.append(dx)
        }
        return results
      }
      let expected = CK_ISA_REFERENCE.use(outputs), found = isa.use(outputs)
      for (k, (a, b)) in zip(found, expected).enumerated() { #expect(relativeError(a, b) < 1e-5, "output \(k), relu \(relu)") }
    }
  }

  @Test(arguments: ck_isa.runnable) func `in place is the same`(isa: ck_isa) {
    let x = samples(101, seed: 8)
    var apart = x, same = x
    isa.use {
      ck_scale_shift(x, &apart, 101, 2, 0.5, 1)
      same.withUnsafeMutableBufferPointer { ck_scale_shift($0.baseAddress, $0.baseAddress, 101, 2, 0.5, 1) }
    }
    #expect(apart == same)
    #expect(apart.contains(0) && apart.allSatisfy { $0 >= 0 })
  }
}
