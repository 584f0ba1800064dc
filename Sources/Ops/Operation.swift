import CKernels
import TensorCore

/// Some channels of a tensor in planned memory: image n begins at `data + n · image_stride`, its planes are dense.
public typealias Slab = ck_slab

/// One operation of a network says everything about itself here: its shape rule, its parameters, its cost, what backward
/// needs, a plain reference in any precision, its kernels, and the samples from which its checks are derived.
public protocol Operation: Sendable {
  /// Shown in summaries, e.g. "convolution 3×3".
  var kind: String { get }
  /// - Throws: `ShapeError` where these inputs do not go together.
  func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape
  func parameters(_ inputs: [FeatureShape]) -> [ParameterDeclaration]
  /// Multiply–adds for one image.
  func multiplyAdds(_ inputs: [FeatureShape]) -> Int
  /// Which forward values backward reads.
  var savedForBackward: SavedValues { get }
  /// True where statistics run over the whole batch, so that it cannot be worked in slices.
  var needsWholeBatch: Bool { get }
  /// True where the output is worth computing again in backward from its inputs, instead of keeping it since forward.
  func isRecomputed(_ inputs: [FeatureShape]) -> Bool
  /// What an input's gradient may be written over, where backward has no more use for it.
  var inputGradientReplaces: Replaceable { get }
  /// What of it, compiled for this site, can be kept in pairs of bfloat16.
  func pairing(_ site: Site) -> Pairing
  /// - Throws: `OutOfMemory`.
  func compile(_ site: Site) throws -> any CompiledOperation
  /// The definition in plain loops, training mode.
  func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar>
  static var samples: [OperationSample] { get }
}

extension Operation {
  public func parameters(_ inputs: [FeatureShape]) -> [ParameterDeclaration] { [] }
  public func multiplyAdds(_ inputs: [FeatureShape]) -> Int { 0 }
  public var needsWholeBatch: Bool { false }
  public func isRecomputed(_ inputs: [FeatureShape]) -> Bool { false }
  public var inputGradientReplaces: Replaceable { .nothing }
  public func pairing(_ site: Site) -> Pairing { [] }
}

/// Every operation there is; the checks in `OpsTests` run over it.
public let allOperations: [any Operation.Type] = [
  Convolution.self, BatchNormalization.self, ReLU.self, Dropout.self, MaxPool2.self, Nearest2.self, Concatenation.self,
]

public struct ShapeError: Error, Sendable, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}

public struct SavedValues: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
  public static let inputs = SavedValues(rawValue: 1)
  public static let output = SavedValues(rawValue: 2)
}

public enum Replaceable: Sendable, Hashable {
  case nothing
  /// The output's gradient: backward goes element by element.
  case outputGradient
  /// The input itself: backward is done with all inputs before it writes the first gradient.
  case input
}

/// What of an operation can be kept as words of two channels, rounded to bfloat16.
public struct Pairing: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
  /// Its inputs: each of either kind, and rounded anyway.
  public static let inputs = Pairing(rawValue: 1)
  /// Its output, from inputs of either kind, with the bits that whoever rounds it would get.
  public static let output = Pairing(rawValue: 2)
  /// Inputs and output, all of one kind.
  public static let alike = Pairing(rawValue: 4)
  /// Its inputs' gradients, with the bits that whoever rounds them would get.
  public static let inputGradients = Pairing(rawValue: 8)
  /// Its output's gradient: rounded anyway.
  public static let outputGradient = Pairing(rawValue: 16)
}

/// A weight of an operation, before it has memory.
public struct ParameterDeclaration: Sendable, Hashable {
  public enum Initializer: Sendable, Hashable {
    /// Normal with variance 2/fanIn, cut off at two standard deviations (He 2015, as Keras draws it).
    case heNormal(fanIn: Int)
    case constant(Float)
  }
  /// `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`.
  public var name: String
  public var shape: [Int]
  public var initializer: Initializer
  public var trainable: Bool
  /// Whether λ·‖w‖² falls on it.
  public var regularized: Bool
  public init(_ name: String, _ shape: [Int], _ initializer: Initializer, trainable: Bool = true, regularized: Bool = false) {
    (self.name, self.shape, self.initializer) = (name, shape, initializer)
    (self.trainable, self.regularized) = (trainable, regularized)
  }
  public var count: Int { shape.reduce(1, *) }
}

/// What convolutions multiply: float32, or bfloat16 (on instruction sets that multiply it, where that is faster; on others it
/// is slower everywhere, and there to be compared with). Weights, sums, statistics, the loss and tensors are
/// float32 either way; only what all its readers would round anyway may be kept in bfloat16.
public enum Precision: String, Sendable, Hashable, Codable, CaseIterable { case f32, bf16 }

