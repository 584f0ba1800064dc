import Imaging

/// How an image is cut into tiles for a network, and put together again.
///
/// Without overlap this is the paper's grid, and where tiles overlap all the same, because the last one was moved back to the border, the
/// largest value counts. With overlap each pixel is taken from a tile that sees at least half the overlap around it: as soon as that
/// exceeds the network's field of view, the result is that of the whole image at once.
public struct Tiling: Sendable {
  /// Side of a tile, pixels.
  public let size: Int
  public let origins: [PatchOrigin]
  private let height: Int
  private let width: Int
  /// Of a tile, what does not count where another tile goes on.
  private let margin: Int

  /// - Parameters:
  ///   - overlap: pixels that neighbouring tiles share at least; 0 ≤ overlap ≤ size − alignment.
  ///   - alignment: 2^(N − 1) of the network: overlapping tiles begin at multiples of it, so that pooling sees the same pixels in all of them.
  public init(height: Int, width: Int, size: Int, overlap: Int, alignment: Int) {
    precondition(overlap >= 0 && overlap <= size - alignment, "tiles of \(size) cannot overlap by \(overlap)")
    (self.height, self.width, self.size) = (height, width, size)
    guard overlap > 0 else {
      (origins, margin) = (patchOrigins(height: height, width: width, size: size), 0)
      return
    }
    let step = (size - overlap) / alignment * alignment
    margin = (size - step) / 2
    /// The last tile stands over the border by less than `alignment`.
    func starts(_ side: Int) -> [Int] {
      let last = (max(0, side - size) + alignment - 1) / alignment * alignment
      return stride(from: 0, to: last, by: step) + [last]
    }
    let columns = starts(width)
    origins = starts(height).flatMap { y in columns.map { PatchOrigin(y: y, x: $0) } }
  }

  /// An image to merge tiles into.
  public var blank: GrayImage { GrayImage(width: width, height: height, repeating: 0) }

  /// Lays a tile's values, `[size, size]`, each at least 0, into the image; in any order.
  public func merge(_ tile: UnsafePointer<Float>, at origin: PatchOrigin, into image: inout GrayImage) {
    image.layMaximum(tile, size: size, at: origin, rows: counting(from: origin.y, side: height), columns: counting(from: origin.x, side: width))
  }

  /// Rows (or columns) of a tile that count.
  private func counting(from start: Int, side: Int) -> Range<Int> {
    (start == 0 ? 0 : margin)..<(start + size >= side ? side - start : size - margin)
  }
}
