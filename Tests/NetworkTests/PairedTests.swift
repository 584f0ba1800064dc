import CKernels
import NetworkGraph
import Ops
import TensorCore
import TestSupport
import Testing

@testable import Engine

/// Tensors that a program keeps as pairs of bfloat16, on AMX's tiles (in plain C where the processor has none).
@Suite(.serialized, .wholeProcessor, .enabled(if: ck_isa.tilesAreRunnable)) struct PairedTests {
  @Test(arguments: PathTests.networks) func `change no bit of what comes out, and take less memory`(configuration: NetworkConfiguration) throws {
    let (images, height, width) = (2, 48, 80)
    let network = try configuration.network(height: height, width: width)
    let memory = try ParameterMemory(network, training: false), pool = ThreadPool(threads: 2)
    defer { pool.shutDown() }
    memory.initialize(seed: 3)
    var random = CounterRandom(seed: 1, purpose: .testing)
    let x = (0..<images * height * width).map { _ in random.uniform() }
    func run(pairs: Bool) throws -> (logits: [Float], arena: Int) {
      try CK_ISA_AMX.use {
        let program = try Program(network, images: images, training: false, precision: .bf16, parameters: memory, pool: pool, pairs: pairs)
        program.input.update(from: x, count: x.count)
        program.forward()
        return (Array(UnsafeBufferPointer(start: program.logits, count: x.count)), program.plan.arena)
      }
    }
    let kept = try run(pairs: false), paired = try run(pairs: true)
    #expect(paired.logits == kept.logits)
    #expect(paired.arena < kept.arena)
  }

  private struct Training {
    var logits: [Float], gradients: [[Float]], arena: Int
  }

  /// One step, in two slices.
  private static func train(_ network: Network, pairs: Bool) throws -> Training {
    let images = 2, memory = try ParameterMemory(network, training: true), pool = ThreadPool(threads: 2)
    defer { pool.shutDown() }
    memory.initialize(seed: 3)
    var random = CounterRandom(seed: 1, purpose: .testing)
    let count = images * network.image.plane, slices = (0..<2).map { _ in (0..<count).map { _ in random.uniform() } }
    let upstream = (0..<count).map { _ in random.normal() / Float(count) }
    return try CK_ISA_AMX.use {
      let program = try Program(network, images: images, training: true, precision: .bf16, parameters: memory, pool: pool, pairs: pairs)
      var logits: [Float] = []
      for (number, x) in slices.enumerated() {
        program.input.update(from: x, count: count)
        program.forward(DropoutDraw(seed: 9, epoch: 2, samples: [4 + number, 7]))
        logits += UnsafeBufferPointer(start: program.logits, count: count)
        program.logitsGradient.update(from: upstream, count: count)
        program.backward(accumulate: number > 0)
      }
      return Training(
        logits: logits,
        gradients: memory.parameters.indices.filter { memory.parameters[$0].declaration.trainable }.map {
          Array(UnsafeBufferPointer(start: memory.gradient($0), count: memory.parameters[$0].declaration.count))
        }, arena: program.plan.arena)
    }
  }

  /// Everything that pairs pass through but max-pooling: drop-out, strides, transposed and enlarging convolutions, concatenations, batch norm.
  private static func withoutPooling(dropout: Float) -> Network {
    var net = NetworkBuilder(image: FeatureShape(1, 48, 80))
    func block(_ x: [Symbol], _ convolution: Convolution, normalized: Bool = false, dropout: Float, _ name: String) -> Symbol {
      var y = net.apply(convolution, x, name: name)
      if normalized { y = net.apply(BatchNormalization(), [y], name: "\(name).norm") }
      y = net.apply(ReLU(), [y])
      return dropout > 0 ? net.apply(Dropout(rate: dropout), [y]) : y
    }
    let a = block([net.image], Convolution(filters: 8, kernel: 3), dropout: dropout, "a")
    let b = block([a], Convolution(filters: 18, kernel: 3, stride: 2), dropout: dropout, "b")
    let c = block([b], Convolution(filters: 6, kernel: 3), normalized: true, dropout: 0, "c")
    let up = net.apply(Convolution(filters: 8, kernel: 2, stride: 2, form: .transposed), [c], name: "up")
    let d = block([net.apply(Concatenation(), [up, a])], Convolution(filters: 4, kernel: 3), dropout: dropout, "d")
    let e = block([net.apply(Nearest2(), [b])], Convolution(filters: 4, kernel: 2), dropout: 0, "e")
    let f = block([net.apply(Concatenation(), [d, e])], Convolution(filters: 2, kernel: 3), dropout: 0, "f")
    let head = net.apply(Convolution(filters: 1, kernel: 1), [f], name: "head")
    return net.finish(head)
  }

  @Test(arguments: [Float(0), 0.5, 0.3]) func `change no bit of a training, and take less memory`(dropout: Float) throws {
    let network = Self.withoutPooling(dropout: dropout)
    let kept = try Self.train(network, pairs: false), paired = try Self.train(network, pairs: true)
    #expect(paired.logits == kept.logits)
    for (k, (found, expected)) in zip(paired.gradients, kept.gradients).enumerated() { #expect(found == expected, "\(k)") }
    #expect(paired.arena < kept.arena)
    #expect(kept.gradients.allSatisfy { $0.contains { $0 != 0 } })
  }

  /// The trainable parameters of operations whose output's gradient comes, in part, through a max-pooling: all that its input is made of.
  private static func behindPooling(_ network: Network) -> Set<Int> {
    var values = Set<Int>(), parameters = Set<Int>()
    for node in network.nodes.reversed() where node.operation is MaxPool2 || values.contains(node.output) {
      if values.contains(node.output) { parameters.formUnion(node.parameters) }
      values.formUnion(node.inputs)
    }
    return parameters
  }

  /// Where rounding made neighbours equal, max-pooling sends the gradient to the first of them: no other gradient differs by a bit, and those
  /// behind it by no more than a few such choices.
  @Test(arguments: PathTests.networks, [Float(0), 0.5])
  func `change of a whole network's training no more than ties in pooling`(configuration: NetworkConfiguration, dropout: Float) throws {
    var configuration = configuration
    configuration.options.dropout = dropout
    let network = try configuration.network(height: 48, width: 80)
    let kept = try Self.train(network, pairs: false), paired = try Self.train(network, pairs: true)
    #expect(paired.logits == kept.logits)
    #expect(paired.arena <= kept.arena)
    let behind = Self.behindPooling(network), trainable = network.parameters.indices.filter { network.parameters[$0].declaration.trainable }
    #expect(behind.isEmpty == !network.nodes.contains { $0.operation is MaxPool2 } && behind.count < trainable.count)
    #expect(trainable.count == paired.gradients.count && trainable.count == kept.gradients.count)
    for (index, (found, expected)) in zip(trainable, zip(paired.gradients, kept.gradients)) {
      let name = network.parameters[index].name
      guard behind.contains(index) else {
        #expect(found == expected, "\(name)")
        continue
      }
      let distance = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }, length = expected.reduce(0) { $0 + $1 * $1 }
      #expect(distance <= 0.05 * length, "\(name)")
    }
  }

  /// A buffer of pairs is half as long, and what stands behind it moves up: nothing may come to lie where another still lives.
  @Test(arguments: PathTests.networks, [Float(0), 0.5])
  func `stand in a plan without collisions, each in all of its room or in half of it`(configuration: NetworkConfiguration, dropout: Float) throws {
    var configuration = configuration
    configuration.options.dropout = dropout
    let network = try configuration.network(height: 32, width: 32), images = 3, pool = ThreadPool(threads: 1)
    defer { pool.shutDown() }
    for training in [true, false] {
      let memory = try ParameterMemory(network, training: training)
      let program = try CK_ISA_AMX.use {
        try Program(network, images: images, training: training, precision: .bf16, parameters: memory, pool: pool)
      }
      let plan = program.plan
      ArchitectureTests.expectNoCollision(plan, of: program.network)
      var halves = 0
      for (value, shape) in program.network.shapes.enumerated() {
        let whole = (images * shape.count + 15) / 16 * 16, half = (images * shape.count / 2 + 15) / 16 * 16
        for buffer in [plan.values[value], plan.recomputed[value], plan.gradients[value]].compactMap({ $0 }) {
          #expect(buffer.floats == whole || buffer.floats == half && shape.channels % 2 == 0)
          if buffer.floats < whole { halves += 1 }
        }
      }
      #expect(halves > 0)
    }
  }

  @Test func `are not kept in float32`() throws {
    let network = try PathTests.networks[0].network(height: 32, width: 32), pool = ThreadPool(threads: 1)
    defer { pool.shutDown() }
    for training in [false, true] {
      let memory = try ParameterMemory(network, training: training)
      let arenas = try CK_ISA_AMX.use {
        try [false, true].map {
          try Program(network, images: 1, training: training, precision: .f32, parameters: memory, pool: pool, pairs: $0).plan.arena
        }
      }
      #expect(arenas[0] == arenas[1])
    }
  }
}
