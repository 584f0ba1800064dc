import CKernels
import TensorCore

/// Batch normalisation over images and pixels (Ioffe & Szegedy 2015), Keras's ε and momentum:
/// y = γ·(x − μ)/√(σ² + ε) + β with the batch's mean and biased variance; moving statistics serve inference.
public struct BatchNormalization: Operation, Hashable {
  public static let epsilon: Float = 1e-3
  public static let momentum: Float = 0.99
  /// Fused: y = max(0, ·).
  public var relu: Bool
  public init(relu: Bool = false) { self.relu = relu }

  public var kind: String { relu ? "batch norm + ReLU" : "batch norm" }

  public func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape {
    guard inputs.count == 1 else { throw ShapeError("batch norm takes one input, not \(inputs.count)") }
    return inputs[0]
  }

  static func declarations(channels: Int) -> [ParameterDeclaration] {
    [
      ParameterDeclaration("gamma", [channels], .constant(1)),
      ParameterDeclaration("beta", [channels], .constant(0)),
      ParameterDeclaration("moving_mean", [channels], .constant(0), trainable: false),
      ParameterDeclaration("moving_variance", [channels], .constant(1), trainable: false),
    ]
  }
  public func parameters(_ inputs: [FeatureShape]) -> [ParameterDeclaration] { Self.declarations(channels: inputs[0].channels) }

  public var savedForBackward: SavedValues { [.inputs] }
  public var needsWholeBatch: Bool { true }
  /// Backward reads the convolution's output anyhow; keeping its normalised copy beside it would double the memory of a whole
  /// batch, and computing it again is one pass of 30.
  public func isRecomputed(_ inputs: [FeatureShape]) -> Bool { true }
  public var inputGradientReplaces: Replaceable { .outputGradient }
  /// Its sums are over its input and its output's gradient as they are.
  public func pairing(_ site: Site) -> Pairing { site.training ? [.output, .inputGradients] : [] }
  public func compile(_ site: Site) throws -> any CompiledOperation { try CompiledBatchNormalization(self, site) }

  @_specialize(where Scalar == Double) @_specialize(where Scalar == Float)
  public func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar> {
    let x = inputs[0], count = Scalar(x.images * x.shape.plane)
    var y = x
    for c in 0..<x.shape.channels {
      let offsets = (0..<x.images).flatMap { n in (0..<x.shape.plane).map { x.offset(n, c, 0, 0) + $0 } }
      let mean = offsets.reduce(Scalar(0)) { $0 + x.values[$1] } / count
      let variance = offsets.reduce(Scalar(0)) { $0 + (x.values[$1] - mean) * (x.values[$1] - mean) } / count
      let scale = parameters[0][c] / (variance + Scalar(Self.epsilon)).squareRoot()
      for i in offsets { y.values[i] = (x.values[i] - mean) * scale + parameters[1][c] }
    }
    return relu ? ReLU().reference([y], []) : y
  }

  public static var samples: [OperationSample] {
    [false, true].flatMap { relu in
      [FeatureShape(3, 4, 5), FeatureShape(1, 7, 9), FeatureShape(5, 16, 16)].map { OperationSample(BatchNormalization(relu: relu), [$0], images: 3) }
    }
  }
}

private final class CompiledBatchNormalization: CompiledOperation {
  private let operation: BatchNormalization
  private let shape: FeatureShape
  private let images: Int
  private let training: Bool
  /// Per channel: batch mean, 1/√(σ² + ε), scale, shift.
  private let statistics: AlignedBuffer

  init(_ operation: BatchNormalization, _ site: Site) throws {
    self.operation = operation
    (shape, images, training) = (site.output, site.images, site.training)
    statistics = try AlignedBuffer(count: 4 * shape.channels)
  }

  var resident: Int { statistics.count }

  /// A channel each, or where `paired` two.
  private func overChannels(_ frame: Frame, paired: Bool, _ body: (Range<Int>) -> Void) {
    let each = paired ? 2 : 1
    frame.pool.run(tasks: shape.channels / each) { task, _ in body(task * each..<(task + 1) * each) }
  }

