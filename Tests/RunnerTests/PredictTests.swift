import Diagnostics
import Foundation
import Imaging
import Testing

@testable import Runner

extension Runs { @Suite struct PredictTests {
  /// A network trained for a moment, the masks its evaluation made, and the same test images as files.
  struct Trained {
    let bench: Bench
    let weights: String
    let masks: [String: Mask]
    var folder: String { bench.folder.path }
    var images: String { "\(folder)/data/test/images" }
    var out: String { "\(folder)/found" }

    init() async throws {
      bench = try Bench()
      // 72 pixels: nine patches of 32, the last ones moved back from the border.
      let spec = try bench.spec(trials: "[{name: net, model.architecture: unet+}]", extra: "evaluate.threshold: 0.4")
      #expect(await bench.run(spec) { $0.overrides = ["data.synthetic.side=72", "train.epochs=6"] } == .done)
      let trial = try #require(bench.trials()["net"])
      (weights, masks) = (trial.weights, try trial.readMasks())
      let quiet = Transcript().surroundings(cache: bench.folder.path)
      #expect(try Runner.synthesizeData(to: "\(bench.folder.path)/data", training: 4, test: 2, side: 72, seed: 3, threads: 1, quiet) == .done)
    }

    func predict(_ paths: [String]? = nil, transcript: Transcript = Transcript(), _ change: (inout PredictOptions) -> Void = { _ in }) async -> ExitCode {
      var options = PredictOptions(images: paths ?? [images], out: out)
      (options.weights, options.threads) = (weights, 2)
      change(&options)
      let asked = options, surroundings = transcript.surroundings(cache: folder)
      return await Runner.exitCode(surroundings) { try Runner.predict(asked, surroundings) }
    }

    func lines(_ name: String) throws -> [String] { try String(contentsOfFile: "\(out)/\(name)", encoding: .utf8).split(separator: "\n").map(String.init) }
    func evaluate(_ predictions: String, _ truth: String, _ transcript: Transcript, csv: String? = nil) throws -> ExitCode {
      try Runner.evaluate(predictions: predictions, truth: truth, json: true, csv: csv, transcript.surroundings(cache: folder))
    }
  }

