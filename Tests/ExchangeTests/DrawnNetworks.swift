import Architectures
import Engine
import NetworkGraph
import Ops
import TensorCore

/// Every architecture and up-sampling, with and without batch norm, small.
enum DrawnNetworks {
  static let configurations: [NetworkConfiguration] = [("unet", "transposed"), ("unet++", "transposed"), ("unet+", "transposed"), ("unet+", "nearest")].flatMap { name, upsampling in
    [true, false].map { normalized in
      NetworkConfiguration(
        architecture: name, baseFilters: 2, depth: 3, upsampling: .init(rawValue: upsampling)!, batchNormalization: normalized, dropout: 0.5)
    }
  }

  /// Weights of which none is trivially 0 or 1.
  static func weights(_ configuration: NetworkConfiguration, seed: Int = 1) throws -> NetworkWeights {
    let memory = try ParameterMemory(try configuration.network(height: 32, width: 32), training: false)
    memory.initialize(seed: seed)
    var random = CounterRandom(seed: seed, purpose: .testing)
    for (index, parameter) in memory.parameters.enumerated() where !parameter.name.hasSuffix("kernel") {
      for i in 0..<parameter.declaration.count { memory.value(index)[i] += parameter.name.hasSuffix("variance") ? random.uniform() : 0.2 * random.normal() }
    }
    return NetworkWeights(parameters: memory.parameters, values: memory.snapshot())
  }
}
