import CKernels
import TensorCore

/// y[i,j] = max of x over the 2 × 2 block, stride 2; the gradient goes to the block's first maximum in row order.
public struct MaxPool2: Operation, Hashable {
  public init() {}
  public var kind: String { "max-pool 2×2" }
  public func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape {
    guard inputs.count == 1 else { throw ShapeError("max-pool takes one input, not \(inputs.count)") }
    guard inputs[0].height > 1, inputs[0].width > 1 else { throw ShapeError("\(inputs[0]) is too small to pool") }
    return FeatureShape(inputs[0].channels, inputs[0].height / 2, inputs[0].width / 2)
  }
  public var savedForBackward: SavedValues { [.inputs] }
  /// In backward, neighbours that rounding has made equal tie.
  public func pairing(_ site: Site) -> Pairing { .alike }
  public func compile(_ site: Site) -> any CompiledOperation { Compiled(site) }
  @_specialize(where Scalar == Double) @_specialize(where Scalar == Float)
  public func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar> {
    let x = inputs[0]
    var y = Tensor<Scalar>(images: x.images, shape: FeatureShape(x.shape.channels, x.shape.height / 2, x.shape.width / 2))
    for n in 0..<y.images {
      for c in 0..<y.shape.channels {
        for i in 0..<y.shape.height {
          for j in 0..<y.shape.width {
            y[n, c, i, j] = max(max(x[n, c, 2 * i, 2 * j], x[n, c, 2 * i, 2 * j + 1]), max(x[n, c, 2 * i + 1, 2 * j], x[n, c, 2 * i + 1, 2 * j + 1]))
          }
        }
      }
    }
    return y
  }
  public static var samples: [OperationSample] {
    [FeatureShape(3, 4, 6), FeatureShape(2, 5, 7), FeatureShape(2, 34, 36)].map { OperationSample(MaxPool2(), [$0]) }
  }

  private final class Compiled: CompiledOperation {
    let shape: FeatureShape, images: Int
    init(_ site: Site) { (shape, images) = (site.inputs[0], site.images) }
    func forward(_ frame: Frame) {
      let paired = frame.inputs[0].paired != 0, planes = paired ? shape.channels / 2 : shape.channels
      let pool = paired ? ck_maxpool2_pairs : ck_maxpool2_forward, small = (shape.height / 2) * (shape.width / 2)
      frame.pool.run(tasks: images * planes) { task, _ in
        let (n, p) = (task / planes, task % planes)
        pool(frame.inputs[0].image(n) + p * shape.plane, frame.output.image(n) + p * small, 1, Int32(shape.height), Int32(shape.width))
      }
    }
    func backward(_ frame: Frame) {
      let input = frame.inputs[0], small = (shape.height / 2) * (shape.width / 2)
      frame.pool.run(tasks: images * shape.channels) { task, _ in
        let (n, c) = (task / shape.channels, task % shape.channels)
        ck_maxpool2_backward(
          input.plane(c, of: n, shape), input.part(c), frame.outputGradient.image(n) + c * small, frame.inputGradients[0].image(n) + c * shape.plane,
          1, Int32(shape.height), Int32(shape.width), frame.accumulates[0])
      }
    }
  }
}

/// y[i,j] = x[⌊i/2⌋, ⌊j/2⌋]: each pixel twice both ways; the gradient sums the four.
public struct Nearest2: Operation, Hashable {
  public init() {}
  public var kind: String { "nearest ×2" }
  public func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape {
    guard inputs.count == 1 else { throw ShapeError("nearest ×2 takes one input, not \(inputs.count)") }
    return FeatureShape(inputs[0].channels, inputs[0].height * 2, inputs[0].width * 2)
  }
  public var savedForBackward: SavedValues { [] }
  public func compile(_ site: Site) -> any CompiledOperation { Compiled(site) }
  @_specialize(where Scalar == Double) @_specialize(where Scalar == Float)
  public func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar> {
    let x = inputs[0]
    var y = Tensor<Scalar>(images: x.images, shape: FeatureShape(x.shape.channels, x.shape.height * 2, x.shape.width * 2))
    for n in 0..<y.images {
      for c in 0..<y.shape.channels {
        for i in 0..<y.shape.height { for j in 0..<y.shape.width { y[n, c, i, j] = x[n, c, i / 2, j / 2] } }
      }
    }
    return y
  }
  public static var samples: [OperationSample] {
    [FeatureShape(3, 3, 5), FeatureShape(2, 18, 17)].map { OperationSample(Nearest2(), [$0]) }
  }

  private final class Compiled: CompiledOperation {
    let shape: FeatureShape, images: Int
    init(_ site: Site) { (shape, images) = (site.inputs[0], site.images) }
    func forward(_ frame: Frame) {
      frame.pool.run(tasks: images) { n, _ in
        ck_nearest2_forward(frame.inputs[0].image(n), frame.output.image(n), Int64(shape.channels), Int32(shape.height), Int32(shape.width))
      }
    }
    func backward(_ frame: Frame) {
      frame.pool.run(tasks: images) { n, _ in
        ck_nearest2_backward(
          frame.outputGradient.image(n), frame.inputGradients[0].image(n), Int64(shape.channels), Int32(shape.height), Int32(shape.width),
          frame.accumulates[0])
      }
    }
  }
}
