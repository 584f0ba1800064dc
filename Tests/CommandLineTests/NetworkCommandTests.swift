import Foundation
import Testing

/// `summary`, `bench` and `export` as scripts meet them: the names in their JSON are a contract.
@Suite(.enabled(if: Program.isBuilt, "the program is not built")) struct NetworkCommandTests {
  private func object(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Program.run(arguments)
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  /// Weights as in the paper's Table 1 (PAPER.md).
  @Test(arguments: [("unet", "", 1_941_093), ("unet++", "", 2_261_601), ("unet+", "transposed", 1_926_065), ("unet+", "nearest", 1_729_985)])
  func theNamesAreTheContracts(_ architecture: String, _ upsampling: String, _ weights: Int) throws {
    let options = ["--architecture", architecture] + (upsampling.isEmpty ? [] : ["--upsampling", upsampling])
    let summary = try object(["summary", "--base-filters", "16", "--json"] + options)
    #expect(summary["architecture"] as? String == architecture && summary["upsampling"] as? String == upsampling)
    #expect(summary["base_filters"] as? Int == 16 && summary["depth"] as? Int == 5 && summary["parameters"] as? Int == weights)
    let trainable = try #require(summary["trainable_parameters"] as? Int)
    #expect(architecture == "unet+" ? trainable < weights : trainable == weights, "only batch norm has weights that are not trained")
    #expect(try #require(summary["multiply_adds"] as? Int) > 1_000_000_000)

    let bench = try object(
      ["bench", "--base-filters", "2", "--depth", "3", "--side", "32", "--mode", "train", "--batch", "2", "--threads", "1", "--seconds", "0", "--json"] + options)
    #expect(bench["architecture"] as? String == architecture && bench["upsampling"] as? String == upsampling && bench["mode"] as? String == "train")
    #expect(bench["base_filters"] as? Int == 2 && bench["batch"] as? Int == 2 && bench["threads"] as? Int == 1 && bench["precision"] as? String == "f32")
    #expect(try #require(bench["isa"] as? String).isEmpty == false)
    let (median, least) = (try #require(bench["ms_per_patch_median"] as? Double), try #require(bench["ms_per_patch_min"] as? Double))
    #expect(least > 0 && least <= median)
    for name in ["gflops", "peak_rss_mb", "planned_mb", "startup_ms"] { #expect(try #require(bench[name] as? Double) > 0, "\(name)") }
  }

  @Test(arguments: ["--keep-batch-norm", "--fold-batch-norm"]) func anOptionWithoutEffectIsRefused(_ option: String) throws {
    let outcome = try Program.run(["export", "--weights", "x.safetensors", "--format", "safetensors", "--out", "y.safetensors", option])
    #expect(outcome.code == 2 && outcome.errors.contains("--keep-batch-norm go with --format onnx and bioimageio"), "\(outcome)")
  }

  @Test(arguments: ["summary", "bench"]) func anUnknownArchitectureIsToldWhichThereAre(_ command: String) throws {
    let outcome = try Program.run([command, "--architecture", "vnet"])
    #expect(outcome.code == 2 && outcome.errors.contains("--architecture vnet: accepted: unet, unet++, unet+"), "\(outcome)")
  }
}
