import Diagnostics
import Engine
import ExperimentSpec
import Foundation
import Schedule

extension Runner {
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

    init(_ configuration: NetworkConfiguration, side: Int) throws {
      let facts = try NetworkFacts.of(configuration, side: side)
      (architecture, base_filters, depth) = (configuration.architecture, configuration.options.baseFilters, configuration.options.depth)
      upsampling = architecture == "unet+" ? configuration.options.upsampling.rawValue : ""
      (parameters, trainable_parameters, multiply_adds) = (facts.parameters, facts.trainableParameters, facts.multiplyAdds)
    }

    var row: [String] { [architecture, "\(base_filters)", "\(depth)", upsampling, "\(parameters)", "\(trainable_parameters)", "\(multiply_adds)"] }
    static let header = ["architecture", "B", "N", "up-sampling", "parameters", "trainable", "multiply–adds a patch"]
  }

  public static func summary(_ choice: NetworkChoice, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    let summary = try NetworkSummary(choice.configuration, side: choice.side)
    surroundings.console.put(json ? try jsonText(summary) : aligned([NetworkSummary.header, summary.row]).joined(separator: "\n") + "\n")
    return .done
  }

  /// Every network of a spec, each once; with `json` one object of them all.
  public static func summary(spec: String, _ options: RunOptions, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    var seen: Set<NetworkConfiguration> = []
    let summaries = try load([spec], options)[0].trials.compactMap { trial -> NetworkSummary? in
      let configuration = trial.settings.networkConfiguration
      return seen.insert(configuration).inserted ? try NetworkSummary(configuration, side: trial.settings.patches.size) : nil
    }
    struct Networks: Encodable { var networks: [NetworkSummary] }
    surroundings.console.put(
      json ? try jsonText(Networks(networks: summaries)) : aligned([NetworkSummary.header] + summaries.map(\.row)).joined(separator: "\n") + "\n")
    return .done
  }
}