/// Where an operation is compiled for: shapes, number of images, mode, precision.
public struct Site: Sendable {
  public var inputs: [FeatureShape]
  public var output: FeatureShape
  public var images: Int
  public var training: Bool
  public var precision: Precision
  /// Per input: whether its gradient is wanted.
  public var wantsInputGradient: [Bool]
  public init(
    inputs: [FeatureShape], output: FeatureShape, images: Int, training: Bool, precision: Precision = .f32, wantsInputGradient: [Bool]
  ) {
    (self.inputs, self.output, self.images) = (inputs, output, images)
    (self.training, self.precision, self.wantsInputGradient) = (training, precision, wantsInputGradient)
  }
}

/// An operation compiled for a site: a fixed set of kernel calls.
public protocol CompiledOperation: AnyObject {
  /// Floats of scratch memory each thread needs, and floats shared by all threads.
  var scratch: Int { get }
  var shared: Int { get }
  /// Floats kept between calls (weights in the kernels' own order).
  var resident: Int { get }
  /// Called after the parameters have changed and before the next forward.
  func prepare(_ parameters: [UnsafeMutablePointer<Float>], backward: Bool)
  func forward(_ frame: Frame)
  /// The output of the last forward once more, into `frame.output`, without its side effects.
  func recompute(_ frame: Frame)
  func backward(_ frame: Frame)
}

extension CompiledOperation {
  public var scratch: Int { 0 }
  public var shared: Int { 0 }
  public var resident: Int { 0 }
  public func prepare(_ parameters: [UnsafeMutablePointer<Float>], backward: Bool) {}
  public func recompute(_ frame: Frame) { forward(frame) }
}

/// The memory one compiled operation works on. Gradients are laid out like the values they belong to.
public struct Frame {
  public var inputs: [Slab]
  public var output: Slab
  /// `data` is nil where the gradient is not wanted.
  public var inputGradients: [Slab]
  /// 1 where an input's gradient is added to what stands there, 0 where it is the first.
  public var accumulates: [Int32]
  /// Backward may write to it: nothing reads it afterwards.
  public var outputGradient: Slab
  public var parameters: [UnsafeMutablePointer<Float>]
  public var parameterGradients: [UnsafeMutablePointer<Float>]
  /// Whether parameter gradients are added to (later slices of a batch).
  public var accumulatesParameters: Bool
  public var scratch: [UnsafeMutablePointer<Float>]
  public var shared: UnsafeMutablePointer<Float>
  public var pool: ThreadPool
  public var draw: DropoutDraw
  public init(
    inputs: [Slab], output: Slab, inputGradients: [Slab], accumulates: [Int32], outputGradient: Slab,
    parameters: [UnsafeMutablePointer<Float>], parameterGradients: [UnsafeMutablePointer<Float>], accumulatesParameters: Bool,
    scratch: [UnsafeMutablePointer<Float>], shared: UnsafeMutablePointer<Float>, pool: ThreadPool, draw: DropoutDraw
  ) {
    (self.inputs, self.output, self.inputGradients) = (inputs, output, inputGradients)
    (self.accumulates, self.outputGradient) = (accumulates, outputGradient)
    (self.parameters, self.parameterGradients, self.accumulatesParameters) = (parameters, parameterGradients, accumulatesParameters)
    (self.scratch, self.shared, self.pool, self.draw) = (scratch, shared, pool, draw)
  }
}

/// What drop-out masks are a function of, beside layer and position.
public struct DropoutDraw: Sendable, Hashable {
  public var seed: Int
  public var epoch: Int
  /// For each image of the slice, its number in the training set.
  public var samples: [Int]
  public init(seed: Int, epoch: Int, samples: [Int]) { (self.seed, self.epoch, self.samples) = (seed, epoch, samples) }
}

/// An operation and inputs to check it on: shapes of one image each, and a number of images.
public struct OperationSample: Sendable, CustomStringConvertible {
  public var operation: any Operation
  public var inputs: [FeatureShape]
  public var images: Int
  public init(_ operation: any Operation, _ inputs: [FeatureShape], images: Int = 2) {
    (self.operation, self.inputs, self.images) = (operation, inputs, images)
  }
  public var description: String { "\(operation.kind) of \(images) × \(inputs)" }
}

extension Slab {
  public init(data: UnsafeMutablePointer<Float>?, channels: Int64, image_stride: Int64) {
    self.init(data: data, channels: channels, image_stride: image_stride, paired: 0)
  }
  /// The memory of one image.
  @inlinable public func image(_ n: Int) -> UnsafeMutablePointer<Float> { data + n * Int(image_stride) }
  /// The plane of a channel, or of its pair.
  @inlinable public func plane(_ channel: Int, of n: Int, _ shape: FeatureShape) -> UnsafeMutablePointer<Float> {
    image(n) + (paired != 0 ? channel / 2 : channel) * shape.plane
  }
  /// What a channel is in its plane.
  @inlinable public func part(_ channel: Int) -> ck_part { paired == 0 ? CK_WORDS : channel % 2 == 0 ? CK_LOWER : CK_UPPER }
}
