import Diagnostics
import Engine
import Foundation
import Imaging
import Testing

@testable import Runner

/// The model that comes with the program, where it is there, on the real test images, where they are.
extension Runs { @Suite struct DefaultModelTests {
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
  static let weights = "\(package)/\(Runner.defaultWeights)"
  static let data = ProcessInfo.processInfo.environment["RUNNER_DATA"].map { "\($0)/stage1_test" }

  /// The trial whose losses the weights' file tells.
  private static func trial() throws -> TrialFolder {
    let training = try #require(TrainedWeights(header: weights)), results = "\(package)/results"
    let folders = try FileManager.default.contentsOfDirectory(atPath: results).sorted().flatMap { try ResultsFolder(path: "\(results)/\($0)").allTrials() }
    return try #require(folders.first { $0.readRecord()?.losses == training.losses }, "no committed record is of this model")
  }

  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: weights), "the model is not there"),
    .enabled(if: data.map { FileManager.default.fileExists(atPath: $0) } ?? false, "RUNNER_DATA does not name the real images"))
  func itsMasksOfTheTestImagesAreTheExperiments() async throws {
    let trial = try Self.trial(), masks = try trial.readMasks(), folder = try TemporaryFolder(), data = try #require(Self.data)
    #expect(masks.count == 53)
    var options = PredictOptions(images: masks.keys.sorted().map { "\(data)/\($0)/images/\($0).png" }, out: "\(folder.path)/found")
    options.threads = 2
    let asked = options, console = Transcript().surroundings(cache: folder.path).console
    let surroundings = Surroundings(console: console, environment: [:], modelFolders: [Self.package])
    #expect(await Runner.exitCode(surroundings) { try Runner.predict(asked, surroundings) } == .done)
    // Another instruction set rounds otherwise, which can turn a pixel at the threshold and with it a hole or a small object.
    let isAlike = try trial.log.lines().start?.settings["instruction set"] == Processor.arithmetic(for: .f32)
    for (image, mask) in masks {
      let ours = try PNG.read(path: "\(folder.path)/found/\(image)_mask.png").mask
      let different = zip(ours.pixels, mask.pixels).count { $0 != $1 }
      #expect(ours.width == mask.width && different <= (isAlike ? 0 : mask.pixels.count / 500), "\(image): \(different) pixels")
    }
  }
}}
