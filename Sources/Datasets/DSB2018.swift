import Diagnostics
import ExperimentSpec
import Imaging

/// Stage 1 of the 2018 Data Science Bowl (BBBC038) as Kaggle lays it out: `stage1_train/<id>/images/<id>.png` with one nucleus a file in
/// `stage1_train/<id>/masks/*.png`, `stage1_test/<id>/images/<id>.png` with its nuclei in `stage1_solution.csv`.
public struct DSB2018: Dataset {
  public static let source = DataSettings.Source.dsb2018
  public let settings: DataSettings
  let root: String
  let solution: Solution

  public init(_ settings: DataSettings, root: String) throws {
    (self.settings, self.root) = (settings, root)
    let folders = ["stage1_train", "stage1_test"]
    for folder in folders where Disk.kind("\(root)/\(folder)") != .folder {
      throw UserError.missing(
        root, "no folder \(folder) in it", hints: ["expected: stage1_train/, stage1_test/ and stage1_solution.csv", "get them with: swift run runner data fetch"])
    }
    let table = "\(root)/stage1_solution.csv"
    solution = try Solution(bytes: Disk.bytes(of: table), path: table)
  }

  public func inspect(threads: Int) throws -> Inspection {
    let training = try Disk.list("\(root)/stage1_train").filter { Disk.kind("\(root)/stage1_train/\($0)") == .folder }
    let test = try Disk.list("\(root)/stage1_test").filter { Disk.kind("\(root)/stage1_test/\($0)") == .folder }
    let known = Set(test)
    if let row = solution.nuclei.first(where: { !known.contains($0.image) }) {
      throw UserError.damaged(solution.path, line: row.line, "image \(row.image) is not in stage1_test")
    }
    let inspected = try parallelMap(count: training.count + test.count, threads: threads) { i in
      try i < training.count ? inspectTraining(training[i]) : inspectTest(test[i - training.count])
    }
    var digests = FileDigests()
    for one in inspected { digests.add(contentsOf: one.digests) }
    digests.add(solution.bytes, path: "stage1_solution.csv")
    let entries = inspected.map(\.entry)
    return Inspection(
      training: Array(entries.prefix(training.count)), test: Array(entries.dropFirst(training.count)), digest: digests.combined)
  }

  public func image(_ item: DatasetItem) throws -> DecodedImage {
    let path = "\(root)/\(imagePath(item.id, item.part))"
    return try decode(Disk.bytes(of: path), path: path)
  }

  public func truth(_ item: DatasetItem) throws -> Truth {
    item.part == .test ? try solution.truth(item) : try trainingTruth(item)
  }

  private func imagePath(_ id: String, _ part: DatasetItem.Part) -> String {
    "\(part == .training ? "stage1_train" : "stage1_test")/\(id)/images/\(id).png"
  }

  private func trainingTruth(_ item: DatasetItem) throws -> Truth {
    let folder = "\(root)/stage1_train/\(item.id)/masks"
    var labels = LabelImage(width: item.width, height: item.height, repeating: 0)
    let names = try Disk.listPNG(folder)
    for (index, name) in names.enumerated() {
      let path = "\(folder)/\(name)"
      let mask = try decode(Disk.bytes(of: path), path: path)
      try requireSize(mask.height, mask.width, of: item, path: path)
      guard mask.isGray else { throw UserError.damaged(path, "mask in colour; expected: grey, 0 where there is nothing") }
      labels.paint(mask, label: Int32(index + 1))
    }
    return Truth(labels: labels, count: names.count)
  }

  // MARK: Inspection

  private struct Inspected: Sendable {
    var entry: Inspection.Entry
    var digests: FileDigests
  }

  private func inspectTraining(_ id: String) throws -> Inspected {
    var result = try inspectImage(id, .training)
    let folder = "stage1_train/\(id)/masks"
    guard Disk.kind("\(root)/\(folder)") == .folder else { throw UserError.missing("\(root)/stage1_train/\(id)", "image without masks: no folder masks") }
    let names = try Disk.listPNG("\(root)/\(folder)")
    if names.isEmpty { throw UserError.missing("\(root)/\(folder)", "image without masks: no PNG file in it") }
    for name in names {
      let path = "\(root)/\(folder)/\(name)"
      let bytes = try Disk.bytes(of: path)
      let structure = try PNGStructure(checking: bytes, path: path)
      try requireSize(structure.height, structure.width, of: result.entry.item, path: path)
      result.digests.add(bytes, path: "\(folder)/\(name)")
    }
    result.entry.item.objects = names.count
    return result
  }

  private func inspectTest(_ id: String) throws -> Inspected {
    var result = try inspectImage(id, .test)
    result.entry.item.objects = try solution.check(result.entry.item)
    return result
  }

  private func inspectImage(_ id: String, _ part: DatasetItem.Part) throws -> Inspected {
    let relative = imagePath(id, part), path = "\(root)/\(relative)"
    let bytes = try Disk.bytes(of: path)
    var digests = FileDigests()
    digests.add(bytes, path: relative)
    return Inspected(entry: try Inspection.Entry(id: id, part: part, image: decode(bytes, path: path)), digests: digests)
  }
}

extension Inspection.Entry {
  init(id: String, part: DatasetItem.Part, image: DecodedImage, objects: Int = 0) {
    self.init(
      item: DatasetItem(id: id, part: part, height: image.height, width: image.width, objects: objects),
      isGray: image.isGray, meanIntensity: image.meanIntensity)
  }
}

/// Decodes a PNG; whatever is wrong with it is damaged data (exit 6).
func decode(_ bytes: [UInt8], path: String) throws -> DecodedImage {
  do { return try PNG.decode(bytes, name: path) } catch var error as UserError {
    error.exitCode = .damagedData
    throw error
  }
}

func requireSize(_ height: Int, _ width: Int, of item: DatasetItem, path: String) throws {
  guard height == item.height, width == item.width else {
    throw UserError.damaged(path, "mask of \(width) × \(height) pixels; its image has \(item.width) × \(item.height)")
  }
}

extension Image where Pixel == Int32 {
  /// Gives `label` to the mask's nonzero pixels that have none yet.
  mutating func paint(_ mask: DecodedImage, label: Int32) {
    let channels = mask.channels
    mask.samples.withUnsafeBufferPointer { source in
      pixels.withUnsafeMutableBufferPointer { out in
        for i in out.indices where source[i * channels] != 0 && out[i] == 0 { out[i] = label }
      }
    }
  }
}
