import CKernels
import TestSupport
import Testing

@Suite(.serialized, .wholeProcessor) struct DropoutTests {
  private func dropped(
    _ x: [Float], first: Int = 0, rate: Float = 0.5, key: UInt64 = 0x0123_4567_89AB_CDEF, epoch: UInt32 = 1, sample: UInt32 = 2,
    layer: UInt32 = 3
  ) -> [Float] {
    var y = x
    ck_dropout(x, &y, Int64(first), Int64(x.count), rate, key, epoch, sample, layer, 0)
    return y
  }

  @Test(arguments: ck_isa.fast, [1, 8, 77, 5000]) func `every path drops the same elements`(isa: ck_isa, count: Int) {
    let x = samples(count, seed: 1)
    #expect(isa.use { dropped(x, first: 800, rate: 0.3) } == CK_ISA_REFERENCE.use { dropped(x, first: 800, rate: 0.3) })
  }

  @Test(arguments: ck_isa.runnable) func `two calls over halves equal one`(isa: ck_isa) {
    let x = samples(2000, seed: 2)
    isa.use {
      let whole = dropped(x, first: 16)
      for cut in [8, 512, 1000] {
        #expect(dropped(Array(x[..<cut]), first: 16) + dropped(Array(x[cut...]), first: 16 + cut) == whole)
      }
    }
  }

  @Test(arguments: ck_isa.runnable, [Float(0), 0.1, 0.5, 0.9])
  func `drops the rate and scales what stays by 1 / (1 − rate)`(isa: ck_isa, rate: Float) {
    let ones = [Float](repeating: 1, count: 200_000)
    let y = isa.use { dropped(ones, rate: rate) }
    let share = Double(y.count { $0 == 0 }) / Double(y.count)
    // Five standard deviations of a binomial share.
    #expect(abs(share - Double(rate)) <= 5 * (Double(rate) * Double(1 - rate) / Double(y.count)).squareRoot() + 1e-5)
    #expect(y.allSatisfy { $0 == 0 || $0 == 1 / (1 - rate) })
  }

  @Test func `key, epoch, sample, layer and position each give another mask`() {
    let ones = [Float](repeating: 1, count: 4096)
    let masks = [
      dropped(ones), dropped(ones, first: 4096), dropped(ones, key: 1), dropped(ones, key: 0x0123_4568_89AB_CDEF), dropped(ones, epoch: 9),
      dropped(ones, sample: 9), dropped(ones, layer: 9),
    ]
    for i in masks.indices {
      for j in 0..<i {
        let equal = zip(masks[i], masks[j]).count { $0 == $1 }
        #expect(abs(equal - 2048) < 5 * 32, "masks \(i) and \(j) share \(equal) of 4096")
      }
    }
  }

  @Test(arguments: ck_isa.runnable, [1, 77, 5000]) func `the gradient behind a ReLU has the factor alone`(isa: ck_isa, count: Int) {
    let dy = samples(count, seed: 5)
    var found = dy
    isa.use { ck_dropout_backward(&found, Int64(count), 0.3) }
    #expect(found == dy.map { $0 * (1 / (1 - Float(0.3))) })
  }

  @Test(arguments: ck_isa.runnable) func `accumulates, and works in place`(isa: ck_isa) {
    let x = samples(300, seed: 3), before = samples(300, seed: 4)
    isa.use {
      let kept = dropped(x)
      var sum = before, same = x
      ck_dropout(x, &sum, 0, 300, 0.5, 0x0123_4567_89AB_CDEF, 1, 2, 3, 1)
      same.withUnsafeMutableBufferPointer {
        ck_dropout($0.baseAddress, $0.baseAddress, 0, 300, 0.5, 0x0123_4567_89AB_CDEF, 1, 2, 3, 0)
      }
      #expect(sum == zip(before, kept).map { $0 + $1 })
      #expect(same == kept)
    }
  }
}
