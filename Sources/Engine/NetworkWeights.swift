import Diagnostics
import NetworkGraph

/// A trained network's weights by name: kernels [Cout, Cin, k, k] (transposed [Cin, Cout, k, k]), biases, batch norm's numbers.
public struct NetworkWeights: Sendable {
  public var parameters: [Network.Parameter]
  public var values: [[Float]]

  public init(parameters: [Network.Parameter], values: [[Float]]) { (self.parameters, self.values) = (parameters, values) }

  /// Keras's total.
  public var count: Int { values.reduce(0) { $0 + $1.count } }

  /// - Throws: `UserError` (exit 5).
  public func write(to path: String, metadata: [String: String]) throws {
    let entries = zip(parameters, values).map { Safetensors.Entry(name: $0.name, shape: $0.declaration.shape, values: $1) }
    try Safetensors(entries: entries, metadata: metadata).write(to: path)
  }

  /// - Parameter ours: whether the file must carry our checksum.
  /// - Throws: `UserError`: exit 5 (unreadable), 6 (damaged, or of another network).
  public static func read(_ path: String, for configuration: NetworkConfiguration, ours: Bool = false) throws -> NetworkWeights {
    try NetworkWeights(Safetensors.read(path, ours: ours), path: path, for: configuration)
  }

  /// The weights of a file that is read already; `path` is what errors call it.
  /// - Throws: `UserError` (exit 6) where they are of another network.
  public init(_ file: Safetensors, path: String, for configuration: NetworkConfiguration) throws {
    let side = configuration.options.sideDivisor * 2
    parameters = try configuration.network(height: side, width: side).parameters
    values = try parameters.map { parameter in
      guard let entry = file[parameter.name], entry.shape == parameter.declaration.shape else {
        throw UserError(
          "\(path): weights of another network: \(file[parameter.name].map { "\(parameter.name) is \($0.shape)" } ?? "no \(parameter.name)"), expected \(parameter.declaration.shape)",
          exitCode: .damagedData)
      }
      return entry.values
    }
  }
}
