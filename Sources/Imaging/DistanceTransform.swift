extension Image where Pixel == UInt8 {
  /// Each foreground pixel's squared Euclidean distance to the nearest background pixel, `[height, width]`; 0 in the background. What lies
  /// outside the image is not background: without any background every distance is `Int32.max`.
  ///
  /// Exact, in time proportional to the pixels: distances along the columns, then the lower envelope of parabolas along the rows.
  /// P. Felzenszwalb, D. Huttenlocher, "Distance transforms of sampled functions", Theory of Computing 8, 2012.
  public func squaredDistances() -> Image<Int32> {
    var squared = Image<Int32>(width: width, height: height, repeating: 0)
    guard pixels.contains(0) else { return Image<Int32>(width: width, height: height, repeating: .max) }
    let far = width + height  // beyond every distance there is
    var down = [Int](repeating: far, count: width)  // to the nearest background above
    var column = Image<Int32>(width: width, height: height, repeating: 0)
    for y in 0..<height {
      for x in 0..<width {
        down[x] = self[y, x] == 0 ? 0 : min(down[x] + 1, far)
        column[y, x] = Int32(down[x])
      }
    }
    var up = [Int](repeating: far, count: width)
    var envelope = ParabolaEnvelope(capacity: width)
    for y in (0..<height).reversed() {
      for x in 0..<width { up[x] = min(self[y, x] == 0 ? 0 : min(up[x] + 1, far), Int(column[y, x])) }
      envelope.clear()
      for x in 0..<width where up[x] < far { envelope.add(at: x, height: up[x] * up[x]) }
      envelope.evaluate(0..<width) { squared[y, $0] = Int32($1) }
      for x in 0..<width { up[x] = self[y, x] == 0 ? 0 : min(up[x], far) }
    }
    return squared
  }
}

/// The least of the parabolas (x − v)² + h at every x.
private struct ParabolaEnvelope {
  private var places: [Int] = []
  private var heights: [Int] = []
  /// From where on each parabola is the least.
  private var starts: [Double] = []

  init(capacity: Int) {
    places.reserveCapacity(capacity)
    heights.reserveCapacity(capacity)
    starts.reserveCapacity(capacity)
  }

  mutating func clear() {
    places.removeAll(keepingCapacity: true)
    heights.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
  }

  /// In rising order of `place`.
  mutating func add(at place: Int, height: Int) {
    var start = -Double.infinity
    while let last = places.last {
      start = Double((height + place * place) - (heights.last! + last * last)) / Double(2 * (place - last))
      if start > starts.last! { break }
      places.removeLast()
      heights.removeLast()
      starts.removeLast()
      start = -.infinity
    }
    places.append(place)
    heights.append(height)
    starts.append(start)
  }

  func evaluate(_ range: Range<Int>, _ put: (_ x: Int, _ value: Int) -> Void) {
    var index = 0
    for x in range {
      while index + 1 < places.count, starts[index + 1] < Double(x) { index += 1 }
      put(x, (x - places[index]) * (x - places[index]) + heights[index])
    }
  }
}
