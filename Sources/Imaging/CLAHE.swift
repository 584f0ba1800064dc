extension Image where Pixel == Float {
  /// Contrast-limited adaptive histogram equalisation; result in [0, 1].
  ///
  /// The same numbers as scikit-image 0.26 `exposure.equalize_adapthist(image, kernel_size, clip_limit, nbins)` with a kernel of
  /// `max(side / tiles, 1)` pixels (its default is `tiles` 8), step by step: 16-bit input levels, spread over 2¹⁴, histograms of the
  /// tiles clipped and their excess dealt out again, and the mappings of the four nearest tiles blended bilinearly.
  /// Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
  ///
  /// - Parameters:
  ///   - clipLimit: largest share of a tile's pixels in one bin; 0 clips nothing.
  ///   - tiles: tiles a side.
  ///   - bins: histogram bins, at most 256.
  public func equalizedAdaptively(clipLimit: Double = 0.01, tiles: Int = 8, bins: Int = 256) -> GrayImage {
    precondition(tiles > 0 && (1...256).contains(bins), "\(tiles) tiles, \(bins) bins")
    if pixels.isEmpty { return self }
    let grid = TileGrid(width: width, height: height, tiles: tiles)
    let binned = grid.binned(self, bins: bins)
    let maps = grid.mappings(binned, bins: bins, clipLimit: clipLimit)
    return grid.blended(binned, maps: maps, bins: bins).rescaled()
  }
}

/// Grey levels inside CLAHE (scikit-image's NR_OF_GRAY).
private let levels = 1 << 14

/// The tiles over an image: `columns` × `rows` of `tileWidth` × `tileHeight`, the last ones filled up by reflection.
private struct TileGrid {
  var width: Int, height: Int
  var tileWidth: Int, tileHeight: Int
  var columns: Int, rows: Int
  /// Of the image after reflection.
  var paddedWidth: Int { columns * tileWidth }

  init(width: Int, height: Int, tiles: Int) {
    (self.width, self.height) = (width, height)
    (tileWidth, tileHeight) = (max(width / tiles, 1), max(height / tiles, 1))
    (columns, rows) = ((width + tileWidth - 1) / tileWidth, (height + tileHeight - 1) / tileHeight)
  }

  /// Each pixel's histogram bin, `[rows · tileHeight, columns · tileWidth]`.
  func binned(_ image: GrayImage, bins: Int) -> [UInt8] {
    // Adding and taking away 1.5 · 2²³ rounds to the nearest integer, ties to even, without the call that SSE2 needs for it.
    let rounding: Float = 0x1.8p23
    var levels16 = [UInt16](repeating: 0, count: image.pixels.count)
    var (low, high) = (UInt16.max, UInt16.min)
    image.pixels.withUnsafeBufferPointer { source in
      levels16.withUnsafeMutableBufferPointer { out in
        for i in 0..<source.count {
          let level = UInt16(truncatingIfNeeded: Int32((min(max(source[i], 0), 1) * 65_535 + rounding) - rounding))
          out[i] = level
          low = min(low, level)
          high = max(high, level)
        }
      }
    }

    // What a 16-bit level becomes is looked up: 65,536 divisions at most, whatever the image's size.
    let binSize = 1 + levels / bins
    let top = Double(levels - 1), range = Double(high) - Double(low)
    let binOf: [UInt8] = (Int(low)...Int(high)).map { level in
      let spread = range > 0 ? ((Double(level) - Double(low)) / range * top).rounded(.toNearestOrEven) : min(Double(level), top)
      return UInt8(Int(spread) / binSize)
    }

    return [UInt8](unsafeUninitializedCapacity: rows * tileHeight * paddedWidth) { out, count in
      levels16.withUnsafeBufferPointer { source in
        binOf.withUnsafeBufferPointer { binOf in
          for y in 0..<(rows * tileHeight) {
            let from = source.baseAddress! + reflected(y, height) * width
            let to = out.baseAddress! + y * paddedWidth
            for x in 0..<width { to[x] = binOf[Int(from[x] &- low)] }
            for x in width..<max(width, paddedWidth) { to[x] = to[reflected(x, width)] }
          }
        }
      }
      count = rows * tileHeight * paddedWidth
    }
  }

