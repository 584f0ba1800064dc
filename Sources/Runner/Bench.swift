import Diagnostics
import Engine
import Foundation

extension Runner {
  public typealias BenchMode = EngineBenchmark.Mode

  private struct BenchSummary: Encodable {
    var architecture: String
    var base_filters: Int
    var mode: String
    var batch: Int
    var threads: Int
    var precision: String
    var isa: String
    var ms_per_patch_median: Double
    var ms_per_patch_min: Double
    var gflops: Double
    var multiply_adds: Int
    var peak_rss_mb: Double
    var planned_mb: Double
    var startup_ms: Double
  }

  /// Milliseconds a patch of inference or training on made-up patches.
  public static func bench(
    _ choice: NetworkChoice, mode: BenchMode, batch: Int, threads: Int?, precision: String, json: Bool, _ surroundings: Surroundings
  ) throws -> ExitCode {
    guard precision == "f32" else {
      throw UserError("--precision \(precision) is not to be had on this processor (\(Processor.instructionSet))", exitCode: .badCommandOrSpec, hints: ["accepted: f32"])
    }
    let result = try EngineBenchmark(
      network: choice.configuration, mode: mode, batch: batch, threads: threads ?? Processor.cores, side: choice.side
    ).run()
    let summary = BenchSummary(
      architecture: choice.architecture, base_filters: choice.baseFilters, mode: mode.rawValue, batch: batch, threads: result.threads,
      precision: precision, isa: Processor.instructionSet, ms_per_patch_median: result.median, ms_per_patch_min: result.minimum,
      gflops: result.gigaflops, multiply_adds: result.multiplyAdds, peak_rss_mb: result.peakResidentMegabytes, planned_mb: result.plannedMegabytes,
      startup_ms: result.firstCallMilliseconds)
    if json {
      surroundings.console.put(try jsonText(summary))
    } else {
      func fixed(_ value: Double) -> String { ProgressText.fixed(value, 1) }
      surroundings.console.print(
        "\(choice.architecture), B = \(choice.baseFilters), \(mode.rawValue), batch \(batch), \(result.threads) threads, \(summary.isa): "
          + "\(fixed(result.median)) ms a patch (min \(fixed(result.minimum))), \(fixed(result.gigaflops)) GFLOP/s, "
          + "\(fixed(result.peakResidentMegabytes)) MB resident, \(fixed(result.plannedMegabytes)) MB planned")
    }
    return .done
  }
}