  @Test func masksAreTheEvaluations() async throws {
    let trained = try await Trained()
    let table = "\(trained.folder)/runs.csv", truth = "\(trained.folder)/truth"
    try FileManager.default.createDirectory(atPath: truth, withIntermediateDirectories: true)
    let code = await trained.predict { ($0.probabilities, $0.runs, $0.pixelSize) = (true, table, 0.5) }
    #expect(code == .done && trained.masks.count == 2)
    var objects = 0
    for (image, mask) in trained.masks {
      #expect(try PNG.read(path: "\(trained.out)/\(image)_mask.png").mask == mask, "\(image)")
      let file = "\(trained.out)/\(image)_labels.png"
      try FileManager.default.copyItem(atPath: file, toPath: "\(truth)/\(image).png")
      let labels = try PNG.read(path: file).labels, regions = mask.connectedRegions(connectivity: 8)
      #expect(labels == regions.labels)
      objects += regions.count
      #expect(try PNG.read(path: "\(trained.out)/\(image)_overlay.png").channels == 3)
      let values = try Data(contentsOf: URL(fileURLWithPath: "\(trained.out)/\(image)_probability.npy"))
      #expect(values.count == 128 + 4 * 72 * 72 && values.starts(with: [0x93] + "NUMPY".utf8))
    }
    let found = try trained.lines("objects.csv")
    #expect(objects > 0 && objects == found.count - 1)
    #expect(try trained.lines("counts.csv").count == 3)
    #expect(found[1].hasSuffix(",um"))
    #expect(Set(try FileManager.default.contentsOfDirectory(atPath: trained.out)).count == 2 * 4 + 2)

    // The run-length table says the same as the label images, and the label images are preferred to the masks beside them.
    let transcript = Transcript(), scores = "\(trained.folder)/scores.csv"
    #expect(try trained.evaluate(table, truth, transcript) == .done)
    #expect(try trained.evaluate(trained.out, table, transcript, csv: scores) == .done)
    struct Answer: Decodable {
      struct Image: Decodable { var image: String, contest_score: Double }
      var images: Int, contest_score: Double, per_image: [Image]
    }
    let answers = try transcript.output.components(separatedBy: "}\n{").enumerated().map { place, text in
      try JSONDecoder().decode(Answer.self, from: Data(((place > 0 ? "{" : "") + text + (place > 0 ? "" : "}")).utf8))
    }
    for answer in answers { #expect(answer.images == 2 && answer.contest_score == 1 && answer.per_image.map(\.contest_score) == [1, 1]) }
    #expect(try String(contentsOfFile: scores, encoding: .utf8).split(separator: "\n").count == 3)
    #expect(!transcript.errors.contains("warning"), "\(transcript.errors)")
  }

  @Test func threadsAndOthersImagesDoNotMatter() async throws {
    let trained = try await Trained()
    #expect(await trained.predict { $0.threads = 1 } == .done)
    let alone = try trained.lines("objects.csv")
    #expect(await trained.predict(trained.masks.keys.sorted().map { "\(trained.images)/\($0).png" }) { $0.threads = 3 } == .done)
    #expect(try trained.lines("objects.csv") == alone)
  }

  @Test func badImagesAreReportedAndTheRestDone() async throws {
    let trained = try await Trained()
    let good = try #require(trained.masks.keys.sorted().first), folder = "\(trained.folder)/mixed"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(trained.images)/\(good).png"))
    try bytes.write(to: URL(fileURLWithPath: "\(folder)/good.png"))
    try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: "\(folder)/cut.png"))
    try Data("hello".utf8).write(to: URL(fileURLWithPath: "\(folder)/text.tif"))
    try PNG.write(GrayImage(width: 1, height: 1, repeating: 0.5), to: "\(folder)/dot.png")
    let transcript = Transcript()
    #expect(await trained.predict([folder], transcript: transcript) == .someTrialsFailed)
    #expect(transcript.errors.contains("cut.png: ") && transcript.errors.contains("text.tif: ") && transcript.errors.split(separator: "\n").count == 2)
    #expect(try PNG.read(path: "\(trained.out)/good_mask.png").mask == trained.masks[good])
    #expect(try PNG.read(path: "\(trained.out)/dot_mask.png").mask == Mask(width: 1, height: 1, repeating: 0))
    #expect(try trained.lines("counts.csv").map { $0.split(separator: ",")[0] } == ["image", "dot", "good"])
    #expect(!FileManager.default.fileExists(atPath: "\(trained.out)/cut_mask.png"))
  }

