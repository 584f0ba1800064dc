import Diagnostics
import Engine
import ExperimentSpec
import Foundation
import Schedule

extension Runner {
  /// Names of the networks that there are.
  public static let architectures = ModelSettings.Architecture.allCases.filter(\.isNetwork).map(\.rawValue)

  /// A network by the arguments that name it.
  public struct NetworkChoice: Sendable, Hashable {
    public var architecture: String
    public var baseFilters: Int
    public var depth: Int
    public var upsampling: String
    /// Side of a patch, pixels.
    public var side: Int
    public init(architecture: String, baseFilters: Int, depth: Int, upsampling: String, side: Int) {
      (self.architecture, self.baseFilters, self.depth, self.upsampling, self.side) = (architecture, baseFilters, depth, upsampling, side)
    }

    /// With the key table's defaults for what is not named.
    var configuration: NetworkConfiguration {
      guard let known = ModelSettings.Architecture(rawValue: architecture) else { preconditionFailure("unknown architecture \(architecture)") }
      var settings = TrialSettings.defaults(for: known)
      (settings.model.baseFilters, settings.model.depth) = (baseFilters, depth)
      settings.model.upsampling = ModelSettings.Upsampling(rawValue: upsampling) ?? .transposed
      return settings.networkConfiguration
    }
  }

  private struct NetworkSummary: Encodable {
    var architecture: String
    var base_filters: Int
    var depth: Int
    /// "" where the architecture has but one way.
    var upsampling: String
    var parameters: Int
    var trainable_parameters: Int
    var multiply_adds: Int
    /// What the memory plan expects, weights and optimiser included: to predict a patch, and to train with `batch`.
    var inference_mb: Double
    var training_mb: Double
    var batch: Int

    init(_ configuration: NetworkConfiguration, side: Int, batch: Int) throws {
      let facts = try NetworkFacts.of(configuration, side: side)
      (architecture, base_filters, depth) = (configuration.architecture, configuration.options.baseFilters, configuration.options.depth)
      upsampling = configuration.upsamplingName
      (parameters, trainable_parameters, multiply_adds) = (facts.parameters, facts.trainableParameters, facts.multiplyAdds)
      inference_mb = try configuration.plannedMegabytes(side: side, batch: 1, training: false).rounded()
      training_mb = try configuration.plannedMegabytes(side: side, batch: batch, training: true).rounded()
      self.batch = batch
    }

    var row: [String] {
      [
        architecture, "\(base_filters)", "\(depth)", upsampling, grouped(parameters), grouped(trainable_parameters), grouped(multiply_adds),
        "\(Int(inference_mb)) MB", "\(Int(training_mb)) MB (batch \(batch))",
      ]
    }
    static let header = ["architecture", "B", "N", "up-sampling", "weights", "trainable", "multiply–adds a patch", "to predict", "to train"]
  }

  /// Layers, shapes, weights, multiply–adds and memory of one network; memory is for one thread and a training batch of 16.
  public static func summary(_ choice: NetworkChoice, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    let configuration = choice.configuration
    let summary = try NetworkSummary(configuration, side: choice.side, batch: 16)
    if json {
      surroundings.console.put(try jsonText(summary))
      return .done
    }
    let network = try configuration.network(height: choice.side, width: choice.side)
    let layers = network.nodes.map { node in
      let weights = node.parameters.reduce(0) { $0 + network.parameters[$1].declaration.count }, cost = network.multiplyAdds(of: node)
      return [node.name, node.operation.kind, "\(network.shapes[node.output])", weights > 0 ? grouped(weights) : "", cost > 0 ? grouped(cost) : ""]
    }
    let table = [["layer", "operation", "output", "weights", "multiply–adds"], ["image", "", "\(network.image)", "", ""]] + layers
    surroundings.console.put((aligned(table) + ["", ""] + aligned([NetworkSummary.header, summary.row])).joined(separator: "\n") + "\n")
    return .done
  }

  /// Every network of a spec, each once; with `json` one object of them all.
  public static func summary(spec: String, _ options: RunOptions, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    var seen: Set<NetworkConfiguration> = []
    let networks = try load([spec], options)[0].trials.filter { $0.settings.model.architecture.isNetwork }
    let summaries = try networks.compactMap { trial -> NetworkSummary? in
      let settings = trial.settings, configuration = settings.networkConfiguration
      guard seen.insert(configuration).inserted else { return nil }
      return try NetworkSummary(configuration, side: settings.patches.size, batch: settings.train.batch)
    }
    struct Networks: Encodable { var networks: [NetworkSummary] }
    surroundings.console.put(
      json ? try jsonText(Networks(networks: summaries)) : aligned([NetworkSummary.header] + summaries.map(\.row)).joined(separator: "\n") + "\n")
    return .done
  }

  /// 1941093 → "1,941,093".
  static func grouped(_ number: Int) -> String {
    let digits = String(number)
    return String(digits.enumerated().flatMap { ($0 > 0 && (digits.count - $0) % 3 == 0 ? [","] : []) + [$1] })
  }
}
