import Diagnostics
import Imaging

/// Truth, or anyone's prediction, without its images: a contest's solution table, or a folder of masks or label images.
public struct Annotations: Sendable {
  /// Of all images, in byte order.
  public let ids: [String]
  private let load: @Sendable (String) throws -> Truth

  /// - Parameter path: a file like `stage1_solution.csv`; a folder of `<id>.png` or `.tif` (binary masks, or a label a pixel); or a folder of
  ///   `<id>/masks/*.png`, one object a file.
  /// - Throws: `UserError`: exit 5 where there is none of these, exit 6 where the table is damaged.
  public init(_ path: String) throws {
    switch Disk.kind(path) {
    case .nothing: throw UserError.missing(path, "no such file or folder")
    case .file:
      let solution = try Solution(bytes: Disk.bytes(of: path), path: path)
      let sizes = Dictionary(solution.nuclei.map { ($0.image, (height: $0.height, width: $0.width)) }, uniquingKeysWith: { first, _ in first })
      ids = Self.sorted(sizes.keys)
      load = { id in try solution.truth(DatasetItem(id: id, part: .test, height: sizes[id]!.height, width: sizes[id]!.width, objects: 0)) }
    case .folder:
      let names = try Disk.list(path)
      let folders = names.filter { Disk.kind("\(path)/\($0)/masks") == .folder }
      if folders.isEmpty {
        let files = ImageFile.endings.flatMap { ending in names.filter { $0.lowercased().hasSuffix(".\(ending)") && $0.utf8.count > ending.utf8.count + 1 } }
        if files.isEmpty {
          throw UserError.missing(path, "neither masks (<id>.png, <id>.tif) nor folders of masks (<id>/masks/*.png) in it")
        }
        let file = Dictionary(files.map { (String($0[..<$0.lastIndex(of: ".")!]), $0) }, uniquingKeysWith: { first, _ in first })
        ids = Self.sorted(file.keys)
        load = { id in try Self.objects(in: "\(path)/\(file[id]!)") }
      } else {
        ids = folders
        load = { id in try Self.union(of: "\(path)/\(id)/masks") }
      }
    }
  }

  /// Throws `UserError` with the file at fault.
  public func truth(_ id: String) throws -> Truth {
    precondition(ids.contains(id), "no annotations of \(id)")
    return try load(id)
  }

  private static func sorted(_ ids: some Collection<String>) -> [String] { ids.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

  private static func objects(in path: String) throws -> Truth { try Truth(readFrom: ImageFile.readLabels(path: path), path: path) }

  private static func union(of folder: String) throws -> Truth {
    var labels: LabelImage?
    let names = try Disk.listPNG(folder)
    for (index, name) in names.enumerated() {
      let mask = try ImageFile.readLabels(path: "\(folder)/\(name)")
      var sum = labels ?? LabelImage(width: mask.width, height: mask.height, repeating: 0)
      guard sum.width == mask.width, sum.height == mask.height else {
        throw UserError.damaged("\(folder)/\(name)", "\(mask.width) × \(mask.height) pixels; the masks before it have \(sum.width) × \(sum.height)")
      }
      for i in mask.pixels.indices where mask.pixels[i] != 0 && sum.pixels[i] == 0 { sum.pixels[i] = Int32(index + 1) }
      labels = sum
    }
    guard let labels else { throw UserError.missing(folder, "no PNG file in it") }
    return Truth(labels: labels, count: names.count)
  }
}
