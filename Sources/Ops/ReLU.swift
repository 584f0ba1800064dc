import CKernels
import TensorCore

/// y = max(0, x). Stands alone only where no producer could take it into its store.
public struct ReLU: Operation, Hashable {
  public init() {}
  public var kind: String { "ReLU" }
  public func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape {
    guard inputs.count == 1 else { throw ShapeError("ReLU takes one input, not \(inputs.count)") }
    return inputs[0]
  }
  public var savedForBackward: SavedValues { [.output] }
  public var inputGradientReplaces: Replaceable { .outputGradient }
  public func compile(_ site: Site) -> any CompiledOperation { Compiled(images: site.images, count: Int64(site.output.count)) }
  @_specialize(where Scalar == Double) @_specialize(where Scalar == Float)
  public func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar> {
    Tensor(images: inputs[0].images, shape: inputs[0].shape, values: inputs[0].values.map { max(0, $0) })
  }
  public static var samples: [OperationSample] { [OperationSample(ReLU(), [FeatureShape(3, 5, 7)])] }

  private final class Compiled: CompiledOperation {
    let images: Int, count: Int64
    init(images: Int, count: Int64) { (self.images, self.count) = (images, count) }
    func forward(_ frame: Frame) {
      frame.pool.run(tasks: images) { n, _ in ck_relu(frame.inputs[0].image(n), frame.output.image(n), count) }
    }
    func backward(_ frame: Frame) {
      frame.pool.run(tasks: images) { n, _ in
        ck_relu_backward(frame.output.image(n), frame.outputGradient.image(n), frame.inputGradients[0].image(n), count, frame.accumulates[0])
      }
    }
  }
}
