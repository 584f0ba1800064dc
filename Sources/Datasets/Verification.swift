import Diagnostics
import ExperimentSpec

/// What `runner data verify` prints: the counts that show whether data is whole. Selection and grid are the paper's: grey with a dark
/// background, 256 × 256.
public struct Verification: Sendable, Hashable, Codable {
  public var trainingImages: Int
  public var trainingGrey: Int
  public var trainingUsed: Int
  /// Of all training images.
  public var trainingMasks: Int
  /// Grid patches of the training images used, without augmentation.
  public var trainingGridPatches: Int
  public var testImages: Int
  public var testUsed: Int
  /// Of all test images.
  public var testNuclei: Int
  public var testPatches: Int
  /// See `Inspection.digest`.
  public var digest: String

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case trainingImages = "training_images", trainingGrey = "training_grey", trainingUsed = "training_used"
    case trainingMasks = "training_masks", trainingGridPatches = "training_grid_patches"
    case testImages = "test_images", testUsed = "test_used", testNuclei = "test_nuclei", testPatches = "test_patches", digest
  }

  public init(_ inspection: Inspection) {
    let selection = DataSettings.Selection.greyDark, side = 256
    func patches(_ entries: [Inspection.Entry]) -> Int {
      entries.reduce(0) { $0 + patchOrigins(height: $1.item.height, width: $1.item.width, size: side).count }
    }
    let trainingUsed = inspection.training.filter { selection.contains($0) }
    let testUsed = inspection.test.filter { selection.contains($0) }
    trainingImages = inspection.training.count
    trainingGrey = inspection.training.count { $0.isGray }
    self.trainingUsed = trainingUsed.count
    trainingMasks = inspection.training.reduce(0) { $0 + $1.item.objects }
    trainingGridPatches = patches(trainingUsed)
    testImages = inspection.test.count
    self.testUsed = testUsed.count
    testNuclei = inspection.test.reduce(0) { $0 + $1.item.objects }
    testPatches = patches(testUsed)
    digest = inspection.digest
  }

  /// Names (as in the JSON) and numbers, in the order of the contract.
  public var counts: [(name: String, value: Int)] {
    let values = [
      trainingImages, trainingGrey, trainingUsed, trainingMasks, trainingGridPatches, testImages, testUsed, testNuclei, testPatches,
    ]
    return zip(CodingKeys.allCases, values).map { ($0.rawValue, $1) }
  }

  /// Whether these are the counts of the public set (PAPER.md, checked on the original archive).
  public var isPublicSet: Bool { counts.map(\.value) == [670, 562, 546, 29_461, 1_752, 65, 53, 4_152, 174] }
}

extension DatasetRegistry {
  /// Reads and checks all data at `root`, in the Kaggle layout or as a folder of images and masks. Throws `UserError` with the file at fault.
  public static func verify(root: String, settings: DataSettings, threads: Int) throws -> Verification {
    guard Disk.kind(root) == .folder else { throw UserError.missing(root, "no such data folder") }
    var settings = settings
    let isFolder = Disk.kind("\(root)/images") == .folder && Disk.kind("\(root)/stage1_train") != .folder
    settings.source = isFolder ? .folder : .dsb2018
    let dataset: any Dataset = isFolder ? try ImageFolder(settings, root: root) : try DSB2018(settings, root: root)
    return Verification(try dataset.inspect(threads: threads))
  }
}
