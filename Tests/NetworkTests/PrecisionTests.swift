import CKernels
import NetworkGraph
import Ops
import TensorCore
import TestSupport
import Testing

@testable import Engine

/// How far float32 and Winograd's transforms take the paper's networks (B = 16, N = 5) from exact arithmetic: the same network
/// by the operations' definitions in double.
@Suite(.serialized, .wholeProcessor) struct PrecisionTests {
  static let networks: [NetworkConfiguration] = [("unet", "transposed"), ("unet++", "transposed"), ("unet+", "transposed"), ("unet+", "nearest")].map {
    NetworkConfiguration(
      architecture: $0.0, baseFilters: 16, depth: 5, upsampling: .init(rawValue: $0.1)!, batchNormalization: $0.0 == "unet+", dropout: 0)
  }
  static let side = 64

  /// Every value by the definition of the operation that makes it.
  private static func exact(_ network: Network, _ memory: ParameterMemory, image: [Float]) -> [Double] {
    var values: [Int: Tensor<Double>] = [0: Tensor(images: 1, shape: network.image, values: image.map(Double.init))]
    for node in network.nodes {
      let parameters = node.parameters.map { index in (0..<memory.parameters[index].declaration.count).map { Double(memory.value(index)[$0]) } }
      values[node.output] = node.operation.reference(node.inputs.map { values[$0]! }, parameters)
    }
    return values[network.logits]!.values
  }

  private static func computed(_ network: Network, _ memory: ParameterMemory, image: [Float]) throws -> [Double] {
    let pool = ThreadPool(threads: 2)
    defer { pool.shutDown() }
    let program = try Program(network, images: 1, training: true, parameters: memory, pool: pool)
    program.input.update(from: image, count: image.count)
    program.forward()
    return (0..<image.count).map { Double(program.logits[$0]) }
  }

  /// Largest difference of a pixel, in units of the largest logit.
  private static func error(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } / b.reduce(0) { max($0, abs($1)) }
  }

  @Test(arguments: networks) func logitsStayWithinATenThousandthOfExactOnes(_ configuration: NetworkConfiguration) throws {
    let network = try configuration.network(height: Self.side, width: Self.side)
    let memory = try ParameterMemory(network, training: true)
    memory.initialize(seed: 5)
    var random = CounterRandom(seed: 2, purpose: .testing)
    let image = (0..<Self.side * Self.side).map { _ in random.uniform() }
    let exact = Self.exact(network, memory, image: image)
    let direct = try CK_ISA_REFERENCE.use { try Self.computed(network, memory, image: image) }
    #expect(Self.error(direct, exact) < 2e-5, "direct convolutions")
    for isa in PathTests.instructionSets {
      let fast = try isa.use { try Self.computed(network, memory, image: image) }, name = String(cString: ck_isa_name(isa))
      #expect(Self.error(fast, exact) < 1e-4, "\(name)")
      #expect(Self.error(fast, direct) < 1e-4, "\(name) beside direct convolutions")
    }
  }
}
