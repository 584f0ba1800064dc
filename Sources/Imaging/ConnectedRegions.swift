extension Image where Pixel == UInt8 {
  /// Labels the connected regions of the mask's nonzero pixels, 1…count in raster order of each region's first pixel
  /// (scikit-image's `measure.label` gives the same numbers).
  ///
  /// - Parameter connectivity: 4 (sides) or 8 (sides and corners).
  public func connectedRegions(connectivity: Int) -> (labels: LabelImage, count: Int) {
    precondition(connectivity == 4 || connectivity == 8, "connectivity \(connectivity) is neither 4 nor 8")
    var labels = LabelImage(width: width, height: height, repeating: 0)
    // parent[l] ≤ l: a region's root is its smallest provisional label, which its first pixel in raster order received.
    var parent: [Int32] = [0]

    func root(_ label: Int32) -> Int32 {
      var l = label
      while parent[Int(l)] != l {
        parent[Int(l)] = parent[Int(parent[Int(l)])]
        l = parent[Int(l)]
      }
      return l
    }

    pixels.withUnsafeBufferPointer { mask in
      labels.pixels.withUnsafeMutableBufferPointer { out in
        for y in 0..<height {
          for x in 0..<width where mask[y * width + x] != 0 {
            let here = y * width + x
            var label: Int32 = 0
            func join(_ neighbour: Int32) {
              if neighbour == 0 || neighbour == label { return }
              if label == 0 {
                label = neighbour
              } else {
                let (a, b) = (root(label), root(neighbour))
                label = min(a, b)
                parent[Int(max(a, b))] = label
              }
            }
            if x > 0 { join(out[here - 1]) }
            if y > 0 {
              join(out[here - width])
              if connectivity == 8 {
                if x > 0 { join(out[here - width - 1]) }
                if x + 1 < width { join(out[here - width + 1]) }
              }
            }
            if label == 0 {
              label = Int32(parent.count)
              parent.append(label)
            }
            out[here] = label
          }
        }
      }
    }

    // Roots in ascending order are regions in raster order.
    var final = [Int32](repeating: 0, count: parent.count)
    var count: Int32 = 0
    for label in 1..<max(1, parent.count) {
      let top = root(Int32(label))
      if top == Int32(label) {
        count += 1
        final[label] = count
      } else {
        final[label] = final[Int(top)]
      }
    }
    labels.pixels.withUnsafeMutableBufferPointer { out in
      for i in out.indices { out[i] = final[Int(out[i])] }
    }
    return (labels, Int(count))
  }
}
