extension Image where Pixel == Float {
  /// Total-variation de-noising by Chambolle's projection: minimises Σ‖∇u‖ + 1/(2·weight)·Σ(f − u)² for the image f.
  ///
  /// scikit-image 0.26 `restoration.denoise_tv_chambolle`, with its stopping rule |E(n−1) − E(n)| < tolerance · E(0).
  /// A. Chambolle, "An algorithm for total variation minimization and applications", J. Math. Imaging Vision 20, 2004.
  ///
  /// - Parameters:
  ///   - weight: the greater, the smoother.
  ///   - tolerance: relative change of the energy at which it stops (`eps`).
  ///   - maximumIterations: most iterations (`max_num_iter`).
  public func denoisedByTotalVariation(weight: Double = 0.1, tolerance: Double = 2e-4, maximumIterations: Int = 200) -> GrayImage {
    precondition(weight > 0, "weight \(weight)")
    if pixels.isEmpty || maximumIterations == 0 { return self }
    var sweep = ChambolleSweep(self, weight: Float(weight))
    var first = 0.0, previous = 0.0
    for iteration in 0..<maximumIterations {
      let energy = sweep.advance() / Double(pixels.count)
      if iteration == 0 {
        first = energy
      } else if abs(previous - energy) < tolerance * first {
        break
      }
      previous = energy
    }
    return sweep.denoised
  }
}

/// The dual field p of Chambolle's iteration, and one sweep over the image that does a whole iteration.
///
/// scikit-image goes over the image some fifteen times an iteration. Here u = f + div p of row y + 1 is made just before
/// row y of p is renewed, so that everything is read once, in place, while it is in the first-level cache.
private struct ChambolleSweep {
  private let width: Int, height: Int, weight: Float
  private let image: [Float]
  /// p along y and along x, `[height, width]`.
  private var down: [Float], across: [Float]
  /// u, the de-noised image, as of the iteration's start. `[height, width]`
  private var u: [Float]

  init(_ image: GrayImage, weight: Float) {
    (width, height, self.weight) = (image.width, image.height, weight)
    self.image = image.pixels
    down = [Float](repeating: 0, count: image.pixels.count)
    across = down
    u = image.pixels
  }

  /// u before the last renewal of p: what scikit-image returns.
  var denoised: GrayImage { GrayImage(width: width, height: height, pixels: u) }

  /// Makes u of p, then renews p. Returns the energy Σ(div p)² + weight · Σ‖∇u‖, not yet divided by the pixels.
  mutating func advance() -> Double {
    let (width, height, weight) = (width, height, weight)
    var energy = 0.0
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) { scratch in
      let divergence = scratch.baseAddress!, norm = divergence + width
      divergence.initialize(repeating: 0, count: 2 * width)
      image.withUnsafeBufferPointer { image in
        down.withUnsafeMutableBufferPointer { down in
          across.withUnsafeMutableBufferPointer { across in
            u.withUnsafeMutableBufferPointer { u in
              for y in 0...height {
                let row = y * width
                if y < height {
                  makeU(
                    image.baseAddress! + row, down.baseAddress! + row, above: y > 0 ? down.baseAddress! + row - width : nil,
                    across.baseAddress! + row, divergence, u.baseAddress! + row, width)
                  energy += Double(sumOfSquares(divergence, width))
                }
                if y > 0 {
                  renewP(
                    u.baseAddress! + row - width, below: y < height ? u.baseAddress! + row : nil, down.baseAddress! + row - width,
                    across.baseAddress! + row - width, norm, width, weight)
                  energy += Double(weight) * Double(sum(norm, width))
                }
              }
            }
          }
        }
      }
    }
    return energy
  }
}

/// One row of d = div p and u = f + d; `above` is the row of `down` before this one, nil at the upper border.
@inline(__always)
private func makeU(
  _ f: UnsafePointer<Float>, _ down: UnsafePointer<Float>, above: UnsafePointer<Float>?, _ across: UnsafePointer<Float>,
  _ d: UnsafeMutablePointer<Float>, _ u: UnsafeMutablePointer<Float>, _ width: Int
) {
  if let above {
    d[0] = above[0] - (down[0] + across[0])
    for x in 1..<max(width, 1) { d[x] = (above[x] - (down[x] + across[x])) + across[x &- 1] }
  } else {
    d[0] = -(down[0] + across[0])
    for x in 1..<max(width, 1) { d[x] = across[x &- 1] - (down[x] + across[x]) }
  }
  for x in 0..<width { u[x] = f[x] + d[x] }
}

/// One row of p ← (p − τ∇u) / (1 + τ‖∇u‖/weight), τ = 1/4; leaves ‖∇u‖ in `norm`. `below` is u's next row, nil at the lower border.
@inline(__always)
private func renewP(
  _ u: UnsafePointer<Float>, below: UnsafePointer<Float>?, _ down: UnsafeMutablePointer<Float>, _ across: UnsafeMutablePointer<Float>,
  _ norm: UnsafeMutablePointer<Float>, _ width: Int, _ weight: Float
) {
  let tau: Float = 0.25, ratio = tau / max(weight, 1e-30)  // below, the ratio would be infinite: 0 · ∞ is no number
  // A difference across the border is zero: taken against the row itself, and against the last column itself below.
  let next = below ?? u
  for x in 0..<(width - 1) {
    let dy = next[x] - u[x], dx = u[x &+ 1] - u[x]
    let length = (dy * dy + dx * dx).squareRoot()
    let share = 1 / (1 + length * ratio)
    norm[x] = length
    down[x] = (down[x] - tau * dy) * share
    across[x] = (across[x] - tau * dx) * share
  }
  let x = width - 1
  let dy = next[x] - u[x], length = abs(dy)
  norm[x] = length
  down[x] = (down[x] - tau * dy) / (1 + length * ratio)
}

// Sums over a row in eight lanes: the compiler may not reorder a sum of floats by itself.

@inline(__always)
private func sum(_ row: UnsafePointer<Float>, _ count: Int) -> Float { lanes(row, count) { $0 } rest: { $0 } }

@inline(__always)
private func sumOfSquares(_ row: UnsafePointer<Float>, _ count: Int) -> Float { lanes(row, count) { $0 * $0 } rest: { $0 * $0 } }

@inline(__always)
private func lanes(
  _ row: UnsafePointer<Float>, _ count: Int, _ term: (SIMD8<Float>) -> SIMD8<Float>, rest: (Float) -> Float
) -> Float {
  var lanes = SIMD8<Float>.zero
  let whole = count & ~7
  for x in stride(from: 0, to: whole, by: 8) { lanes += term(UnsafeRawPointer(row + x).loadUnaligned(as: SIMD8<Float>.self)) }
  var total = lanes.sum()
  for x in whole..<count { total += rest(row[x]) }
  return total
}
