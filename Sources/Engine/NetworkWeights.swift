import Diagnostics
import NetworkGraph
import TensorCore

/// A trained network's weights by name: kernels [Cout, Cin, k, k] (transposed [Cin, Cout, k, k]), biases, batch norm's numbers.
public struct NetworkWeights: Sendable {
  public var parameters: [Network.Parameter]
  public var values: [[Float]]

  public init(parameters: [Network.Parameter], values: [[Float]]) { (self.parameters, self.values) = (parameters, values) }

  /// Keras's total.
  public var count: Int { values.reduce(0) { $0 + $1.count } }

  /// Writes a safetensors file with our checksum, whole or not at all.
  /// - Parameter metadata: further entries of its header.
  /// - Throws: `UserError` (exit 5) where the file cannot be written.
  public func write(to path: String, metadata: [String: String]) throws {
    let entries = zip(parameters, values).map { Safetensors.Entry(name: $0.name, shape: $0.declaration.shape, values: $1) }
    try Safetensors(entries: entries, metadata: metadata).write(to: path)
  }

  /// - Parameter ours: whether the file must carry our checksum.
  /// - Throws: `UserError`: exit 5 (unreadable), 6 (damaged, or of another network); `ShapeError` for a configuration that is no network.
  public static func read(_ path: String, for configuration: NetworkConfiguration, ours: Bool = false) throws -> NetworkWeights {
    try NetworkWeights(Safetensors.read(path, ours: ours), path: path, for: configuration)
  }

  /// The weights of a file that is read already; `path` is what errors call it.
  /// - Throws: `UserError` (exit 6) where they are of another network; `ShapeError` for a configuration that is no network.
  public init(_ file: Safetensors, path: String, for configuration: NetworkConfiguration) throws {
    parameters = try Self.parameters(of: configuration)
    values = try parameters.map { parameter in
      guard let entry = file[parameter.name], entry.shape == parameter.declaration.shape else {
        throw UserError(
          "\(path): weights of another network: \(file[parameter.name].map { "\(parameter.name) is \($0.shape)" } ?? "no \(parameter.name)"), expected \(parameter.declaration.shape)",
          exitCode: .damagedData)
      }
      return entry.values
    }
  }

  /// Weights to take times with: kernels of He's variance that repeat a few thousand numbers. A prediction starts with weights from a
  /// file; to draw two million would be a third of the time to a process's first prediction.
  /// - Throws: `ShapeError` for a configuration that is no network.
  public static func madeUp(for configuration: NetworkConfiguration) throws -> NetworkWeights {
    let parameters = try parameters(of: configuration)
    var random = CounterRandom(seed: 1, purpose: .testing)
    let pattern = (0..<4093).map { _ in random.uniform(-1...1) }
    let values = parameters.map { parameter -> [Float] in
      let count = parameter.declaration.count
      switch parameter.declaration.initializer {
      case .constant(let constant): return Array(repeating: constant, count: count)
      case .heNormal(let fanIn):
        let bound = (6 / Float(fanIn)).squareRoot()
        return [Float](unsafeUninitializedCapacity: count) { target, initialized in
          for start in stride(from: 0, to: count, by: pattern.count) {
            for i in 0..<min(pattern.count, count - start) { target[start + i] = bound * pattern[i] }
          }
          initialized = count
        }
      }
    }
    return NetworkWeights(parameters: parameters, values: values)
  }

  private static func parameters(of configuration: NetworkConfiguration) throws -> [Network.Parameter] {
    let side = configuration.options.sideDivisor * 2
    return try configuration.network(height: side, width: side).parameters
  }
}
