import NetworkGraph
import Ops
import TensorCore

/// A family of networks, B and N open. Adding one: a file like `UNetPlus.swift`, a line in `architectures` and its name in
/// `ModelSettings.Architecture`.
public protocol Architecture: Sendable {
  static var name: String { get }
  /// Whether `options.upsampling` makes a difference.
  static var choosesUpsampling: Bool { get }
  init(_ options: ArchitectureOptions)
  /// From the image to the logits.
  func build(_ image: Symbol, in net: inout NetworkBuilder) -> Symbol
}

/// Every architecture a spec can name.
public let architectures: [any Architecture.Type] = [UNet.self, UNetPlusPlus.self, UNetPlus.self]

public enum Upsampling: String, Sendable, Hashable, Codable, CaseIterable { case transposed, nearest }

public struct ArchitectureOptions: Sendable, Hashable, Codable {
  /// B, filters of the first level.
  public var baseFilters: Int
  /// N, levels.
  public var depth: Int
  public var upsampling: Upsampling
  /// Batch norm between convolution and ReLU.
  public var batchNormalization: Bool
  /// Drop-out rate; 0 leaves drop-out out.
  public var dropout: Float
  public init(baseFilters: Int, depth: Int, upsampling: Upsampling, batchNormalization: Bool, dropout: Float) {
    (self.baseFilters, self.depth, self.upsampling) = (baseFilters, depth, upsampling)
    (self.batchNormalization, self.dropout) = (batchNormalization, dropout)
  }

  /// f(n) = B · 2ⁿ⁻¹, level n from 1.
  public func filters(_ level: Int) -> Int { baseFilters << (level - 1) }
  /// Sides must be divisible by this, so that every level halves without remainder.
  public var sideDivisor: Int { 1 << (depth - 1) }
}

extension Architecture {
  public static var choosesUpsampling: Bool { false }

  /// The network for one-channel images of these sides.
  /// - Throws: `ShapeError` where a side is not divisible by 2^(N−1).
  public func network(height: Int, width: Int, options: ArchitectureOptions) throws(ShapeError) -> Network {
    let divisor = options.sideDivisor
    guard height > 0, width > 0, height % divisor == 0, width % divisor == 0 else {
      throw ShapeError("\(height) × \(width) cannot be halved \(options.depth - 1) times: sides must be multiples of \(divisor) at depth \(options.depth)")
    }
    var net = NetworkBuilder(image: FeatureShape(1, height, width))
    let logits = build(net.image, in: &net)
    return net.finish(logits)
  }
}

/// The vocabulary the figures are written in.
extension NetworkBuilder {
  /// 3×3 (or k×k) convolution with bias, batch norm if asked, ReLU.
  mutating func convBlock(
    _ x: Symbol, _ filters: Int, _ name: String, kernel: Int = 3, stride: Int = 1, normalized: Bool = false
  ) -> Symbol {
    var y = apply(Convolution(filters: filters, kernel: kernel, stride: stride), [x], name: name)
    if normalized { y = apply(BatchNormalization(), [y], name: name) }
    return apply(ReLU(), [y], name: name)
  }
  mutating func dropout(_ x: Symbol, _ rate: Float) -> Symbol { rate > 0 ? apply(Dropout(rate: rate), [x]) : x }
  mutating func pool(_ x: Symbol) -> Symbol { apply(MaxPool2(), [x]) }
  mutating func nearest(_ x: Symbol) -> Symbol { apply(Nearest2(), [x]) }
  mutating func transposed(_ x: Symbol, _ filters: Int, kernel: Int, _ name: String) -> Symbol {
    apply(Convolution(filters: filters, kernel: kernel, stride: 2, form: .transposed), [x], name: name)
  }
  mutating func concat(_ parts: Symbol...) -> Symbol { concat(parts) }
  mutating func concat(_ parts: [Symbol]) -> Symbol { apply(Concatenation(), parts) }
  /// 1×1 convolution to one logit a pixel.
  mutating func head(_ x: Symbol, _ name: String = "head") -> Symbol { apply(Convolution(filters: 1, kernel: 1), [x], name: name) }
}

/// The nodes of a figure by row and column.
struct Grid {
  private var symbols: [Int: Symbol] = [:]
  subscript(row: Int, column: Int) -> Symbol {
    get { symbols[row << 8 | column]! }
    set { symbols[row << 8 | column] = newValue }
  }
}