  /// Each tile's mapping from bin to grey level, `[rows, columns, bins]`.
  func mappings(_ binned: [UInt8], bins: Int, clipLimit: Double) -> [Int32] {
    let tilePixels = tileWidth * tileHeight
    let limit = clipLimit > 0 ? Int(max(clipLimit * Double(tilePixels), 1)) : tilePixels
    let scale = Double(levels - 1) / Double(tilePixels)
    var maps = [Int32](repeating: 0, count: rows * columns * bins)
    var histogram = [Int](repeating: 0, count: bins)
    for row in 0..<rows {
      for column in 0..<columns {
        binned.withUnsafeBufferPointer { source in
          histogram.withUnsafeMutableBufferPointer { histogram in
            histogram.update(repeating: 0)
            for y in (row * tileHeight)..<((row + 1) * tileHeight) {
              let from = source.baseAddress! + y * paddedWidth + column * tileWidth
              for x in 0..<tileWidth { histogram[Int(from[x])] &+= 1 }
            }
            clip(histogram, at: limit)
          }
        }
        var sum = 0
        let map = (row * columns + column) * bins
        for bin in 0..<bins {
          sum += histogram[bin]
          maps[map + bin] = Int32(min(Double(sum) * scale, Double(levels - 1)))
        }
      }
    }
    return maps
  }

  /// Every pixel's level: the mappings of the four nearest tiles, blended by the distance to the tiles' centres. `[height, width]`
  func blended(_ binned: [UInt8], maps: [Int32], bins: Int) -> GrayImage {
    var out = GrayImage(width: width, height: height, repeating: 0)
    let across = (0..<tileWidth).map { Double($0) / Double(tileWidth) }
    // The mappings of the tiles left above, right above, left below and right below, side by side: one load a pixel.
    var corners = [SIMD4<Double>](repeating: .zero, count: (columns + 1) * bins)
    var cornersRow = -1
    for y in 0..<height {
      let (row, inside) = (y + tileHeight / 2).quotientAndRemainder(dividingBy: tileHeight)
      if row != cornersRow {
        cornersRow = row
        let (above, below) = (max(row - 1, 0) * columns, min(row, rows - 1) * columns)
        for column in 0...columns {
          let (left, right) = (max(column - 1, 0), min(column, columns - 1))
          for bin in 0..<bins {
            corners[column * bins + bin] = SIMD4(
              Double(maps[(above + left) * bins + bin]), Double(maps[(above + right) * bins + bin]),
              Double(maps[(below + left) * bins + bin]), Double(maps[(below + right) * bins + bin]))
          }
        }
      }
      let down = Double(inside) / Double(tileHeight)
      let rowWeights = SIMD4(1 - down, 1 - down, down, down)
      binned.withUnsafeBufferPointer { binned in
        corners.withUnsafeBufferPointer { corners in
          across.withUnsafeBufferPointer { across in
            out.pixels.withUnsafeMutableBufferPointer { out in
              let from = binned.baseAddress! + y * paddedWidth
              let to = out.baseAddress! + y * width
              for column in 0...columns {
                let start = column * tileWidth - tileWidth / 2
                let tile = corners.baseAddress! + column * bins
                for x in max(start, 0)..<max(min(start + tileWidth, width), max(start, 0)) {
                  let right = across[x &- start], left = 1 - right
                  // Products in double, their sum in single precision, then cut to an integer: scikit-image's own order.
                  let parts = SIMD4<Float>(tile[Int(from[x])] * (rowWeights * SIMD4(left, right, left, right)))
                  to[x] = Float(Int32(((parts[0] + parts[1]) + parts[2]) + parts[3]))
                }
              }
            }
          }
        }
      }
    }
    return out
  }
}

/// Cuts bins above `limit` and deals the excess out over the others (scikit-image's `clip_histogram`, including where it leaves some).
private func clip(_ histogram: UnsafeMutableBufferPointer<Int>, at limit: Int) {
  var excess = 0
  for bin in histogram.indices where histogram[bin] > limit {
    excess += histogram[bin] - limit
    histogram[bin] = limit
  }
  let increment = excess / histogram.count
  let upper = limit - increment
  for bin in histogram.indices {
    if histogram[bin] < upper {
      histogram[bin] += increment
      excess -= increment
    }
    if histogram[bin] >= upper && histogram[bin] < limit {
      excess += histogram[bin] - limit
      histogram[bin] = limit
    }
  }
  while excess > 0 {
    let before = excess
    for first in histogram.indices where excess > 0 {
      let under = histogram.reduce(0) { $0 + ($1 < limit ? 1 : 0) }
      for bin in stride(from: first, to: histogram.count, by: max(1, under / excess)) where histogram[bin] < limit {
        histogram[bin] += 1
        excess -= 1
      }
    }
    if excess == before { break }
  }
}

/// Index `i` of a line of `count` elements that goes on as its own mirror image, the last element not repeated (numpy's "reflect").
func reflected(_ i: Int, _ count: Int) -> Int {
  if count == 1 { return 0 }
  let period = 2 * (count - 1)
  let j = ((i % period) + period) % period
  return j < count ? j : period - j
}
