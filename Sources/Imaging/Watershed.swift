import HeapModule

extension Image where Pixel == Int32 {
  /// Takes touching objects apart: each region becomes one object for every peak of its distance to the background, and its pixels go to
  /// the peaks by a watershed on that distance.
  ///
  /// scikit-image's `peak_local_max(distance, min_distance, exclude_border=False, labels=regions)` and
  /// `watershed(-distance, markers, connectivity, mask=regions > 0)`, region by region, so that it takes no memory beyond the largest one's box.
  ///
  /// - Parameters:
  ///   - count: regions, labelled 1…count (`connectedRegions`).
  ///   - spacing: pixels that two peaks are apart at least, along the rows or the columns.
  ///   - connectivity: 4 or 8, as of the regions.
  /// - Returns: objects, numbered by their region, then by their peak's place, row by row.
  public func splitByDistance(count: Int, spacing: Int, connectivity: Int) -> (labels: LabelImage, count: Int) {
    precondition(spacing >= 1 && (connectivity == 4 || connectivity == 8), "spacing \(spacing), connectivity \(connectivity)")
    var split = self
    var objects = 0
    for (index, region) in boundingBoxes(count: count).enumerated() {
      // With a margin of background, where the image has one.
      let box = region.grown(by: 1, within: self)
      var mask = Mask(width: box.width, height: box.height, repeating: 0)
      for y in 0..<box.height { for x in 0..<box.width where self[box.y + y, box.x + x] == Int32(index + 1) { mask[y, x] = 1 } }
      let distances = mask.squaredDistances(), peaks = distances.peaks(spacing: spacing).sorted()
      let basins = peaks.count > 1 ? distances.flooded(from: peaks, connectivity: connectivity) : LabelImage(mask)
      for y in 0..<box.height {
        for x in 0..<box.width where mask[y, x] != 0 { split[box.y + y, box.x + x] = Int32(objects) + basins[y, x] }
      }
      objects += max(peaks.count, 1)
    }
    return (split, objects)
  }

  /// Places (`y · width + x`) of the greatest values within `spacing` pixels along the rows and columns, greatest first; of those closer to
  /// each other than `spacing` the first alone. None in a plateau that is the whole region.
  fileprivate func peaks(spacing: Int) -> [Int] {
    let greatest = maximum(within: spacing)
    let candidates = pixels.indices.filter { pixels[$0] > 0 && pixels[$0] == greatest.pixels[$0] }
    if candidates.count == pixels.reduce(0, { $0 + ($1 > 0 ? 1 : 0) }) { return [] }
    var kept: [Int] = [], isTaken = [Bool](repeating: false, count: pixels.count)
    // By falling value; among equals by place.
    for place in candidates.sorted(by: { (pixels[$1], $0) < (pixels[$0], $1) }) {
      if isTaken[place] { continue }
      kept.append(place)
      let (y, x) = place.quotientAndRemainder(dividingBy: width), near = spacing - 1
      for row in max(0, y - near)...min(height - 1, y + near) {
        for column in max(0, x - near)...min(width - 1, x + near) { isTaken[row * width + column] = true }
      }
    }
    return kept
  }

  /// Each pixel's greatest neighbour within `radius` along the rows and columns.
  private func maximum(within radius: Int) -> Image<Int32> {
    var rows = self, all = self
    for y in 0..<height {
      for x in 0..<width { for other in max(0, x - radius)...min(width - 1, x + radius) { rows[y, x] = Swift.max(rows[y, x], self[y, other]) } }
    }
    for y in 0..<height {
      for other in max(0, y - radius)...min(height - 1, y + radius) { for x in 0..<width { all[y, x] = Swift.max(all[y, x], rows[other, x]) } }
    }
    return all
  }

  /// Which of `peaks` (1…) each pixel above 0 is flooded from, greatest values first and among equals in the order in which they were reached.
  ///
  /// F. Meyer, "Topographic distance and watershed lines", Signal Processing 38, 1994, in scikit-image's order of neighbours.
  fileprivate func flooded(from peaks: [Int], connectivity: Int) -> LabelImage {
    var basins = LabelImage(width: width, height: height, repeating: 0)
    var reached: [UInt32] = []
    reached.reserveCapacity(pixels.reduce(0) { $0 + ($1 > 0 ? 1 : 0) })
    // The value, reversed, above the order of arrival.
    var queue = Heap<UInt64>()
    func push(_ place: Int, _ basin: Int32) {
      basins.pixels[place] = basin
      queue.insert(UInt64(Int32.max - pixels[place]) << 32 | UInt64(reached.count))
      reached.append(UInt32(place))
    }
    for (index, peak) in peaks.enumerated() { push(peak, Int32(index + 1)) }
    let sides = [(-1, 0), (0, -1), (0, 1), (1, 0)], corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    while let first = queue.popMin() {
      let place = Int(reached[Int(first & 0xFFFF_FFFF)]), (y, x) = place.quotientAndRemainder(dividingBy: width)
      for (dy, dx) in connectivity == 8 ? sides + corners : sides {
        guard (0..<height).contains(y + dy), (0..<width).contains(x + dx) else { continue }
        let next = place + dy * width + dx
        if pixels[next] > 0, basins.pixels[next] == 0 { push(next, basins.pixels[place]) }
      }
    }
    return basins
  }
}

extension LabelImage {
  fileprivate init(_ mask: Mask) { self = mask.map { Int32($0) } }
}
