/// Where a training takes its patches from: square, one channel, a mask each. Read one at a time, so that they may stay in a mapped file.
public protocol PatchSource: Sendable {
  /// Of a patch, pixels.
  var side: Int { get }
  var count: Int { get }
  /// Writes patch `index`, [side, side], intensities in [0, 1].
  func copyImage(_ index: Int, into target: UnsafeMutablePointer<Float>)
  /// Writes its mask, [side, side], 0 and 1.
  func copyMask(_ index: Int, into target: UnsafeMutablePointer<UInt8>)
}

/// Patches in memory, [count, side, side].
public struct Samples: PatchSource {
  public let side: Int
  public let images: [Float]
  public let masks: [UInt8]
  public var count: Int { images.count / (side * side) }
  public init(side: Int, images: [Float], masks: [UInt8]) {
    precondition(images.count == masks.count && images.count % (side * side) == 0, "patches and masks do not match")
    (self.side, self.images, self.masks) = (side, images, masks)
  }

  public func copyImage(_ index: Int, into target: UnsafeMutablePointer<Float>) {
    images.withUnsafeBufferPointer { target.update(from: $0.baseAddress! + index * side * side, count: side * side) }
  }
  public func copyMask(_ index: Int, into target: UnsafeMutablePointer<UInt8>) {
    masks.withUnsafeBufferPointer { target.update(from: $0.baseAddress! + index * side * side, count: side * side) }
  }
}
