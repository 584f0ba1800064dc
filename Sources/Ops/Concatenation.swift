import CKernels
import TensorCore

/// The inputs one after the other along channels. Convolutions read their inputs where they stand, so that this copy is
/// made only where something else consumes it.
public struct Concatenation: Operation, Hashable {
  public init() {}
  public var kind: String { "concatenation" }
  public func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape {
    guard let first = inputs.first else { throw ShapeError("concatenation needs an input") }
    guard inputs.allSatisfy({ $0.height == first.height && $0.width == first.width }) else {
      throw ShapeError("cannot concatenate \(inputs.map(\.description).joined(separator: ", ")): their sides differ")
    }
    return FeatureShape(inputs.reduce(0) { $0 + $1.channels }, first.height, first.width)
  }
  public var savedForBackward: SavedValues { [] }
  public func compile(_ site: Site) -> any CompiledOperation { Compiled(site) }
  @_specialize(where Scalar == Double) @_specialize(where Scalar == Float)
  public func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar> {
    if inputs.count == 1 { return inputs[0] }
    var y = Tensor<Scalar>(images: inputs[0].images, shape: try! inferShape(inputs.map(\.shape)))
    for n in 0..<y.images {
      var at = n * y.shape.count
      for x in inputs {
        let count = x.shape.count
        y.values.replaceSubrange(at..<at + count, with: x.values[n * count..<(n + 1) * count])
        at += count
      }
    }
    return y
  }
  public static var samples: [OperationSample] {
    [OperationSample(Concatenation(), [FeatureShape(2, 3, 5), FeatureShape(1, 3, 5), FeatureShape(4, 3, 5)])]
  }

  private final class Compiled: CompiledOperation {
    let counts: [Int], images: Int
    init(_ site: Site) { (counts, images) = (site.inputs.map(\.count), site.images) }
    func forward(_ frame: Frame) {
      frame.pool.run(tasks: images) { n, _ in
        var target = frame.output.image(n)
        for (input, count) in zip(frame.inputs, counts) {
          target.update(from: input.image(n), count: count)
          target += count
        }
      }
    }
    func backward(_ frame: Frame) {
      frame.pool.run(tasks: images) { n, _ in
        var source = frame.outputGradient.image(n)
        for (i, count) in counts.enumerated() {
          let gradient = frame.inputGradients[i]
          if gradient.data != nil {
            if frame.accumulates[i] != 0 { ck_add(source, gradient.image(n), Int64(count)) } else { gradient.image(n).update(from: source, count: count) }
          }
          source += count
        }
      }
    }
  }
}
