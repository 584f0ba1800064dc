/// The sides of one image's feature maps, [C, H, W].
public struct FeatureShape: Sendable, Hashable, CustomStringConvertible {
  public var channels, height, width: Int
  @inlinable public init(_ channels: Int, _ height: Int, _ width: Int) {
    (self.channels, self.height, self.width) = (channels, height, width)
  }
  @inlinable public var plane: Int { height * width }
  @inlinable public var count: Int { channels * height * width }
  public var description: String { "[\(channels), \(height), \(width)]" }
}

/// A plain dense tensor [N, C, H, W] for references and tests; the engine works on planned memory instead.
public struct Tensor<Scalar: BinaryFloatingPoint & Sendable>: Sendable, Equatable {
  public var images: Int
  public var shape: FeatureShape
  public var values: [Scalar]

  public init(images: Int, shape: FeatureShape, values: [Scalar]) {
    precondition(values.count == images * shape.count, "\(values.count) values are not \(images) × \(shape)")
    (self.images, self.shape, self.values) = (images, shape, values)
  }
  public init(images: Int, shape: FeatureShape) {
    self.init(images: images, shape: shape, values: Array(repeating: 0, count: images * shape.count))
  }

  @inlinable public func offset(_ n: Int, _ c: Int, _ y: Int, _ x: Int) -> Int {
    ((n * shape.channels + c) * shape.height + y) * shape.width + x
  }
  @inlinable public subscript(n: Int, c: Int, y: Int, x: Int) -> Scalar {
    get { values[offset(n, c, y, x)] }
    set { values[offset(n, c, y, x)] = newValue }
  }
}
