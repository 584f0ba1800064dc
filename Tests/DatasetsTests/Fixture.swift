import Diagnostics
import ExperimentSpec
import Files
import Foundation
import Imaging
import Testing

@testable import Datasets

/// Settings for tests; only what a test is about is named where it is used.
enum Sample {
  static func data(
    _ source: DataSettings.Source = .dsb2018, root: String = "", selection: DataSettings.Selection = .all, testFraction: Double = 0.25,
    train: Int = 6, test: Int = 2, side: Int = 96, seed: Int = 1
  ) -> DataSettings {
    decode([
      "source": .text(source.rawValue), "root": .text(root), "selection": .text(selection.rawValue), "testFraction": .number(testFraction),
      "syntheticTrain": .number(Double(train)), "syntheticTest": .number(Double(test)), "syntheticSide": .number(Double(side)),
      "syntheticSeed": .number(Double(seed)),
    ])
  }

  static func patches(
    size: Int = 32, crops: Int = 3, ratio: Double = 0.4, split: PatchSettings.Split = .patch, validation: Double = 0.2
  ) -> PatchSettings {
    decode([
      "size": .number(Double(size)), "cropsPerImage": .number(Double(crops)), "foregroundRatio": .number(ratio), "split": .text(split.rawValue),
      "validationFraction": .number(validation),
    ])
  }

  static func preprocess(clahe: Double = 0.01, tv: Double = 0.1) -> PreprocessSettings {
    decode(["claheClip": .number(clahe), "claheTiles": .number(8), "tvWeight": .number(tv), "tvIterations": .number(20)])
  }

  static func augment(copies: Int = 1) -> AugmentSettings {
    decode([
      "copies": .number(Double(copies)), "blur": .number(0.5), "blurRadius": .number(2), "color": .number(0.5), "colorStrength": .number(0.2),
      "flip": .number(0.5), "rotation": .number(15), "scale": .number(0.1),
    ])
  }

  private enum Value: Encodable {
    case text(String), number(Double)
    func encode(to encoder: any Encoder) throws {
      var one = encoder.singleValueContainer()
      switch self {
      case .text(let text): try one.encode(text)
      case .number(let number): try one.encode(number)
      }
    }
  }

  /// The settings' initialisers belong to their room; their coded form is open to all.
  private static func decode<Settings: Decodable>(_ values: [String: Value]) -> Settings {
    try! JSONDecoder().decode(Settings.self, from: JSONEncoder().encode(values))
  }
}

/// A folder that goes away with it.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("datasets-\(UUID().uuidString)").path
    try DurableFile.makeFolder(path)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ bytes: [UInt8], _ name: String) throws {
    let path = "\(self.path)/\(name)"
    try DurableFile.makeFolder((path as NSString).deletingLastPathComponent)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }
}

/// A small set in Kaggle's layout: training images `a` (grey, dark, 40 × 30, two nuclei), `b` (colour), `c` (grey, bright), test images `t` and `u`.
struct KaggleFixture {
  let folder: TemporaryFolder
  var root: String { folder.path }
  static let solution = """
    ImageId,EncodedPixels,Height,Width,Usage
    t,1 3 22 2,20,10,Public
    t,41 4,20,10,Public
    u,5 1,8,8,Private

    """

  init() throws {
    folder = try TemporaryFolder()
    try addImage("stage1_train", "a", PNG.encode(GrayImage(width: 40, height: 30, repeating: 0.2)))
    try addMask("a", "1", Mask(width: 40, height: 30) { y, x in y < 5 && x < 7 })
    try addMask("a", "2", Mask(width: 40, height: 30) { y, x in (4..<9).contains(y) && x < 7 })
    try addImage("stage1_train", "b", PNG.encode(RGBImage(width: 9, height: 9, repeating: RGB(200, 10, 10))))
    try addMask("b", "1", Mask(width: 9, height: 9) { y, x in y == x })
    try addImage("stage1_train", "c", PNG.encode(GrayImage(width: 9, height: 300, repeating: 0.9)))
    try addMask("c", "1", Mask(width: 9, height: 300) { y, x in y == 3 })
    try addImage("stage1_test", "t", PNG.encode(GrayImage(width: 10, height: 20, repeating: 0.1)))
    try addImage("stage1_test", "u", PNG.encode(GrayImage(width: 8, height: 8, repeating: 0.1)))
    try folder.write(Self.solution, "stage1_solution.csv")
  }

  func addImage(_ part: String, _ id: String, _ png: [UInt8]) throws { try folder.write(png, "\(part)/\(id)/images/\(id).png") }
  func addMask(_ id: String, _ name: String, _ mask: Mask) throws { try folder.write(PNG.encode(mask), "stage1_train/\(id)/masks/\(name).png") }

  func open(_ selection: DataSettings.Selection = .all) throws -> DSB2018 { try DSB2018(Sample.data(selection: selection), root: root) }
}

extension Mask {
  init(width: Int, height: Int, where inside: (Int, Int) -> Bool) {
    self.init(width: width, height: height, pixels: (0..<(width * height)).map { inside($0 / width, $0 % width) ? 1 : 0 })
  }
}

/// Runs `body`, which must throw a `UserError` of one diagnostic, and returns that with the exit code.
func fault(_ location: Testing.SourceLocation = #_sourceLocation, body: () throws -> some Any) -> (diagnostic: Diagnostic, exit: ExitCode) {
  do {
    _ = try body()
    Issue.record("nothing was thrown", sourceLocation: location)
  } catch let error as UserError where error.diagnostics.count == 1 {
    return (error.diagnostics[0], error.exitCode)
  } catch {
    Issue.record("\(error)", sourceLocation: location)
  }
  return (Diagnostic(.note, ""), .done)
}
