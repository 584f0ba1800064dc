import Diagnostics
import Engine
import ExperimentSpec
import Files
import Foundation
import Imaging
import Synchronization

/// What `predict` is asked for.
public struct PredictOptions: Sendable {
  /// Image files, and folders of them.
  public var images: [String]
  public var out: String
  /// nil: the model that comes with the program.
  public var weights: String?
  /// `--set key=value`, over what the weights' file states.
  public var overrides: [String] = []
  /// Pixels that tiles overlap; 0: the paper's grid.
  public var overlap = 0
  /// Least distance, in pixels, of the centres of touching objects that are taken apart; nil: they stay one.
  public var splitSpacing: Int?
  /// Side of a pixel, micrometres.
  public var pixelSize: Double?
  public var probabilities = false
  /// Where the contest's run-length table goes.
  public var runs: String?
  public var threads: Int?

  public init(images: [String], out: String) { (self.images, self.out) = (images, out) }
}

extension Runner {
  /// Finds the nuclei of images: masks, labels, outlines, measurements. An image that cannot be read is reported, and the others are done.
  public static func predict(_ options: PredictOptions, _ surroundings: Surroundings) throws -> ExitCode {
    let console = surroundings.console
    Interrupts.listen()
    let images = try InputImage.find(options.images, out: options.out), model = try model(options, surroundings)
    console.show(model.notes)
    let alignment = 1 << (model.settings.model.depth - 1), most = model.settings.patches.size - alignment
    guard options.overlap <= most else {
      throw UserError(
        "--overlap \(options.overlap): tiles of \(model.settings.patches.size) pixels overlap by at most \(most)", exitCode: .badCommandOrSpec,
        hints: ["larger tiles: --set patches.size=512"])
    }
    if options.runs != nil, let odd = images.first(where: { MaskRuns.quoted($0.name) != $0.name }) {
      throw UserError("--rle: the table cannot hold the name \(odd.name)", exitCode: .badCommandOrSpec, hints: ["names in it have no commas, quotes or line breaks"])
    }
    try DurableFile.makeFolder(options.out)
    // Not after an hour's work.
    if let folder = options.runs.map(parentFolder(of:)), !folder.isEmpty { try DurableFile.makeFolder(folder) }
    let threads = options.threads ?? Processor.cores
    let segmenter = try Segmenter(model, Segmenter.Choices(overlap: options.overlap, splitSpacing: options.splitSpacing), threads: threads)
    let files = PredictionFiles(folder: options.out, pixelSize: options.pixelSize, withProbabilities: options.probabilities)
    let work = PredictionWork(images, segmenter, files, withRuns: options.runs != nil, PredictDisplay(console, total: images.count))
    let rows: [PredictionFiles.Rows]
    do { rows = try work.run() } catch is CancellationError {
      console.show([Diagnostic(.note, "stopped: \(options.out) has the images done so far, without their tables")])
      return Interrupts.signalReceived == SIGTERM ? .terminated : .interrupted
    }
    try files.writeTables(rows, runs: options.runs)
    console.print("\(options.out): \(rows.count) of \(images.count) images")
    return rows.count == images.count ? .done : .someTrialsFailed
  }

  private static func model(_ options: PredictOptions, _ surroundings: Surroundings) throws -> TrainedModel {
    var asked = RunOptions()
    asked.overrides = options.overrides
    let overrides = try asked.parsedOverrides()
    return try TrainedModel(path: options.weights ?? findDefaultWeights(surroundings), overrides: overrides)
  }
}

/// A file to predict and what its outputs are called.
struct InputImage: Sendable, Hashable {
  var path: String
  var name: String

  /// The files named, and those of the folders named (not of folders in them), by name.
  ///
  /// - Throws: `UserError` (exit 5) where nothing is found, (exit 2) where two images would write the same files.
  static func find(_ arguments: [String], out: String) throws -> [InputImage] {
    var images: [InputImage] = []
    for argument in arguments {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: argument, isDirectory: &isFolder), isFolder.boolValue else {
        images.append(InputImage(argument))
        continue
      }
      guard whole(argument) != whole(out) else {
        throw UserError("\(out): holds the images; name another folder for what is made of them", exitCode: .badCommandOrSpec)
      }
      let names: [String]
      do { names = try FileManager.default.contentsOfDirectory(atPath: argument) } catch {
        throw UserError("\(argument): cannot be read: \(error.localizedDescription)", exitCode: .inputOrOutputFailed)
      }
      let found = names.filter { !$0.hasPrefix(".") && ImageFile.endings.contains(($0 as NSString).pathExtension.lowercased()) }
      if found.isEmpty {
        throw UserError("\(argument): no image in it", exitCode: .inputOrOutputFailed, hints: ["images end in .png, .tif or .tiff"])
      }
      images += found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { InputImage("\(argument)/\($0)") }
    }
    var first: [String: String] = [:]
    for image in images {
      if let other = first.updateValue(image.path, forKey: image.name) {
        throw UserError("\(other) and \(image.path) would both be \(image.name)_mask.png", exitCode: .badCommandOrSpec)
      }
    }
    // An image among the results of an earlier call: those of another image may be called as it.
    let folder = Self.whole(out), written = Set(images.flatMap { image in PredictionFiles.endings.map { "\(folder)/\(image.name)\($0)" } })
    if let lost = images.first(where: { written.contains(Self.whole($0.path)) }) {
      throw UserError("\(lost.path) would be written over; name another folder for what is made of it", exitCode: .badCommandOrSpec)
    }
    return images
  }

  private static func whole(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

  private init(_ path: String) { (self.path, name) = (path, ((path as NSString).lastPathComponent as NSString).deletingPathExtension) }
}
