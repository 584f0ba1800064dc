import CKernels
import NetworkGraph
import TensorCore

/// Adam as Keras writes it (β₁ 0.9, β₂ 0.999, ε 1e-7), with λ·‖w‖² on kernels taken into the gradient.
final class Adam {
  private(set) var step = 0
  let firstMoment: AlignedBuffer
  let secondMoment: AlignedBuffer
  private let memory: ParameterMemory
  private let l2: Float

  /// - Throws: `OutOfMemory`.
  init(_ memory: ParameterMemory, l2: Double) throws {
    (self.memory, self.l2) = (memory, Float(l2))
    firstMoment = try AlignedBuffer(count: memory.values.count)
    secondMoment = try AlignedBuffer(count: memory.values.count)
  }

  func reset() {
    step = 0
    firstMoment.pointer.update(repeating: 0, count: firstMoment.count)
    secondMoment.pointer.update(repeating: 0, count: secondMoment.count)
  }

  func restore(step: Int, firstMoment first: [Float], secondMoment second: [Float]) {
    self.step = step
    firstMoment.fill(first)
    secondMoment.fill(second)
  }

  /// One step along the gradients in `memory`.
  func update(learningRate: Double, pool: ThreadPool) {
    step += 1
    let (beta1, beta2) = (0.9, 0.999)
    let rate = learningRate * (1 - power(beta2, step)).squareRoot() / (1 - power(beta1, step))
    pool.run(tasks: memory.parameters.count) { index, _ in
      let declaration = memory.parameters[index].declaration
      guard declaration.trainable else { return }
      let offset = memory.offsets[index]
      ck_adam(
        memory.value(index), memory.gradient(index), firstMoment.pointer + offset, secondMoment.pointer + offset, Int64(declaration.count),
        Float(rate), Float(beta1), Float(beta2), Float(TrainingConfiguration.adamEpsilon), declaration.regularized ? l2 : 0)
    }
    memory.didChange()
  }

  private func power(_ base: Double, _ exponent: Int) -> Double { (Double(exponent) * base.logarithm()).exponential() }
}
