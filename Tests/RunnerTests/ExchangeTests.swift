import Diagnostics
import Engine
import Exchange
import Foundation
import Testing

@testable import Runner

extension Runs { @Suite struct ExchangeTests {
  /// A network trained for a moment.
  private struct Trained {
    let bench: Bench
    let weights: String
    var folder: String { bench.folder.path }

    init() async throws {
      bench = try Bench()
      let spec = try bench.spec(trials: "[{name: net, model.architecture: unet+}]", extra: "evaluate.threshold: 0.4")
      #expect(await bench.run(spec) { $0.overrides = ["train.epochs=1"] } == .done)
      weights = try #require(bench.trials()["net"]).weights
    }

    func export(_ format: ExportOptions.Format, to out: String, transcript: Transcript = Transcript(), _ change: (inout ExportOptions) -> Void = { _ in }) async -> ExitCode {
      var options = ExportOptions(weights: weights, format: format, out: out)
      change(&options)
      let asked = options, surroundings = transcript.surroundings(cache: folder)
      return await Runner.exitCode(surroundings) { try Runner.export(asked, surroundings) }
    }

    func importing(_ file: String, to out: String, _ overrides: [String] = [], transcript: Transcript = Transcript()) async -> ExitCode {
      var options = ImportOptions(weights: file, out: out)
      options.overrides = overrides
      let asked = options, surroundings = transcript.surroundings(cache: folder)
      return await Runner.exitCode(surroundings) { try Runner.importWeights(asked, surroundings) }
    }

    /// Names in the folder, but for the experiment's own.
    func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).filter { !["results", "cache", "tiny.yaml"].contains($0) }.sorted() }
  }

  @Test func whatIsExportedIsImportedWithItsSettings() async throws {
    let trained = try await Trained()
    let own = try TrainedModel(path: trained.weights, overrides: [])
    for layout in WeightLayout.allCases {
      let (theirs, back) = ("\(trained.folder)/\(layout).safetensors", "\(trained.folder)/back.safetensors")
      #expect(await trained.export(.safetensors, to: theirs) { $0.layout = layout } == .done)
      let transcript = Transcript()
      #expect(await trained.importing(theirs, to: back, transcript: transcript) == .done)
      #expect(transcript.output.contains("from \(layout.title)'s names") && transcript.errors.isEmpty)
      let model = try TrainedModel(path: back, overrides: [])
      #expect(model.weights.values == own.weights.values && model.settings.stated == own.settings.stated)
      #expect(try Safetensors.read(back, ours: true).entries.count == own.weights.parameters.count)
    }
  }

  @Test func anotherFileIsImportedForTheNetworkThatIsNamed() async throws {
    let trained = try await Trained(), theirs = "\(trained.folder)/theirs.safetensors"
    let model = try TrainedModel(path: trained.weights, overrides: [])
    try ExchangedWeights.file(model.weights, as: .keras).write(to: theirs)
    let unnamed = Transcript(), network = ["model.architecture=unet+", "model.base_filters=2", "model.depth=3"], out = "\(trained.folder)/out.safetensors"
    #expect(await trained.importing(theirs, to: out, transcript: unnamed) == .badCommandOrSpec)
    #expect(unnamed.errors.contains("does not say which network"))
    #expect(await trained.importing(theirs, to: out, network) == .done)
    #expect(try TrainedModel(path: out, overrides: []).weights.values == model.weights.values)
    let other = Transcript()
    #expect(await trained.importing(theirs, to: "\(trained.folder)/other.safetensors", ["model.architecture=unet+", "model.base_filters=4", "model.depth=3"], transcript: other) == .damagedData)
    #expect(other.errors.contains("theirs.safetensors: weights of another network than unet+ (transposed), B = 4") && other.errors.contains("expected [3, 3, 1, 4]"))
    #expect(try trained.files() == ["out.safetensors", "theirs.safetensors"])
  }

  @Test func packagesAndModelsAreTheSameBytesEachTime() async throws {
    let trained = try await Trained()
    for (format, name) in [(ExportOptions.Format.onnx, "a.onnx"), (.bioimageio, "a.zip")] {
      #expect(await trained.export(format, to: "\(trained.folder)/\(name)") == .done)
      let first = try Data(contentsOf: URL(fileURLWithPath: "\(trained.folder)/\(name)"))
      #expect(await trained.export(format, to: "\(trained.folder)/\(name)") == .done)
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(trained.folder)/\(name)")) == first)
    }
  }

  @Test func whatIsWrongIsSaidAndNothingIsLeft() async throws {
    let trained = try await Trained()
    var cut = try Data(contentsOf: URL(fileURLWithPath: trained.weights))
    cut.removeLast(100)
    let damaged = "\(trained.folder)/damaged.safetensors", out = "\(trained.folder)/out.onnx"
    try cut.write(to: URL(fileURLWithPath: damaged))
    func expect(_ code: ExitCode, _ message: String, _ change: @escaping (inout ExportOptions) -> Void) async {
      let transcript = Transcript()
      for format in ExportOptions.Format.allCases where format != .safetensors {
        #expect(await trained.export(format, to: out, transcript: transcript, change) == code, "\(transcript.errors)")
        #expect(transcript.errors.contains(message), "\(transcript.errors)")
      }
    }
    await expect(.inputOrOutputFailed, "nowhere.safetensors: cannot be read") { $0.weights = "nowhere.safetensors" }
    await expect(.damagedData, "damaged.safetensors: damaged") { $0.weights = damaged }
    await expect(.damagedData, "weights of another network") { $0.overrides = ["model.base_filters=4"] }
    await expect(.badCommandOrSpec, "--side 30: accepted: multiples of 4") { $0.side = 30 }
    await expect(.inputOrOutputFailed, "no/such/folder/out: cannot create") { $0.out = "\(trained.folder)/no/such/folder/out" }
    #expect(try trained.files() == ["damaged.safetensors"])
  }
} }
