import TensorCore

// The three blurs of the paper's augmentation. Beyond the border the image goes on as its own mirror image, the border itself not
// repeated (scipy.ndimage's mode "mirror", by which they are checked).

extension Image where Pixel == Float {
  /// Gaussian blur of standard deviation `sigma` pixels, cut off at 4σ.
  public func blurredGaussian(sigma: Double) -> GrayImage {
    let radius = Int(4 * sigma + 0.5)
    let weights = (-radius...radius).map { (-0.5 * Double($0 * $0) / (sigma * sigma)).exponential() }
    let sum = weights.reduce(0, +)
    return radius == 0 ? self : convolved(weights.map { Float($0 / sum) })
  }

  /// Mean over the (2·radius + 1)² pixels around each.
  public func blurredAverage(radius: Int) -> GrayImage {
    radius == 0 ? self : convolved([Float](repeating: 1 / Float(2 * radius + 1), count: 2 * radius + 1))
  }

  /// Median of the (2·radius + 1)² pixels around each.
  public func blurredMedian(radius: Int) -> GrayImage {
    if radius == 0 || pixels.isEmpty { return self }
    let side = 2 * radius + 1
    let columns = (-radius..<(width + radius)).map { reflected($0, width) }
    var out = self
    var window = [Float](repeating: 0, count: side * side)
    pixels.withUnsafeBufferPointer { source in
      for y in 0..<height {
        let rows = (y - radius...y + radius).map { reflected($0, height) * width }
        for x in 0..<width {
          window.withUnsafeMutableBufferPointer { window in
            var i = 0
            for row in rows {
              for k in x..<(x + side) {
                window[i] = source[row + columns[k]]
                i += 1
              }
            }
            out.pixels[y * width + x] = select(window, rank: side * side / 2)
          }
        }
      }
    }
    return out
  }

  /// Convolution with the same symmetric kernel along x, then along y.
  private func convolved(_ kernel: [Float]) -> GrayImage {
    if pixels.isEmpty { return self }
    let radius = kernel.count / 2
    var along = GrayImage(width: width, height: height, repeating: 0)
    var out = along
    var line = [Float](repeating: 0, count: width + 2 * radius)
    let columns = line.indices.map { reflected($0 - radius, width) }
    for y in 0..<height {
      for i in line.indices { line[i] = pixels[y * width + columns[i]] }
      along.pixels.withUnsafeMutableBufferPointer { to in
        line.withUnsafeBufferPointer { line in
          for (k, weight) in kernel.enumerated() { accumulate(line.baseAddress! + k, weight, to.baseAddress! + y * width, width) }
        }
      }
    }
    for y in 0..<height {
      out.pixels.withUnsafeMutableBufferPointer { to in
        along.pixels.withUnsafeBufferPointer { from in
          for (k, weight) in kernel.enumerated() {
            accumulate(from.baseAddress! + reflected(y + k - radius, height) * width, weight, to.baseAddress! + y * width, width)
          }
        }
      }
    }
    return out
  }
}

/// out += weight · row.
@inline(__always)
private func accumulate(_ row: UnsafePointer<Float>, _ weight: Float, _ out: UnsafeMutablePointer<Float>, _ count: Int) {
  for x in 0..<count { out[x] += weight * row[x] }
}

/// The value of rank `rank` (0 the least), by Hoare's selection; leaves `values` reordered.
private func select(_ values: UnsafeMutableBufferPointer<Float>, rank: Int) -> Float {
  var (low, high) = (0, values.count - 1)
  while low < high {
    let pivot = values[rank]
    var (i, j) = (low, high)
    while i <= j {
      while values[i] < pivot { i += 1 }
      while values[j] > pivot { j -= 1 }
      if i <= j {
        values.swapAt(i, j)
        i += 1
        j -= 1
      }
    }
    if j < rank { low = i }
    if i > rank { high = j }
  }
  return values[rank]
}
