/// A dense two-dimensional image, row-major: the pixel of row `y`, column `x` stands at `pixels[y * width + x]`.
@frozen public struct Image<Pixel> {
  public var width: Int
  public var height: Int
  public var pixels: [Pixel]

  @inlinable public init(width: Int, height: Int, pixels: [Pixel]) {
    precondition(pixels.count == width * height, "\(pixels.count) pixels cannot fill \(width) × \(height)")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  @inlinable public init(width: Int, height: Int, repeating value: Pixel) {
    self.init(width: width, height: height, pixels: Array(repeating: value, count: width * height))
  }

  @inlinable public subscript(y: Int, x: Int) -> Pixel {
    get { pixels[y * width + x] }
    set { pixels[y * width + x] = newValue }
  }

  @inlinable public func map<Other>(_ transform: (Pixel) throws -> Other) rethrows -> Image<Other> {
    Image<Other>(width: width, height: height, pixels: try pixels.map(transform))
  }
}

extension Image: Sendable where Pixel: Sendable {}
extension Image: Equatable where Pixel: Equatable {}

/// Grey values in [0, 1].
public typealias GrayImage = Image<Float>
/// 0 background, 1 foreground.
public typealias Mask = Image<UInt8>
/// 0 background, 1… objects.
public typealias LabelImage = Image<Int32>
/// 8-bit colour.
public typealias RGBImage = Image<RGB>

/// One 8-bit colour pixel.
@frozen public struct RGB: Sendable, Hashable {
  public var red, green, blue: UInt8
  @inlinable public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) { (self.red, self.green, self.blue) = (red, green, blue) }
}
