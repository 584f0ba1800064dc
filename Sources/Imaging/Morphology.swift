extension Image where Pixel == Float {
  /// 1 where a value exceeds `threshold`.
  public func above(_ threshold: Float) -> Mask { map { $0 > threshold ? 1 : 0 } }
}

extension Image where Pixel == UInt8 {
  /// Fills holes: regions of background of at most `maximumHole` pixels become foreground.
  ///
  /// The background is connected the other way round than the foreground (4 where `connectivity`, the foreground's, is 8, and 8
  /// where it is 4), so that a closed curve separates its inside from its outside. With foreground 8 this is scikit-image's
  /// `remove_small_holes(max_size: maximumHole, connectivity: 1)`; as there, small background at the border is filled as well.
  public func fillingHoles(upTo maximumHole: Int, connectivity: Int) -> Mask {
    guard maximumHole > 0 else { return self }
    let background = map { $0 == 0 ? UInt8(1) : 0 }
    let (labels, count) = background.connectedRegions(connectivity: connectivity == 8 ? 4 : 8)
    let areas = labels.areas(count: count)
    var filled = self
    for i in filled.pixels.indices {
      let label = Int(labels.pixels[i])
      if label > 0 && areas[label] <= maximumHole { filled.pixels[i] = 1 }
    }
    return filled
  }

  /// Drops connected regions of fewer than `minimumObject` pixels (scikit-image's `remove_small_objects(max_size: minimumObject - 1)`).
  public func droppingObjects(below minimumObject: Int, connectivity: Int) -> Mask {
    guard minimumObject > 1 else { return self }
    let (labels, count) = connectedRegions(connectivity: connectivity)
    let areas = labels.areas(count: count)
    var kept = self
    for i in kept.pixels.indices where areas[Int(labels.pixels[i])] < minimumObject { kept.pixels[i] = 0 }
    return kept
  }
}

extension Image where Pixel == Int32 {
  /// Pixels of each label, `[count + 1]`; element 0 counts the background.
  public func areas(count: Int) -> [Int] {
    var areas = [Int](repeating: 0, count: count + 1)
    for label in pixels { areas[Int(label)] += 1 }
    return areas
  }
}
