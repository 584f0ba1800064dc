import CKernels
import NetworkGraph
import Ops
import TensorCore
import TestSupport
import Testing

@testable import Engine

/// Whole networks at a size where every fast kernel takes part: fused, on each instruction set, against the same network
/// unfused on plain loops.
@Suite(.serialized, .wholeProcessor) struct PathTests {
  static let networks: [NetworkConfiguration] = [("unet", "transposed"), ("unet++", "transposed"), ("unet+", "transposed"), ("unet+", "nearest")].map {
    NetworkConfiguration(
      architecture: $0.0, baseFilters: 8, depth: 4, upsampling: .init(rawValue: $0.1)!, batchNormalization: $0.0 == "unet+", dropout: 0.25)
  }
  static let instructionSets = [CK_ISA_BASELINE, CK_ISA_AVX2, CK_ISA_AVX512].filter { $0.rawValue <= ck_isa_best().rawValue }

  private struct Outcome {
    var logits, gradient, inference: [Float]
  }

  private static func run(_ configuration: NetworkConfiguration, fuse: Bool) throws -> Outcome {
    let (images, height, width) = (2, 48, 64)
    let network = try configuration.network(height: height, width: width)
    let memory = try ParameterMemory(network, training: true), pool = ThreadPool(threads: 2)
    defer { pool.shutDown() }
    memory.initialize(seed: 3)
    var random = CounterRandom(seed: 1, purpose: .testing)
    // Moving statistics and biases away from zero and one, so that folding them shows.
    for (index, parameter) in memory.parameters.enumerated() where !parameter.name.hasSuffix("kernel") {
      for i in 0..<parameter.declaration.count { memory.value(index)[i] += parameter.name.hasSuffix("variance") ? random.uniform() : 0.2 * random.normal() }
    }
    let x = (0..<images * height * width).map { _ in random.uniform() }, upstream = x.map { _ in random.normal() / Float(x.count) }
    func read(_ pointer: UnsafeMutablePointer<Float>) -> [Float] { Array(UnsafeBufferPointer(start: pointer, count: x.count)) }

    let inference = try Program(network, images: images, training: false, parameters: memory, pool: pool, fuse: fuse)
    inference.input.update(from: x, count: x.count)
    inference.forward()
    let program = try Program(network, images: images, training: true, parameters: memory, pool: pool, fuse: fuse)
    program.input.update(from: x, count: x.count)
    program.forward(DropoutDraw(seed: 9, epoch: 2, samples: [4, 7]))
    let logits = read(program.logits)
    program.logitsGradient.update(from: upstream, count: upstream.count)
    program.backward(accumulate: false)
    let gradient = memory.parameters.indices.filter { memory.parameters[$0].declaration.trainable }.flatMap {
      Array(UnsafeBufferPointer(start: memory.gradient($0), count: memory.parameters[$0].declaration.count))
    }
    return Outcome(logits: logits, gradient: gradient, inference: read(inference.logits))
  }

  private func relative(_ a: [Float], _ b: [Float]) -> Double {
    let distance = zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    return (distance / b.reduce(1e-30) { $0 + Double($1) * Double($1) }).squareRoot()
  }

  @Test(arguments: networks) func everyPathAgreesWithPlainLoops(_ configuration: NetworkConfiguration) throws {
    // Drop-out masks depend on a layer's place, which fusion moves: inference and training without it are compared across
    // fusion, training with it across instruction sets.
    var still = configuration
    still.options.dropout = 0
    let plain = try CK_ISA_REFERENCE.use { try Self.run(still, fuse: false) }, dropped = try CK_ISA_REFERENCE.use { try Self.run(configuration, fuse: true) }
    for isa in Self.instructionSets {
      let name = String(cString: ck_isa_name(isa))
      let fast = try isa.use { try Self.run(still, fuse: true) }
      #expect(relative(fast.inference, plain.inference) < 1e-5, "inference, \(name)")
      #expect(relative(fast.logits, plain.logits) < 1e-5, "training forward, \(name)")
      // A ReLU beside its kink may rightly go the other way: of a million, a few do, and each moves the gradient by about
      // 1e-3 of itself. A wrong kernel moves it by more than 0.1 (the Keras cases, drawn away from kinks, agree to 1e-4).
      #expect(relative(fast.gradient, plain.gradient) < 1e-2, "gradient, \(name)")
      let withDropout = try isa.use { try Self.run(configuration, fuse: true) }
      #expect(relative(withDropout.logits, dropped.logits) < 1e-5, "drop-out, \(name)")
      #expect(relative(withDropout.gradient, dropped.gradient) < 1e-2, "drop-out gradient, \(name)")
    }
  }
}
