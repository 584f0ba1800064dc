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
    var logits, inference: [Float]
    /// Of every trainable parameter, in the network's order.
    var gradients: [(name: String, values: [Float])]
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
    let gradients = memory.parameters.indices.filter { memory.parameters[$0].declaration.trainable }.map {
      let values = Array(UnsafeBufferPointer(start: memory.gradient($0), count: memory.parameters[$0].declaration.count))
      return (memory.parameters[$0].name, values)
    }
    return Outcome(logits: logits, inference: read(inference.logits), gradients: gradients)
  }

  private func norm(_ a: [Float]) -> Double { a.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }.squareRoot()
  }
  private func relative(_ a: [Float], _ b: [Float]) -> Double { distance(a, b) / max(norm(b), 1e-15) }

  /// A ReLU beside its kink may rightly go the other way: of a million, a few do, and each moves the gradient by about 1e-3 of itself. A wrong
  /// kernel moves it by more than 0.1 (the Keras cases, drawn away from kinks, agree to 1e-4). All together the gradients hide a small
  /// parameter's, so each is looked at by itself as well; a bias before batch norm has none, but for what rounding leaves.
  private func check(_ found: Outcome, against expected: Outcome, _ name: String) {
    #expect(relative(found.gradients.flatMap(\.values), expected.gradients.flatMap(\.values)) < 1e-2, "gradient, \(name)")
    let largest = expected.gradients.map { norm($0.values) }.max()!
    for (a, b) in zip(found.gradients, expected.gradients) {
      #expect(distance(a.values, b.values) <= 5e-2 * norm(b.values) + 1e-5 * largest, "gradient of \(b.name), \(name)")
    }
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
      check(fast, against: plain, name)
      let withDropout = try isa.use { try Self.run(configuration, fuse: true) }
      #expect(relative(withDropout.logits, dropped.logits) < 1e-5, "drop-out, \(name)")
      check(withDropout, against: dropped, "drop-out, \(name)")
    }
  }
}
