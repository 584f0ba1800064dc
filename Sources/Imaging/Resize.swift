extension Image where Pixel == Float {
  /// Bilinear, pixel centres at half integers, the border repeated (scikit-image's `transform.resize(order=1, mode="edge", anti_aliasing=False)`).
  public func resized(width newWidth: Int, height newHeight: Int) -> GrayImage {
    let (rows, columns) = (taps(height, newHeight), taps(width, newWidth))
    return GrayImage(
      width: newWidth, height: newHeight,
      pixels: rows.flatMap { row in
        columns.map { column in
          let above = self[row.low, column.low] + (self[row.low, column.high] - self[row.low, column.low]) * column.share
          let below = self[row.high, column.low] + (self[row.high, column.high] - self[row.high, column.low]) * column.share
          return above + (below - above) * row.share
        }
      })
  }
}

/// The two pixels that each new pixel of a line lies between, and the share of the second.
private func taps(_ count: Int, _ newCount: Int) -> [(low: Int, high: Int, share: Float)] {
  precondition(count > 0 && newCount >= 0, "\(count) pixels to \(newCount)")
  return (0..<newCount).map { i in
    let place = min(max((Double(i) + 0.5) * Double(count) / Double(newCount) - 0.5, 0), Double(count - 1))
    let low = Int(place)
    return (low, min(low + 1, count - 1), Float(place - Double(low)))
  }
}
