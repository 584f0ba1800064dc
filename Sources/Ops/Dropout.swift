import CKernels
import TensorCore

/// Inverted drop-out (Srivastava et al. 2014): in training y = x ⊙ m/(1 − rate), each m kept with probability 1 − rate;
/// in inference y = x. The mask is a function of (seed, epoch, sample, layer, position) and is drawn again for backward, never stored.
/// Behind a convolution with ReLU it is worked there (fusion pass), and backward needs no mask: what was dropped is 0, as what ReLU cut off.
public struct Dropout: Operation, Hashable {
  public var rate: Float
  /// Keeps the masks of two layers apart; the fusion pass numbers them.
  public var layer: Int
  public init(rate: Float, layer: Int = 0) { (self.rate, self.layer) = (rate, layer) }
  /// What a kept value is multiplied by.
  private var scale: Float { 1 / (1 - rate) }
  public var kind: String { "drop-out \(rate)" }
  public func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape {
    guard inputs.count == 1 else { throw ShapeError("drop-out takes one input, not \(inputs.count)") }
    return inputs[0]
  }
  public var savedForBackward: SavedValues { [] }
  public var inputGradientReplaces: Replaceable { .outputGradient }
  public func compile(_ site: Site) -> any CompiledOperation { Compiled(self, site) }
  /// The mask of `ck_dropout` for seed 0, epoch 0, samples 0, 1, …: with the mask given, drop-out is linear.
  @_specialize(where Scalar == Double) @_specialize(where Scalar == Float)
  public func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar> {
    let x = inputs[0], ones = [Float](repeating: 1, count: x.shape.count)
    var y = x, mask = ones
    for n in 0..<x.images {
      ck_dropout(ones, &mask, 0, Int64(ones.count), rate, 0, 0, UInt32(n), UInt32(layer), 0)
      for i in mask.indices { y.values[n * mask.count + i] *= Scalar(mask[i]) }
    }
    return y
  }
  public static var samples: [OperationSample] {
    [OperationSample(Dropout(rate: 0.5), [FeatureShape(3, 5, 7)]), OperationSample(Dropout(rate: 0.2), [FeatureShape(2, 16, 16)], images: 3)]
  }

  /// Elements a task covers; a multiple of 8, as the kernel asks.
  private static let block = 1 << 14

  /// Whether values of this shape can be dropped as pairs with the same bits: where doubling is exact, and a plane is whole eights.
  func worksOnPairs(_ shape: FeatureShape) -> Bool { scale.significand == 1 && shape.plane % 8 == 0 }

  /// target (= or +=) source ⊙ m/(1 − rate), image by image; in place where both are one, as pairs are.
  func apply(_ frame: Frame, shape: FeatureShape, from source: Slab, to target: Slab, accumulate: Int32 = 0) {
    let seed = UInt64(bitPattern: Int64(frame.draw.seed)), epoch = UInt32(frame.draw.epoch), samples = frame.draw.samples.map { UInt32($0) }
    let count = source.paired != 0 ? shape.plane : shape.count, planes = source.paired != 0 ? shape.channels / 2 : 1
    let blocks = (count + Self.block - 1) / Self.block
    frame.pool.run(tasks: samples.count * planes * blocks) { task, _ in
      let n = task / blocks / planes, plane = task / blocks % planes, first = task % blocks * Self.block, length = Int64(min(Self.block, count - first))
      if source.paired != 0 {
        let position = Int64(2 * plane * count + first)
        ck_dropout_pairs(
          target.image(n) + plane * count + first, position, position + Int64(count), length, rate, seed, epoch, samples[n], UInt32(layer))
      } else {
        ck_dropout(
          source.image(n) + first, target.image(n) + first, Int64(first), length, rate, seed, epoch, samples[n], UInt32(layer), accumulate)
      }
    }
  }

  /// gradient ⊙ 1/(1 − rate), in place: behind a ReLU the rest is its own backward pass, to which a dropped value is one that it cut off.
  func scale(_ gradient: Slab, _ frame: Frame, shape: FeatureShape) {
    let count = gradient.paired != 0 ? shape.count / 2 : shape.count, blocks = (count + Self.block - 1) / Self.block
    frame.pool.run(tasks: frame.draw.samples.count * blocks) { task, _ in
      let first = task % blocks * Self.block, words = gradient.image(task / blocks) + first, length = Int64(min(Self.block, count - first))
      if gradient.paired != 0 { ck_dropout_backward_pairs(words, length, rate) } else { ck_dropout_backward(words, length, rate) }
    }
  }

  private final class Compiled: CompiledOperation {
    let operation: Dropout, site: Site
    init(_ operation: Dropout, _ site: Site) { (self.operation, self.site) = (operation, site) }

    func forward(_ frame: Frame) {
      precondition(site.training, "drop-out is removed from inference programs by the fusion pass")
      operation.apply(frame, shape: site.output, from: frame.inputs[0], to: frame.output)
    }
    func backward(_ frame: Frame) {
      operation.apply(frame, shape: site.output, from: frame.outputGradient, to: frame.inputGradients[0], accumulate: frame.accumulates[0])
    }
  }
}
