import Diagnostics
import Engine
import Foundation

extension Runner {
  public typealias EngineMode = EngineBenchmark.Mode
  public typealias BenchPrecision = NetworkConfiguration.Precision

  fileprivate struct BenchSummary: Encodable {
    struct Layer: Encodable {
      var name, kind: String
      var backward: Bool
      var ms: Double
      var multiply_adds, bytes: Int
    }
    var architecture: String
    var base_filters: Int
    var depth: Int
    /// "" where the architecture has but one way.
    var upsampling: String
    var mode: String
    var batch: Int
    var threads: Int
    var precision: String
    var isa: String
    var side: Int
    var ms_per_patch_median: Double
    var ms_per_patch_min: Double
    var gflops: Double
    var multiply_adds: Int
    var peak_rss_mb: Double
    var planned_mb: Double
    var startup_ms: Double
    var first_call_at: Double
    var steps: Int
    var layers: [Layer]?
  }

  /// How one measurement goes.
  public struct BenchOptions: Sendable {
    public var mode: EngineMode
    public var batch: Int
    public var threads: Int?
    public var precision: BenchPrecision
    /// Time calls for at least this long.
    public var seconds: Double
    /// Also time every layer.
    public var layers: Bool
    public var json: Bool
    public init(mode: EngineMode, batch: Int, threads: Int?, precision: BenchPrecision, seconds: Double, layers: Bool, json: Bool) {
      (self.mode, self.batch, self.threads, self.precision) = (mode, batch, threads, precision)
      (self.seconds, self.layers, self.json) = (seconds, layers, json)
    }
  }

  /// Instruction sets that this processor can run, in rising order.
  public static var instructionSets: [String] { Processor.available }
  /// Chooses the instruction set of the whole process; false where this processor does not have it.
  public static func select(instructionSet name: String) -> Bool { Processor.select(instructionSet: name) }

  /// Milliseconds a patch of inference or training on made-up patches.
  public static func bench(_ choice: NetworkChoice, _ options: BenchOptions, _ surroundings: Surroundings) throws -> ExitCode {
    var network = choice.configuration
    network.precision = options.precision
    let result = try EngineBenchmark(
      network: network, mode: options.mode, batch: options.batch, threads: options.threads ?? Processor.cores, side: choice.side,
      seconds: options.seconds
    ).run(byLayer: options.layers)
    let summary = BenchSummary(
      architecture: choice.architecture, base_filters: choice.baseFilters, depth: choice.depth, upsampling: network.upsamplingName,
      mode: options.mode.rawValue, batch: options.batch, threads: result.threads, precision: options.precision.rawValue,
      isa: Processor.instructionSet(for: options.precision),
      side: choice.side, ms_per_patch_median: result.median, ms_per_patch_min: result.minimum, gflops: result.gigaflops,
      multiply_adds: result.multiplyAdds, peak_rss_mb: result.peakResidentMegabytes, planned_mb: result.plannedMegabytes,
      startup_ms: result.firstCallMilliseconds, first_call_at: result.firstCallEnded, steps: result.millisecondsPerPatch.count,
      layers: options.layers ? result.layers.map(BenchSummary.Layer.init) : nil)
    if options.json {
      surroundings.console.put(try jsonText(summary))
      return .done
    }
    func fixed(_ value: Double) -> String { ProgressText.fixed(value, 1) }
    surroundings.console.print(
      "\(choice.architecture), B = \(choice.baseFilters), \(options.mode.rawValue), batch \(options.batch), \(result.threads) threads, \(summary.precision), \(summary.isa): "
        + "\(fixed(result.median)) ms a patch (min \(fixed(result.minimum))), \(fixed(result.gigaflops)) GFLOP/s, "
        + "\(fixed(result.peakResidentMegabytes)) MB resident, \(fixed(result.plannedMegabytes)) MB planned")
    for layer in result.layers {
      let rate = 2 * Double(layer.multiplyAdds) / (layer.milliseconds * 1e6)
      surroundings.console.print(
        "  \(layer.backward ? "backward" : "forward ") \(ProgressText.fixed(layer.milliseconds, 3)) ms, \(fixed(rate)) GFLOP/s: \(layer.name) \(layer.kind)")
    }
    return .done
  }
}

extension Runner.BenchSummary.Layer {
  fileprivate init(_ layer: EngineBenchmark.Result.Layer) {
    self.init(
      name: layer.name, kind: layer.kind, backward: layer.backward, ms: layer.milliseconds, multiply_adds: layer.multiplyAdds, bytes: layer.bytes)
  }
}
