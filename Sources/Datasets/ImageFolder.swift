import Diagnostics
import ExperimentSpec
import Imaging
import TensorCore

/// A plain folder: `images/<name>.png` with `masks/<name>.png` (the same name; a binary mask, or an image of labels), and the same again
/// under `test/`. Without `test/`, `data.test_fraction` of the images are kept for the test.
public struct ImageFolder: Dataset {
  public static let source = DataSettings.Source.folder
  public let settings: DataSettings
  let root: String

  public init(_ settings: DataSettings, root: String) throws {
    (self.settings, self.root) = (settings, root)
    let hasTest = Disk.kind("\(root)/test") == .folder
    for folder in ["images", "masks"] + (hasTest ? ["test/images", "test/masks"] : []) where Disk.kind("\(root)/\(folder)") != .folder {
      throw UserError.missing(
        root, "no folder \(folder) in it",
        hints: ["expected: images/ and masks/ with PNG files of the same names, and, if wanted, test/images/ and test/masks/"])
    }
  }

  public func inspect(threads: Int) throws -> Inspection {
    let own = try names(""), separate = try names("test/")
    try requireImages(ofMasks: "", own)
    try requireImages(ofMasks: "test/", separate)
    let isTest = Disk.kind("\(root)/test") == .folder ? [] : drawTest(own.count)
    let files = own.enumerated().map { (prefix: "", name: $1, part: isTest.contains($0) ? DatasetItem.Part.test : .training) }
      + separate.map { (prefix: "test/", name: $0, part: .test) }
    let inspected = try parallelMap(count: files.count, threads: threads) { i in
      let (prefix, name, part) = files[i]
      let imagePath = "\(prefix)images/\(name)", maskPath = "\(prefix)masks/\(name)"
      guard Disk.kind("\(root)/\(maskPath)") == .file else {
        throw UserError.missing("\(root)/\(imagePath)", "image without a mask: no file \(maskPath)")
      }
      var digests = FileDigests()
      let imageBytes = try Disk.bytes(of: "\(root)/\(imagePath)"), maskBytes = try Disk.bytes(of: "\(root)/\(maskPath)")
      digests.add(imageBytes, path: imagePath)
      digests.add(maskBytes, path: maskPath)
      var entry = try Inspection.Entry(id: String(name.dropLast(4)), part: part, image: decode(imageBytes, path: "\(root)/\(imagePath)"))
      entry.item.objects = try truth(maskBytes, path: "\(root)/\(maskPath)", of: entry.item).count
      return (entry, digests)
    }
    var digests = FileDigests()
    for one in inspected { digests.add(contentsOf: one.1) }
    let entries = inspected.map(\.0)
    return Inspection(
      training: entries.filter { $0.item.part == .training }, test: entries.filter { $0.item.part == .test }, digest: digests.combined)
  }

  public func image(_ item: DatasetItem) throws -> DecodedImage {
    let path = self.path("images", item)
    return try decode(Disk.bytes(of: path), path: path)
  }

  public func truth(_ item: DatasetItem) throws -> Truth {
    let path = self.path("masks", item)
    return try truth(Disk.bytes(of: path), path: path, of: item)
  }

  /// What an item's id leaves off its file's name.
  private static let endings = [".png", ".PNG", ".Png"]

  private func names(_ prefix: String) throws -> [String] {
    let folder = "\(root)/\(prefix)images"
    guard prefix.isEmpty || Disk.kind(folder) == .folder else { return [] }
    let names = try Disk.listPNG(folder)
    if prefix.isEmpty && names.isEmpty { throw UserError.missing(folder, "no PNG file in it") }
    try requirePNG(folder)
    if let odd = names.first(where: { !Self.endings.contains(String($0.suffix(4))) }) {
      throw UserError.damaged("\(folder)/\(odd)", "its name ends in none of \(Self.endings.joined(separator: ", "))")
    }
    var ids: Set<Substring> = []
    if let second = names.first(where: { !ids.insert($0.dropLast(4)).inserted }) {
      throw UserError.damaged("\(folder)/\(second)", "another image beside it has the same name up to upper and lower case")
    }
    return names
  }

  /// A mask whose image is missing, or is no PNG file, would else be left out without a word.
  private func requireImages(ofMasks prefix: String, _ images: [String]) throws {
    let folder = "\(root)/\(prefix)masks"
    guard Disk.kind(folder) == .folder else { return }
    try requirePNG(folder)
    let known = Set(images), lone = try Disk.listPNG(folder).filter { !known.contains($0) }
    guard let first = lone.first else { return }
    throw UserError.missing(
      "\(folder)/\(first)", "mask without an image: no file \(prefix)images/\(first)" + (lone.count > 1 ? ", and \(lone.count - 1) more" : ""),
      hints: ["images and masks are PNG files of the same names"])
  }

  /// Among PNG files, images of other kinds would be left out without a word.
  private func requirePNG(_ folder: String) throws {
    let others = [".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".gif"]
    if let other = try Disk.list(folder).first(where: { name in others.contains { name.lowercased().hasSuffix($0) } }) {
      throw UserError.damaged("\(folder)/\(other)", "no PNG file; images and masks of a folder are PNG files")
    }
  }

  /// Positions of the test images. Not a function of the trial's seed: trials of different seeds are judged on the same images.
  private func drawTest(_ count: Int) -> Set<Int> {
    var random = CounterRandom(seed: 0, purpose: .split)
    let kept = min(max(1, Int((settings.testFraction * Double(count)).rounded())), count - 1)
    return Set(random.permutation(count).prefix(kept))
  }

  /// A test item is in `test/` where that exists, among the others where not.
  private func path(_ kind: String, _ item: DatasetItem) -> String {
    let prefix = item.part == .test && Disk.kind("\(root)/test") == .folder ? "test/" : ""
    let path = "\(root)/\(prefix)\(kind)/\(item.id)"
    return Self.endings.map { path + $0 }.first { Disk.kind($0) == .file } ?? path + Self.endings[0]
  }

  private func truth(_ bytes: [UInt8], path: String, of item: DatasetItem) throws -> Truth {
    let image = try decode(bytes, path: path)
    try requireSize(image.height, image.width, of: item, path: path)
    guard image.isGray else { throw UserError.damaged(path, "mask in colour; expected: a grey PNG, binary or with a label a pixel") }
    return try Truth(readFrom: image.labels, path: path)
  }
}
