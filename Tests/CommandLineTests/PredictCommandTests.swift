import Foundation
import Testing

/// `runner predict` and `evaluate` as they are met at a shell: which weights they find, what they say of bad input, and what they leave behind.
@Suite(.serialized, .enabled(if: Program.isBuilt, "the program is not built")) struct PredictCommandTests {
  /// A network trained for a moment by the program itself, and an image.
  private struct Trained {
    let place: Workplace
    let weights: String
    let image: String

    init() throws {
      place = try Workplace()
      let spec = """
        name: tiny
        title: Tiny
        data: {source: synthetic, synthetic: {train: 2, test: 1, side: 32, seed: 3}}
        model: {architecture: unet+, base_filters: 2, depth: 3}
        preprocess: {tv_iterations: 5}
        patches.size: 32
        train: {epochs: 1, batch: 4}
        evaluate: {minimum_object: 4, timing_passes: 1}
        trials: [{name: net}]
        """
      try place.write(Data(spec.utf8), to: "tiny.yaml")
      let run = try Program.run(["tiny.yaml"], in: place.path, environment: ["XDG_CACHE_HOME": place.path])
      #expect(run.code == 0, "\(run)")
      let out = try Program.run(["publish", "results/tiny", "--out", "kept/tiny.safetensors"], in: place.path)
      #expect(out.code == 0, "\(out)")
      weights = "\(place.path)/kept/tiny.safetensors"
      let data = try Program.run(["data", "synthesize", "--out", "data", "--train", "1", "--test", "1", "--side", "48"], in: place.path)
      #expect(data.code == 0, "\(data)")
      image = "\(place.path)/data/test/images/" + place.names("data/test/images")[0]
    }
  }

  @Test func theDefaultModelIsFoundFromAnywhere() throws {
    let trained = try Trained(), place = try Workplace()
    let copy = try place.copy(Program.path, to: "somewhere/bin/runner")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: copy)
    func predict(_ program: String = copy, _ environment: [String: String] = [:], in folder: String = "/") throws -> Program.Outcome {
      try? FileManager.default.removeItem(atPath: "\(place.path)/found")
      return try Program.run(["predict", trained.image, "--out", "\(place.path)/found"], program: program, in: folder, environment: environment)
    }
    let without = try predict()
    #expect(without.code == 5 && without.errors.contains("results/models/unet-plus-tc-b8.safetensors") && without.errors.contains("--weights"), "\(without)")
    #expect(place.names("found").isEmpty)
    #expect(try predict(copy, ["RUNNER_WEIGHTS": trained.weights]).code == 0)
    let wrong = try predict(copy, ["RUNNER_WEIGHTS": "/nowhere"])
    #expect(wrong.code == 5 && wrong.errorLines.count == 1 && wrong.errors.contains("$RUNNER_WEIGHTS: /nowhere"))
    // Beside the program, above it as in a checkout, through a link to the program, and in the working folder.
    for name in ["somewhere/bin/models", "somewhere/bin/results/models", "results/models"] {
      _ = try place.copy(trained.weights, to: "\(name)/unet-plus-tc-b8.safetensors")
      #expect(try predict().code == 0, "\(name)")
      let link = "\(trained.place.path)/link-\(UUID().uuidString)"
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: copy)
      #expect(try predict(link).code == 0, "\(name)")
      try FileManager.default.removeItem(atPath: "\(place.path)/\(name)")
    }
    let other = try Workplace()
    _ = try other.copy(trained.weights, to: "results/models/unet-plus-tc-b8.safetensors")
    #expect(try predict(in: other.path).code == 0)
    // A damaged one is not passed over in silence.
    try place.write(Data("{}".utf8), to: "results/models/unet-plus-tc-b8.safetensors")
    #expect(try predict().code == 6)
  }

  @Test func hostileFilesAreOneLineEach() throws {
    let trained = try Trained(), place = try Workplace()
    let good = try Data(contentsOf: URL(fileURLWithPath: trained.image))
    try place.write(good, to: "in/good.png")
    try place.write(Data(), to: "in/empty.png")
    try place.write(good.prefix(200), to: "in/cut.png")
    try place.write(Data("hello".utf8), to: "in/text.png")
    try place.write(Data([0x49, 0x49, 42, 0, 255, 255, 255, 255]), to: "in/hostile.tif")
    // The header's width and height, which its checksum would have to fit as well.
    try place.write(good.prefix(16) + [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF] + good.dropFirst(24), to: "in/bomb.png")
    try FileManager.default.createDirectory(atPath: "\(place.path)/in/folder.png", withIntermediateDirectories: true)
    #expect(mkfifo("\(place.path)/in/pipe.png", 0o644) == 0)
    let outcome = try Program.run(["predict", "in", "--out", "found", "--weights", trained.weights], in: place.path)
    #expect(outcome.code == 1, "\(outcome)")
    for name in ["empty.png", "cut.png", "text.png", "hostile.tif", "bomb.png", "folder.png", "pipe.png"] {
      #expect(outcome.errorLines.count { $0.hasPrefix("runner: error: in/\(name): ") } == 1, "\(name): \(outcome.errors)")
    }
    #expect(outcome.errorLines.count == 7, "\(outcome.errors)")
    #expect(place.names("found") == ["counts.csv", "good_labels.png", "good_mask.png", "good_overlay.png", "objects.csv"])
  }

  /// A write that fails halfway, as on a full disk: the limit of a file's size stands for it.
  @Test func aFullDiskLeavesNothingHalfWritten() throws {
    let trained = try Trained(), place = try Workplace()
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\""
    let outcome = try Program.run(
      ["-c", script, "sh", Program.path, "predict", trained.image, "--out", "found", "--weights", trained.weights, "--probabilities"], program: "/bin/sh", in: place.path)
    #expect(outcome.code == 5 && outcome.errorLines.count == 1, "\(outcome)")
    #expect(place.names("found").isEmpty)
  }

  @Test func wrongWeightsMasksAndFoldersHaveTheirCodes() throws {
    let trained = try Trained(), place = try Workplace()
    func expect(_ arguments: [String], _ code: Int32, _ message: String, lines: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let outcome = try Program.run(arguments, in: place.path)
      #expect(outcome.code == code && outcome.errors.contains(message) && outcome.errorLines.count == lines, "\(outcome)", sourceLocation: sourceLocation)
    }
    let predict = ["predict", trained.image, "--out", "found", "--weights"]
    try expect(predict + ["none"], 5, "none: cannot be read")
    try expect(predict + ["/"], 5, "/: a folder")
    try expect(predict + [trained.image], 6, "damaged")
    try expect(predict + [trained.weights, "--set", "model.base_filters=4"], 6, "weights of another network")
    try expect(predict + [trained.weights, "--rle", "/proc/nowhere/runs.csv"], 5, "/proc/nowhere")
    #expect(place.names("found").isEmpty)
    // An image among earlier results that those of another would be called as.
    try place.write(Data(contentsOf: URL(fileURLWithPath: trained.image)), to: "found/a.png")
    try place.write(Data(contentsOf: URL(fileURLWithPath: trained.image)), to: "found/a_mask.png")
    try expect(["predict", "found/a.png", "found/a_mask.png", "--out", "found", "--weights", trained.weights], 2, "found/a_mask.png would be written over")

    let found = try Program.run(["predict", trained.image, "--out", "masks", "--weights", trained.weights], in: place.path)
    #expect(found.code == 0)
    let name = ((trained.image as NSString).lastPathComponent as NSString).deletingPathExtension
    _ = try place.copy("\(place.path)/masks/\(name)_mask.png", to: "truth/\(name).png")
    let evaluate = ["evaluate", "--predictions", "masks", "--truth"]
    try expect(evaluate + ["none"], 5, "none: no such file or folder")
    _ = try place.copy("\(place.path)/masks/\(name)_overlay.png", to: "colour/\(name).png")
    try expect(evaluate + ["colour"], 6, "in colour")
    let small = try Program.run(["data", "synthesize", "--out", "small", "--train", "1", "--test", "1", "--side", "32"], in: place.path)
    #expect(small.code == 0)
    let other = try #require(place.names("small/test/masks").first)
    _ = try place.copy("\(place.path)/small/test/masks/\(other)", to: "size/\(name).png")
    try expect(evaluate + ["size"], 6, "has 48 × 48 pixels; its truth has 32 × 32")
    _ = try place.copy("\(place.path)/masks/\(name)_mask.png", to: "others/another.png")
    try expect(evaluate + ["others"], 5, "none of its", lines: 2)
    try place.write(Data("ImageId\nx\n".utf8), to: "table.csv")
    try expect(evaluate + ["table.csv"], 6, "no column EncodedPixels", lines: 2)
    try place.write(Data("ImageId,EncodedPixels,Height,Width\n\(name),5 9999,48,48\n".utf8), to: "long.csv")
    try expect(evaluate + ["long.csv"], 6, "ends past the image")
  }

  @Test func aCardSaysWhatTheRecordDoes() throws {
    let trained = try Trained(), card = try String(contentsOfFile: "\(trained.place.path)/kept/README.md", encoding: .utf8)
    let fingerprint = try #require(trained.place.names("results/tiny/trials").first { !$0.contains("/") })
    struct Record: Decodable { var parameters: Int, bestEpoch: Int, validationLoss: Double }
    let record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: URL(fileURLWithPath: "\(trained.place.path)/results/tiny/trials/\(fingerprint)/record.json")))
    for text in [
      "# net, B = 2", "`tiny.safetensors`", "trials/\(fingerprint)/record.json", "| `model.depth` | 3 |", "| `preprocess.tv_iterations` † | 5 |",
      "| `train.epochs` | 1 |", "epoch \(record.bestEpoch)", "SHA-256 of the file: `", "Means over 1 test images",
    ] { #expect(card.contains(text), "\(text)\n\(card)") }
    #expect(!card.contains("CC0"), "synthetic images are nobody's to license")
    let again = try Program.run(["publish", "results/tiny/trials/\(fingerprint)", "--out", "again/tiny.safetensors"], in: trained.place.path)
    let same = try String(contentsOfFile: "\(trained.place.path)/again/README.md", encoding: .utf8)
    #expect(again.code == 0 && same == card, "\(again)")
    let unknown = try Program.run(["publish", "results/tiny", "--trial", "nothing", "--out", "x"], in: trained.place.path)
    #expect(unknown.code == 2 && unknown.errors.contains("there are: 'net'"))
  }
}
