import CKernels
import NetworkGraph
import Ops
import TensorCore
import TestSupport
import Testing

@testable import Engine

/// ‖a − b‖ / ‖b‖ with b from Keras.
private func norm(_ values: [Float]) -> Double { values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
private func difference(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }.squareRoot() }

/// The four networks against Keras: outputs in both modes, loss, every gradient, moving statistics, Adam's steps.
@Suite(.serialized, .wholeProcessor) struct KerasTests {
  private struct Machine {
    let program: Program
    let memory: ParameterMemory
    let pool: ThreadPool

    init(_ fixture: KerasFixture, training: Bool, fuse: Bool = true) throws {
      let x = fixture["x"]
      let network = try fixture.configuration.network(height: x.shape[2], width: x.shape[3])
      memory = try ParameterMemory(network, training: training)
      memory.restore(
        network.parameters.map {
          let entry = fixture["weight/\($0.name)"]
          precondition(entry.shape == $0.declaration.shape)
          return entry.values
        })
      pool = ThreadPool(threads: 2)
      program = try Program(network, images: x.shape[0], training: training, parameters: memory, pool: pool, fuse: fuse)
      program.input.update(from: x.values, count: x.values.count)
    }

    func probabilities(like output: Safetensors.Entry) -> [Float] {
      [Float](unsafeUninitializedCapacity: output.values.count) { buffer, count in
        sigmoid(program.logits, into: buffer.baseAddress!, count: output.values.count)
        count = output.values.count
      }
    }

    /// Forward, loss and backward; the loss.
    func trainingStep(_ fixture: KerasFixture) -> Double {
      let y = fixture["y"], images = y.shape[0], plane = y.shape[2] * y.shape[3]
      let mask = y.values.map { UInt8($0) }
      var scratch = [Float](repeating: 0, count: plane)
      program.forward(DropoutDraw(seed: 0, epoch: 1, samples: Array(0..<images)))
      var loss = 0.0
      for n in 0..<images {
        loss += mask.withUnsafeBufferPointer {
          SegmentationLoss(bceWeight: 1, diceSmooth: 1).evaluate(
            logits: program.logits + n * plane, mask: $0.baseAddress! + n * plane, count: plane, gradient: program.logitsGradient + n * plane,
            scale: 1 / Double(images), probabilities: &scratch)
        }
      }
      program.backward(accumulate: false)
      return loss / Double(images)
    }
  }

  static let modes = [true, false]
  static let instructionSets = [CK_ISA_REFERENCE] + PathTests.instructionSets

  /// Four networks, three sizes: without it, a listing that finds nothing would pass.
  @Test func everyStoredNetworkIsRead() {
    #expect(KerasFixture.networks.count == 12)
  }

  @Test(arguments: KerasFixture.networks, modes) func outputsAgree(_ fixture: KerasFixture, fuse: Bool) throws {
    for (name, training) in [("output.infer", false), ("output.train", true)] {
      let machine = try Machine(fixture, training: training, fuse: fuse), expected = fixture[name]
      defer { machine.pool.shutDown() }
      machine.program.forward(training ? DropoutDraw(seed: 0, epoch: 1, samples: [0, 1]) : nil)
      let measured = machine.probabilities(like: expected)
      #expect(difference(measured, expected.values) <= 1e-4 * norm(expected.values), "\(name)")
    }
  }

  /// ‖a − b‖ ≤ 1e-4 ‖b‖ + 1e-6 of the largest gradient's norm: a bias before batch norm has no gradient at all.
  @Test(arguments: KerasFixture.networks, modes) func everyGradientAgrees(_ fixture: KerasFixture, fuse: Bool) throws {
    for isa in Self.instructionSets { try isa.use { try checkGradients(fixture, fuse: fuse, isa.testDescription) } }
  }

  private func checkGradients(_ fixture: KerasFixture, fuse: Bool, _ isa: String) throws {
    let machine = try Machine(fixture, training: true, fuse: fuse)
    defer { machine.pool.shutDown() }
    let loss = machine.trainingStep(fixture)
    #expect(abs(loss - Double(fixture["loss"].values[0])) < 1e-5, "\(isa)")
    let trainable = machine.memory.parameters.indices.filter { machine.memory.parameters[$0].declaration.trainable }
    #expect(trainable.count == fixture.file.entries.count { $0.name.hasPrefix("gradient/") })
    let largest = trainable.map { norm(fixture["gradient/\(machine.memory.parameters[$0].name)"].values) }.max()!
    for index in trainable {
      let name = machine.memory.parameters[index].name, expected = fixture["gradient/\(name)"].values
      let measured = Array(UnsafeBufferPointer(start: machine.memory.gradient(index), count: expected.count))
      #expect(difference(measured, expected) <= 1e-4 * norm(expected) + 1e-6 * largest, "\(isa), \(name)")
    }
  }

  @Test(arguments: KerasFixture.networks.filter { $0.configuration.options.batchNormalization })
  func movingStatisticsAgree(_ fixture: KerasFixture) throws {
    let machine = try Machine(fixture, training: true)
    defer { machine.pool.shutDown() }
    machine.program.forward(DropoutDraw(seed: 0, epoch: 1, samples: [0, 1]))
    let moving = machine.memory.parameters.indices.filter { !machine.memory.parameters[$0].declaration.trainable }
    #expect(!moving.isEmpty)
    for index in moving {
      let name = machine.memory.parameters[index].name, expected = fixture["moving_after/\(name)"].values
      let measured = Array(UnsafeBufferPointer(start: machine.memory.value(index), count: expected.count))
      #expect(difference(measured, expected) <= 1e-5 * norm(expected), "\(name)")
    }
  }

  @Test func adamStepsAgree() throws {
    let fixture = KerasFixture("adam-unet++-b2-n3-12x20")
    let machine = try Machine(fixture, training: true)
    defer { machine.pool.shutDown() }
    let l2 = Double(fixture.file.metadata["l2"]!)!, adam = try Adam(machine.memory, l2: l2)
    for step in 1...3 {
      // Both are stored as they are before the step. The penalty moves by 1e-3 of itself a step.
      let penalty = Double(fixture["penalty.adam"].values[step - 1])
      #expect(abs(l2 * machine.memory.squaredNorm() - penalty) < 1e-6 * penalty, "step \(step)")
      #expect(abs(machine.trainingStep(fixture) - Double(fixture["loss.adam"].values[step - 1])) < 1e-5, "step \(step)")
      adam.update(learningRate: Double(fixture.file.metadata["learning_rate"]!)!, pool: machine.pool)
      for (index, parameter) in machine.memory.parameters.enumerated() {
        let expected = fixture["adam\(step)/\(parameter.name)"].values
        let measured = Array(UnsafeBufferPointer(start: machine.memory.value(index), count: expected.count))
        #expect(difference(measured, expected) <= 1e-4 * norm(expected), "step \(step), \(parameter.name)")
      }
    }
  }

  /// The first update is about the learning rate whatever the gradient, so the comparison above could hide a wrong penalty
  /// on a small kernel: the regularised kernels are named here.
  @Test func thePenaltyFallsOnConvolutionKernelsOnly() throws {
    let network = try KerasFixture("adam-unet++-b2-n3-12x20").configuration.network(height: 12, width: 20)
    for parameter in network.parameters {
      #expect(parameter.declaration.regularized == (parameter.name.hasSuffix(".kernel") && !parameter.name.hasSuffix(".up.kernel")), "\(parameter.name)")
    }
  }
}
