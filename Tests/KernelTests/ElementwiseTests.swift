import CKernels
import Foundation
import TestSupport
import Testing

@Suite(.serialized, .wholeProcessor) struct ElementwiseTests {
  @Test(arguments: ck_isa.runnable, [0, 1, 17, 1000]) func `ReLU, its gradient and addition`(isa: ck_isa, count: Int) {
    let x = samples(count, seed: 1), dy = samples(count, seed: 2)
    var y = x, dx = dy, more = dy, sum = dy
    isa.use {
      ck_relu(x, &y, Int64(count))
      ck_relu_backward(y, dy, &dx, Int64(count), 0)
      ck_relu_backward(y, dy, &more, Int64(count), 1)
      ck_add(x, &sum, Int64(count))
    }
    #expect(y == x.map { max($0, 0) })
    #expect(dx == zip(x, dy).map { $0 > 0 ? $1 : 0 })
    #expect(more == zip(x, dy).map { $0 > 0 ? 2 * $1 : $1 })
    #expect(sum == zip(x, dy).map { $0 + $1 })
  }

  @Test(arguments: ck_isa.runnable) func `ReLU lets NaN through, so that a diverged run shows`(isa: ck_isa) {
    var x = [Float](repeating: -1, count: 40)
    x[3] = .nan
    x[39] = .nan
    var y = x
    isa.use { ck_relu(x, &y, 40) }
    #expect(y[3].isNaN && y[39].isNaN && y[0] == 0)
  }

  @Test(arguments: ck_isa.runnable) func `Adam follows Keras's formula`(isa: ck_isa) {
    let count = 101, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, l2 = 1e-4
    var w = samples(count, seed: 3), m = [Float](repeating: 0, count: count), v = m
    var exact = w.map { (w: Double($0), m: 0.0, v: 0.0) }
    for step in 1...5 {
      let gradient = samples(count, seed: UInt32(10 + step))
      let rate = 1e-2 * (1 - Double.power(beta2, step)).squareRoot() / (1 - Double.power(beta1, step))
      isa.use {
        ck_adam(&w, gradient, &m, &v, Int64(count), Float(rate), Float(beta1), Float(beta2), Float(epsilon), Float(l2))
      }
      for i in 0..<count {
        let g = Double(gradient[i]) + 2 * l2 * exact[i].w
        exact[i].m += (g - exact[i].m) * (1 - beta1)
        exact[i].v += (g * g - exact[i].v) * (1 - beta2)
        exact[i].w -= rate * exact[i].m / (exact[i].v.squareRoot() + epsilon)
      }
    }
    // 1 − 0.999f is off by 1e-5 of itself, and so is v.
    #expect(relativeError(w, exact.map { Float($0.w) }) < 1e-6)
    #expect(relativeError(m, exact.map { Float($0.m) }) < 1e-6)
    #expect(relativeError(v, exact.map { Float($0.v) }) < 5e-5)
  }

  @Test func `denormals are flushed where asked`() async {
    // On a thread of its own, since the setting stays with a thread; a denormal by its bits, which nothing can have folded.
    let bits = UInt32(4_000_000 + samples(1, seed: 1)[0].bitPattern % 1000)
    let (flushed, restored) = await withCheckedContinuation { (done: CheckedContinuation<(Float, Float), Never>) in
      Thread {
        func twice() -> Float {
          var sum = [Float(bitPattern: bits)]
          ck_add([Float(bitPattern: bits)], &sum, 1)
          return sum[0]
        }
        let before = ck_flush_denormals(), flushed = twice()
        ck_restore_denormals(before)
        done.resume(returning: (flushed, twice()))
      }.start()
    }
    #expect(Float(bitPattern: bits).isSubnormal && flushed == 0 && restored.bitPattern == 2 * bits)
  }
}

extension Double {
  fileprivate static func power(_ base: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1) { p, _ in p * base } }
}
