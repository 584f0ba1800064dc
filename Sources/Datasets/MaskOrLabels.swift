import Diagnostics
import Imaging

extension Truth {
  /// One value beside 0 is a mask: its connected regions (8-connected) are the objects. More values are labels.
  ///
  /// - Throws: `UserError` (exit 6) where the values are no labels. Those are objects, mostly in one piece and of some size; a binary mask whose edges were smoothed, by
  ///   resizing say, has grey values there that are scattered about, and would be hundreds of objects.
  init(readFrom image: LabelImage, path: String) throws {
    let values = Set(image.pixels).subtracting([0]).sorted(), regions = image.map { UInt8($0 == 0 ? 0 : 1) }.connectedRegions(connectivity: 8)
    if values.count <= 1 {
      self.init(labels: regions.labels, count: regions.count)
      return
    }
    // The values of a smooth edge stand at a few pixels each, and many around one object. Where hardly two are equal, that is the only sign.
    let areas = Dictionary(image.pixels.lazy.filter { $0 != 0 }.map { ($0, 1) }, uniquingKeysWith: +)
    let specks = areas.values.count { $0 <= 8 }, pieces = image.piecesOfOneValue()
    guard pieces <= 4 * values.count, 2 * specks <= values.count || values.count <= 4 * regions.count else {
      throw UserError.damaged(
        path, "\(values.count) values beside 0, in \(pieces) pieces: a mask with soft edges, which would be read as so many labels",
        hints: ["make it binary (0 and one value), or number the objects"])
    }
    let label = Dictionary(uniqueKeysWithValues: zip(values, Int32(1)...))
    self.init(labels: image.map { $0 == 0 ? 0 : label[$0]! }, count: values.count)
  }
}

extension LabelImage {
  /// 8-connected pieces of one value; 0 is background.
  fileprivate func piecesOfOneValue() -> Int {
    var isSeen = [Bool](repeating: false, count: pixels.count), stack: [Int] = [], pieces = 0
    for start in pixels.indices where pixels[start] != 0 && !isSeen[start] {
      pieces += 1
      isSeen[start] = true
      stack.append(start)
      while let place = stack.popLast() {
        let y = place / width, x = place % width
        for row in max(0, y - 1)...min(height - 1, y + 1) {
          for column in max(0, x - 1)...min(width - 1, x + 1) {
            let next = row * width + column
            if isSeen[next] || pixels[next] != pixels[place] { continue }
            isSeen[next] = true
            stack.append(next)
          }
        }
      }
    }
    return pieces
  }
}