  @Test func wrongCommandsAreOneError() async throws {
    let trained = try await Trained()
    func error(_ paths: [String]? = nil, _ change: @escaping (inout PredictOptions) -> Void = { _ in }) async -> (code: ExitCode, text: String) {
      let transcript = Transcript()
      let code = await trained.predict(paths, transcript: transcript, change)
      return (code, transcript.errors)
    }
    var wrong = await error { $0.weights = nil }
    #expect(wrong.code == .inputOrOutputFailed && wrong.text.contains("--weights"))
    wrong = await error { $0.overrides = ["model.base_filters=4"] }
    #expect(wrong.code == .damagedData && wrong.text.contains("another network"))
    wrong = await error { $0.overrides = ["evaluate.treshold=0.3"] }
    #expect(wrong.code == .badCommandOrSpec && wrong.text.contains("did you mean 'evaluate.threshold'?"))
    wrong = await error { $0.overlap = 32 }
    #expect(wrong.code == .badCommandOrSpec && wrong.text.contains("at most 28"))
    wrong = await error { $0.out = "\(trained.images)/" }
    #expect(wrong.code == .badCommandOrSpec && wrong.text.contains("another folder"))
    let name = try #require(trained.masks.keys.first)
    wrong = await error([trained.images, "\(trained.images)/\(name).png"])
    #expect(wrong.code == .badCommandOrSpec && wrong.text.contains("would both be"))
    wrong = await error(["\(trained.folder)/data"])
    #expect(wrong.code == .inputOrOutputFailed && wrong.text.contains("no image in it"))
    // Output that cannot be written ends the work.
    wrong = await error { $0.out = "/proc/nowhere" }
    #expect(wrong.code == .inputOrOutputFailed && wrong.text.split(separator: "\n").count == 1)
    let damaged = "\(trained.folder)/damaged.safetensors"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: trained.weights))
    bytes[bytes.count - 3] ^= 1
    try bytes.write(to: URL(fileURLWithPath: damaged))
    wrong = await error { $0.weights = damaged }
    #expect(wrong.code == .damagedData && wrong.text.contains("checksum"))
    #expect(!FileManager.default.fileExists(atPath: trained.out))
  }

  /// More objects than 16 bits can number: a 32-bit TIFF, which `evaluate` reads as well.
  @Test func manyObjectsAreWrittenAndReadBack() throws {
    let folder = try TemporaryFolder(), side = 520
    let mask = Mask(width: side, height: side, pixels: (0..<side * side).map { $0 % side % 2 == 0 && $0 / side % 2 == 0 ? 1 : 0 })
    let regions = mask.connectedRegions(connectivity: 8), image = GrayImage(width: side, height: side, repeating: 0.5)
    #expect(regions.count == 260 * 260 && regions.count > PredictionFiles.mostLabels)
    let found = Segmentation(probabilities: image, mask: mask, labels: regions.labels, count: regions.count)
    let files = PredictionFiles(folder: folder.path, withProbabilities: false)
    try files.write(found, of: image, name: "many")
    #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) == ["many_mask.png", "many_labels.tif", "many_overlay.png"])
    let table = "\(folder.path)/runs.csv", quiet = Transcript()
    try files.writeTables([files.rows(found, of: image, fullScale: 255, name: "many", withRuns: true)], runs: table)
    guard TIFF.library != nil else { return }
    #expect(try Runner.evaluate(predictions: folder.path, truth: table, json: true, quiet.surroundings(cache: folder.path)) == .done)
    #expect(quiet.output.contains("\"annotated_nuclei\" : 67600") && quiet.output.contains("\"contest_score\" : 1,"), "\(quiet.output)")
  }

  @Test func wideOverlapsGiveTheWholeImage() async throws {
    let trained = try await Trained()
    func probabilities(tile: Int, overlap: Int) throws -> GrayImage {
      let model = try TrainedModel(path: trained.weights, overrides: [("patches.size", "\(tile)")])
      let segmenter = try Segmenter(model, Segmenter.Choices(overlap: overlap), threads: 2)
      let image = GrayImage(width: 200, height: 160, pixels: (0..<32_000).map { i in Float(i % 200 % 23) / 23 * Float(i / 200 % 17) / 17 })
      return try segmenter.segment(image, onThread: nil).probabilities
    }
    func difference(_ a: GrayImage, _ b: GrayImage) -> Float { zip(a.pixels, b.pixels).reduce(0) { max($0, abs($1.0 - $1.1)) } }
    // Depth 3 sees 24 pixels far: half of 64 is more. The whole image stands in one tile whose padding is the image's.
    let whole = try probabilities(tile: 200, overlap: 0)
    let inner = { (image: GrayImage) in GrayImage(width: 200, height: 128, pixels: Array(image.pixels[..<(128 * 200)])) }
    #expect(difference(inner(try probabilities(tile: 96, overlap: 64)), inner(whole)) < 1e-4)
    #expect(difference(inner(try probabilities(tile: 96, overlap: 0)), inner(whole)) > 1e-3)
  }
}}
