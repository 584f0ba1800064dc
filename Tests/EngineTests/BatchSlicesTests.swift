import NetworkGraph
import Ops
import TensorCore
import TestSupport
import Testing

@testable import Engine

/// A batch worked a few images at a time against one program that takes it whole.
@Suite(.serialized, .wholeProcessor) struct BatchSlicesTests {
  static let networks = ["unet", "unet++"].map {
    NetworkConfiguration(architecture: $0, baseFilters: 4, depth: 3, upsampling: .transposed, batchNormalization: false, dropout: 0)
  }
  private static let side = 16, loss = SegmentationLoss(bceWeight: 0.5, diceSmooth: 1)

  private static let patches: Samples = {
    var random = CounterRandom(seed: 2, purpose: .testing)
    let images: [Float] = (0..<9 * side * side).map { _ in random.uniform() }
    let masks: [UInt8] = images.map { (intensity: Float) -> UInt8 in intensity + 0.3 * random.normal() > 0.6 ? 1 : 0 }
    return Samples(side: side, images: images, masks: masks)
  }()

  private static func draw(_ samples: [Int]) -> DropoutDraw { DropoutDraw(seed: 9, epoch: 2, samples: samples) }

  private static func gradients(_ memory: ParameterMemory) -> [[Float]] {
    memory.parameters.indices.map { Array(UnsafeBufferPointer(start: memory.gradient($0), count: memory.parameters[$0].declaration.count)) }
  }

  /// Sum of the losses, and the gradients of their mean.
  private static func whole(_ network: Network, _ weights: [[Float]], _ indices: [Int], pool: ThreadPool) throws -> (loss: Double, gradients: [[Float]]) {
    let memory = try ParameterMemory(network, training: true), plane = side * side
    memory.restore(weights)
    let program = try Program(network, images: indices.count, training: true, parameters: memory, pool: pool)
    var masks = [UInt8](repeating: 0, count: indices.count * plane), scratch = [Float](repeating: 0, count: plane), sum = 0.0
    for (n, index) in indices.enumerated() {
      patches.copyImage(index, into: program.input + n * plane)
      masks.withUnsafeMutableBufferPointer { patches.copyMask(index, into: $0.baseAddress! + n * plane) }
    }
    program.forward(draw(indices))
    for n in indices.indices {
      sum += masks.withUnsafeBufferPointer {
        loss.evaluate(
          logits: program.logits + n * plane, mask: $0.baseAddress! + n * plane, count: plane, gradient: program.logitsGradient + n * plane,
          scale: 1 / Double(indices.count), probabilities: &scratch)
      }
    }
    program.backward(accumulate: false)
    return (sum, gradients(memory))
  }

  private static func norm(_ a: [Float]) -> Double { a.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }

  @Test(arguments: networks, [Float(0), 0.5]) func slicesAddUpToTheWholeBatch(_ configuration: NetworkConfiguration, dropout: Float) throws {
    var configuration = configuration
    configuration.options.dropout = dropout
    let network = try configuration.network(height: Self.side, width: Self.side), memory = try ParameterMemory(network, training: true)
    memory.initialize(seed: 3)
    let slices = try BatchSlices(network, batch: 7, precision: .f32, memory: memory, threads: 2)
    // A slice and three single images, a slice and one, single images alone. The largest first, so that what it leaves would show.
    for indices in [[6, 0, 3, 1, 8, 5, 2], [4, 7, 0, 2, 6], [1, 5, 3]] {
      let expected = try Self.whole(network, memory.snapshot(), indices, pool: slices.pool)
      let sum = try slices.run(Self.patches, indices, onto: 10, training: true, loss: Self.loss, draw: Self.draw)
      #expect(abs(sum - 10 - expected.loss) < 1e-5 * expected.loss, "\(indices.count) samples")
      let found = Self.gradients(memory), largest = expected.gradients.map(Self.norm).max()!
      #expect(largest > 1e-3)
      for (parameter, (a, b)) in zip(network.parameters, zip(found, expected.gradients)) {
        let distance = Self.norm(zip(a, b).map { $0 - $1 })
        #expect(distance <= 1e-5 * Self.norm(b) + 1e-6 * largest, "\(parameter.name) of \(indices.count) samples")
      }
      guard dropout == 0 else { continue }
      let validated = try slices.run(Self.patches, indices, training: false, loss: Self.loss, draw: { _ in nil })
      #expect(abs(validated - expected.loss) < 1e-5 * expected.loss, "\(indices.count) samples")
    }
  }
}
