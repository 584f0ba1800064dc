import Architectures
import NetworkGraph
import Ops
import TensorCore

/// Which network, an architecture by name and its options, and how it is computed.
public struct NetworkConfiguration: Sendable, Hashable, Codable {
  public typealias Upsampling = Architectures.Upsampling
  public typealias Precision = Ops.Precision
  /// `unet`, `unet++` or `unet+`.
  public var architecture: String
  public var options: ArchitectureOptions
  public var precision: Precision

  public init(
    architecture: String, baseFilters: Int, depth: Int, upsampling: Upsampling, batchNormalization: Bool, dropout: Float, precision: Precision = .f32
  ) {
    (self.architecture, self.precision) = (architecture, precision)
    options = ArchitectureOptions(
      baseFilters: baseFilters, depth: depth, upsampling: upsampling, batchNormalization: batchNormalization, dropout: dropout)
  }

  /// `transposed` or `nearest`, as the spec names it; "" where the architecture has but one way.
  public var upsamplingName: String { type?.choosesUpsampling == true ? options.upsampling.rawValue : "" }

  private var type: (any Architecture.Type)? { architectures.first { $0.name == architecture } }

  /// The network for one-channel images of these sides.
  /// - Throws: `ShapeError` for an unknown architecture or sides that cannot be halved N − 1 times.
  public func network(height: Int, width: Int) throws(ShapeError) -> Network {
    guard let type else {
      throw ShapeError("unknown architecture “\(architecture)”; known: \(architectures.map { $0.name }.joined(separator: ", "))")
    }
    return try type.init(options).network(height: height, width: width, options: options)
  }
}

/// One training: everything but the data and the phases.
public struct TrainingConfiguration: Sendable, Hashable, Codable {
  public var seed: Int
  public var batch: Int
  /// λ of λ·‖w‖² on kernels.
  public var l2: Double
  /// λ_BCE.
  public var bceWeight: Double
  /// Added to numerator and denominator of Dice.
  public var diceSmooth: Double
  /// Adam's ε, Keras 2.2.4's default.
  public static let adamEpsilon = 1e-7
  public init(seed: Int, batch: Int, l2: Double, bceWeight: Double, diceSmooth: Double) {
    (self.seed, self.batch, self.l2, self.bceWeight, self.diceSmooth) = (seed, batch, l2, bceWeight, diceSmooth)
  }
}

/// Epochs at one learning rate; a phase begins with the best weights so far and a fresh optimiser.
public struct TrainingPhase: Sendable, Hashable, Codable {
  /// `train` or `fine-tune`.
  public var name: String
  public var epochs: Int
  public var learningRate: Double
  public init(name: String, epochs: Int, learningRate: Double) { (self.name, self.epochs, self.learningRate) = (name, epochs, learningRate) }
}

/// A network's size and cost, without building it.
public struct NetworkFacts: Sendable, Hashable {
  public var parameters: Int
  public var trainableParameters: Int
  /// For one patch.
  public var multiplyAdds: Int
  /// Numbers that the operations read and write, for one patch, were nothing fused.
  public var valuesMoved: Int
  /// Whether training works on whole batches instead of slices.
  public var needsWholeBatch: Bool
  /// - Parameter side: of the (square) patch.
  public static func of(_ configuration: NetworkConfiguration, side: Int) throws(ShapeError) -> NetworkFacts {
    let network = try configuration.network(height: side, width: side)
    return NetworkFacts(
      parameters: network.parameterCount, trainableParameters: network.trainableParameterCount, multiplyAdds: network.multiplyAdds,
      valuesMoved: network.valuesMoved, needsWholeBatch: network.needsWholeBatch)
  }
}

extension NetworkConfiguration {
  /// Megabytes (10⁶ bytes) that the engine will hold: arena, scratch, packed weights of all programs that live at once, weights and, in
  /// training, gradients, optimiser, the best weights so far, and the copies of a checkpoint (weights and optimiser). The rest of the process (`Processor.residentMegabytes` before
  /// anything is built) comes on top.
  /// - Throws: `ShapeError`, `OutOfMemory`.
  public func plannedMegabytes(side: Int, batch: Int, training: Bool, threads: Int = 1) throws -> Double {
    let network = try network(height: side, width: side), memory = try ParameterMemory(network, training: training)
    guard training else {
      let pool = ThreadPool.computing(threads: threads)
      defer { pool.shutDown() }
      let program = try Program(network, images: batch, training: false, precision: precision, parameters: memory, pool: pool)
      return Double(program.workingBytes + program.residentBytes + 4 * memory.values.count) / 1e6
    }
    let slices = try BatchSlices(network, batch: batch, precision: precision, memory: memory, threads: threads)
    try slices.prepareAll()
    return Double(slices.plannedBytes + 8 * 4 * memory.values.count) / 1e6
  }
}
