import Diagnostics
import Foundation
import Testing

@testable import ExperimentSpec

@Suite struct ExplanationTests {
  @Test func explainSaysWhereAValueComesFrom() throws {
    let folder = try SpecFolder([
      "a.yaml": "name: a\nextends: b.yaml\ntrials: [{name: A, model.architecture: unet+}, {name: BB, model.architecture: unet, model.dropout: 0.25}]\nsweep.grid.seed: [1, 2]\n",
      "b.yaml": "model.base_filters: 4\n",
    ])
    let experiment = try folder.load(set: [("train.epochs", "2")])
    let path = folder.url.path
    func explain(_ key: String) throws -> String { try experiment.explain(key).replacingOccurrences(of: path + "/", with: "") }
    #expect(try explain("model.dropout") == """
      model.dropout: Drop-out rate: unet after levels N−1 and N, unet++ after each convolution, unet+ after each block.
      accepted: a number, at least 0 and below 1
      not stated in the paper: the default is this program's choice

      trial  value  from
      A      0      default: none in unet+
      BB     0.25   a.yaml:3:100
      """)
    #expect(try explain("model.base_filters").hasSuffix("A      4      b.yaml:1:21\nBB     4      b.yaml:1:21"))
    #expect(try explain("train.epochs").hasSuffix("BB     2      --set"))
    #expect(try explain("seed").hasSuffix(
      "A      1      a.yaml:4:19, sweep.grid\nA      2      a.yaml:4:22, sweep.grid\nBB     1      a.yaml:4:19, sweep.grid\nBB     2      a.yaml:4:22, sweep.grid"))
    #expect(throws: UserError.self) { try experiment.explain("model.dropuot") }
  }

  /// The resolved spec is a spec: it gives the same trials and the same report, and nothing of the machine.
  @Test(arguments: ["quickstart", "first-light", "table1", "table2", "lambda", "depth", "upsampling"])
  func resolvedSpecReadsBack(_ name: String) throws {
    let path = ShippedTests.root.appending(path: "experiments/\(name).yaml").path
    let experiment = try Experiment.load(path: path, overrides: [("train.learning_rate", "3e-4")])
    let text = experiment.resolvedYAML()
    #expect(!text.contains(ShippedTests.root.path))
    #expect(text.contains("train.learning_rate: 3e-4  # from --set"))
    let folder = try SpecFolder(["r.yaml": text])
    let again = try folder.load("r.yaml")
    #expect(again.name == experiment.name && again.title == experiment.title && again.report == experiment.report)
    #expect(again.trials.map(\.name) == experiment.trials.map(\.name))
    #expect(again.trials.map(\.settings) == experiment.trials.map(\.settings))
  }

  @Test("Settings that stand for nothing, that follow the seed, and that make long names read back too", arguments: [
    "model: {architecture: unet, depth: 2}\npatches.size: 34\ntrials: [{name: A}, {name: B, model.architecture: otsu}]",
    "model.architecture: unet\ndata: {source: synthetic, synthetic.seed: \"${seed}\"}\nsweep.grid.seed: [1, 2]",
    "model.architecture: unet\ntrain.batch: \"${train.epochs}\"\ntrain.epochs: \"${seed}\"\nsweep.grid.seed: [1, 2]",
    "model.architecture: unet\nsweep.grid: {"
      + ["model.l2", "train.bce_weight", "train.dice_smooth", "augment.blur", "augment.color", "augment.flip", "augment.rotation", "patches.foreground_ratio"]
        .map { "\($0): [0.25, 0.5]" }.joined(separator: ", ") + "}",
    "model.architecture: unet\ntrain.fine_tune.learning_rate: 1e-3\ntrain.learning_rate: ${train.fine_tune.learning_rate}",
    "model.architecture: unet\ndata.synthetic.seed: 3\nseed: ${data.synthetic.seed}",
    "model.architecture: otsu\nseed: 3\ndata: {source: synthetic, synthetic.seed: \"${seed}\"}",
  ]) func everyResolvedSpecReadsBack(_ text: String) throws {
    let experiment = try SpecFolder(["a.yaml": "name: a\n" + text]).load()
    let again = try SpecFolder(["a.yaml": experiment.resolvedYAML()]).load()
    #expect(again.trials.map(\.name) == experiment.trials.map(\.name) && again.trials.map(\.settings) == experiment.trials.map(\.settings))
  }

  @Test func resolvedSpecSaysWhereFrom() throws {
    let text = try Experiment.load(path: ShippedTests.root.appending(path: "experiments/table2.yaml").path).resolvedYAML()
    #expect(text.contains("    model.l2: 0  # from table2.yaml:18:65\n"))
    #expect(text.contains("    patches.split: patch  # from base/paper.yaml:24:10\n"))
    #expect(text.contains("    model.normalization: batch  # default: the paper's: batch for unet+ alone\n"))
    #expect(text.contains("    train.precision: f32  # default\n"))
  }

  @Test(arguments: [
    ("experiments/base/p.yaml", "experiments/a.yaml", "base/p.yaml"), ("experiments/a.yaml", "./experiments/a.yaml", "a.yaml"), ("base.yaml", "a.yaml", "base.yaml"),
    ("other/b.yaml", "experiments/a.yaml", "../other/b.yaml"), ("/x/y/b.yaml", "/x/z/a.yaml", "../y/b.yaml"), ("/secret/b.yaml", "/x/a.yaml", "b.yaml"),
    ("/secret/b.yaml", "a.yaml", "b.yaml"), ("../b.yaml", "../x/a.yaml", "../b.yaml"),
  ]) func relativePaths(_ file: String, _ spec: String, _ expected: String) { #expect(relativePath(file, from: spec) == expected) }
}
