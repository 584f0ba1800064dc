import Imaging

/// A patch's upper left pixel in its image.
public struct PatchOrigin: Sendable, Hashable, Codable {
  public var y: Int
  public var x: Int
  public init(y: Int, x: Int) { (self.y, self.x) = (y, x) }
}

/// The patch grid: ⌈height/size⌉ · ⌈width/size⌉ origins, row by row; a last patch that would stand over the border is moved back to it.
/// Sides below `size` have one patch at 0, which is zero-padded.
public func patchOrigins(height: Int, width: Int, size: Int) -> [PatchOrigin] {
  precondition(height > 0 && width > 0 && size > 0, "no patches of \(size) in \(height) × \(width)")
  func starts(_ side: Int) -> [Int] { stride(from: 0, to: side, by: size).map { max(0, min($0, side - size)) } }
  let columns = starts(width)
  return starts(height).flatMap { y in columns.map { PatchOrigin(y: y, x: $0) } }
}

/// One image of patches that may overlap: each pixel is the largest of its patches' values (the paper's way); padding is dropped.
///
/// - Parameter patches: `[count, size, size]`, in the order of `origins`.
public func mergeMaximum(_ patches: [Float], at origins: [PatchOrigin], height: Int, width: Int, size: Int) -> GrayImage {
  precondition(patches.count == origins.count * size * size, "\(patches.count) values cannot fill \(origins.count) patches of \(size) × \(size)")
  var merged = GrayImage(width: width, height: height, repeating: -.infinity)
  patches.withUnsafeBufferPointer { patches in
    for (index, origin) in origins.enumerated() {
      merged.layMaximum(
        patches.baseAddress! + index * size * size, size: size, at: origin, rows: 0..<min(size, height - origin.y), columns: 0..<min(size, width - origin.x))
    }
  }
  return merged.map { $0 == -.infinity ? 0 : $0 }
}

extension GrayImage {
  /// Raises the pixels under a patch's `rows` and `columns` to its values.
  mutating func layMaximum(_ patch: UnsafePointer<Float>, size: Int, at origin: PatchOrigin, rows: Range<Int>, columns: Range<Int>) {
    let width = width
    pixels.withUnsafeMutableBufferPointer { out in
      for row in rows {
        let from = row * size, to = (origin.y + row) * width + origin.x
        for column in columns { out[to + column] = max(out[to + column], patch[from + column]) }
      }
    }
  }
}
