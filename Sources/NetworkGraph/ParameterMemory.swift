import Ops
import TensorCore

/// The weights of a network, one after the other in one buffer, and their gradients in another of the same layout.
public final class ParameterMemory {
  public let parameters: [Network.Parameter]
  public let offsets: [Int]
  public let values: AlignedBuffer
  /// Present in training only.
  public private(set) var gradients: AlignedBuffer?
  /// Raised whenever the values change; programs repack their weights when they see it raised.
  public private(set) var version = 1

  /// - Parameter training: whether gradients are wanted.
  /// - Throws: `OutOfMemory`.
  public init(_ network: Network, training: Bool) throws {
    parameters = network.parameters
    var next = 0
    offsets = parameters.map { parameter in
      defer { next += (parameter.declaration.count + 15) / 16 * 16 }
      return next
    }
    values = try AlignedBuffer(count: next)
    gradients = training ? try AlignedBuffer(count: next) : nil
  }

  /// To be called after values were written through `value`.
  public func didChange() { version += 1 }
  /// Where the values of parameter number `index` begin.
  public func value(_ index: Int) -> UnsafeMutablePointer<Float> { values.pointer + offsets[index] }
  /// Where its gradient begins; only in training.
  public func gradient(_ index: Int) -> UnsafeMutablePointer<Float> { gradients!.pointer + offsets[index] }

  /// Draws the initial weights: a function of the seed and the parameter's place alone.
  public func initialize(seed: Int) {
    for (index, parameter) in parameters.enumerated() {
      let target = value(index), count = parameter.declaration.count
      switch parameter.declaration.initializer {
      case .constant(let constant): target.update(repeating: constant, count: count)
      case .heNormal(let fanIn):
        // Keras truncates at two standard deviations and widens the normal so that the variance is 2/fanIn again.
        let deviation = (2 / Float(fanIn)).squareRoot() / 0.87962566
        var random = CounterRandom(seed: seed, purpose: .weights, sample: index)
        for i in 0..<count {
          var draw = random.normal()
          while abs(draw) > 2 { draw = random.normal() }
          target[i] = draw * deviation
        }
      }
    }
    didChange()
  }

  /// Σ‖w‖² over the regularised kernels, in double.
  public func squaredNorm() -> Double {
    var sum = 0.0
    for (index, parameter) in parameters.enumerated() where parameter.declaration.regularized {
      let w = value(index)
      for i in 0..<parameter.declaration.count { sum += Double(w[i]) * Double(w[i]) }
    }
    return sum
  }

  /// Each parameter's values, in the network's order.
  public func snapshot() -> [[Float]] {
    parameters.indices.map { Array(UnsafeBufferPointer(start: value($0), count: parameters[$0].declaration.count)) }
  }

  /// Takes values over: one array a parameter, in the network's order and of its size (as `snapshot` gives them).
  public func restore(_ snapshot: [[Float]]) {
    for (index, values) in snapshot.enumerated() {
      precondition(values.count == parameters[index].declaration.count, "\(parameters[index].name) has another size")
      value(index).update(from: values, count: values.count)
    }
    didChange()
  }
}