  func forward(_ frame: Frame) {
    let input = frame.inputs[0], plane = shape.plane, statistics = statistics.pointer
    let gamma = frame.parameters[0], beta = frame.parameters[1], movingMean = frame.parameters[2], movingVariance = frame.parameters[3]
    overChannels(frame, paired: frame.output.paired != 0) { [self] channels in
      for c in channels {
        var mean = movingMean[c], variance = movingVariance[c]
        if training {
          var moments: (Float, Float) = (0, 0)
          withUnsafeMutableBytes(of: &moments) {
            ck_batchnorm_moments(input.data + c * plane, Int32(images), input.image_stride, Int64(plane), $0.bindMemory(to: Float.self).baseAddress)
          }
          (mean, variance) = moments
          movingMean[c] = movingMean[c] * BatchNormalization.momentum + mean * (1 - BatchNormalization.momentum)
          movingVariance[c] = movingVariance[c] * BatchNormalization.momentum + variance * (1 - BatchNormalization.momentum)
        }
        let inverse = 1 / (variance + BatchNormalization.epsilon).squareRoot()
        let scale = gamma[c] * inverse, shift = beta[c] - mean * scale
        (statistics[4 * c], statistics[4 * c + 1], statistics[4 * c + 2], statistics[4 * c + 3]) = (mean, inverse, scale, shift)
      }
      for n in 0..<images { normalize(frame, channels, image: n) }
    }
  }

  func recompute(_ frame: Frame) {
    let paired = frame.output.paired != 0, tasks = shape.channels / (paired ? 2 : 1)
    frame.pool.run(tasks: tasks * images) { task, _ in
      let c = task % tasks
      normalize(frame, paired ? 2 * c..<2 * c + 2 : c..<c + 1, image: task / tasks)
    }
  }

  private func normalize(_ frame: Frame, _ channels: Range<Int>, image n: Int) {
    let c = channels.lowerBound, relu: Int32 = operation.relu ? 1 : 0, count = Int64(shape.plane), s = statistics.pointer + 4 * c
    let x = frame.inputs[0].image(n) + c * shape.plane, y = frame.output.plane(c, of: n, shape)
    if channels.count == 2 {
      ck_scale_shift_pairs(x, count, y, count, [s[2], s[6]], [s[3], s[7]], relu)
    } else {
      ck_scale_shift(x, y, count, s[2], s[3], relu)
    }
  }

  /// dx = γ/√(σ² + ε) · (g − mean(g) − x̂ · mean(g·x̂)), g = dy ⊙ [y > 0]; dγ = Σ g·x̂, dβ = Σ g.
  func backward(_ frame: Frame) {
    let input = frame.inputs[0], dy = frame.outputGradient, dx = frame.inputGradients[0], plane = shape.plane
    let relu: Int32 = operation.relu ? 1 : 0, statistics = statistics.pointer, count = Float(images * plane)
    overChannels(frame, paired: dx.paired != 0) { [self] channels in
      let gradients = channels.map { c -> ck_batchnorm_gradient in
        let (mean, inverse, scale, shift) = (statistics[4 * c], statistics[4 * c + 1], statistics[4 * c + 2], statistics[4 * c + 3])
        var sums: (Float, Float) = (0, 0)
        withUnsafeMutableBytes(of: &sums) {
          ck_batchnorm_backward_sums(
            input.data + c * plane, dy.data + c * plane, Int32(images), input.image_stride, dy.image_stride, Int64(plane), mean, scale, shift,
            relu, $0.bindMemory(to: Float.self).baseAddress)
        }
        // The whole batch is here at once (`needsWholeBatch`), so there is nothing to add to.
        frame.parameterGradients[0][c] = sums.1 * inverse
        frame.parameterGradients[1][c] = sums.0
        return ck_batchnorm_gradient(
          mean: mean, scale: scale, shift: shift, a: scale, b: -scale * inverse * inverse * sums.1 / count, c: -scale * sums.0 / count)
      }
      guard dx.data != nil else { return }
      let c = channels.lowerBound
      for n in 0..<images {
        let x = input.image(n) + c * plane, g = dy.image(n) + c * plane, to = dx.plane(c, of: n, shape)
        if channels.count == 2 {
          ck_batchnorm_backward_apply_pairs(x, g, Int64(plane), to, Int64(plane), gradients, relu)
        } else {
          ck_batchnorm_backward_apply(x, g, to, Int64(plane), gradients[0], relu, frame.accumulates[0])
        }
      }
    }
  }
}
