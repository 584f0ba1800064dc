import Datasets
import Diagnostics
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation

/// An index with the checksum of itself.
private struct StoredIndex: Codable {
  var index: DatasetIndex
  var sha256 = Seal.open
}

/// A dataset that was found, checked and indexed.
struct OpenData: Sendable {
  var dataset: any Dataset
  var index: DatasetIndex

  /// Finds the data of `settings` and indexes it: every file is read and checked once, and never again while nothing changed in its folder.
  ///
  /// - Parameter remember: whether the index may be written to the user's cache (a plan writes nothing).
  /// - Throws: `UserError`: exit 5 where it is nowhere, exit 6 where it is damaged.
  init(_ settings: DataSettings, commandLineRoot: String?, threads: Int, remember: Bool, _ surroundings: Surroundings) throws {
    dataset = try DatasetRegistry.open(settings, commandLineRoot: commandLineRoot, environment: surroundings.environment)
    guard settings.source != .synthetic, let cache = surroundings.userCache else {
      index = try dataset.index(threads: threads)
      return
    }
    let root = try DatasetRegistry.locate(settings, commandLineRoot: commandLineRoot, environment: surroundings.environment)
    let stored = "\(cache)/index/\(try Self.signature(of: root, settings)).json"
    if let data = try? Data(contentsOf: URL(fileURLWithPath: stored)), Seal.isWhole(data),
      let known = try? JSONDecoder().decode(StoredIndex.self, from: data)
    {
      index = known.index
      return
    }
    if remember { surroundings.console.say(.message("reading and checking the data in \(root)")) }
    index = try dataset.index(threads: threads)
    if remember {
      // A cache that cannot be written costs the next run some seconds, and is no reason to fail this one.
      try? FileManager.default.createDirectory(atPath: "\(cache)/index", withIntermediateDirectories: true)
      try? DurableFile.write(Seal.close(try JSONEncoder().encode(StoredIndex(index: index))), to: stored)
    }
  }

  /// What names an index in the cache: the folder's path, each file's name, size and time of change, and the settings that choose among them.
  private static func signature(of root: String, _ settings: DataSettings) throws -> Fingerprint {
    var parts = [
      "index 2", URL(fileURLWithPath: root).standardizedFileURL.path, settings.source.rawValue, settings.selection.rawValue,
      canonicalText(settings.testFraction),
    ]
    try listFiles(root, into: &parts)
    return Fingerprint(of: parts)
  }

  /// Paths, sizes and times of all files below `folder`, in the folder's own order made fixed by sorting.
  private static func listFiles(_ folder: String, into parts: inout [String]) throws {
    guard let stream = opendir(folder) else {
      throw UserError("\(folder): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed)
    }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    closedir(stream)
    for name in names.sorted() {
      let path = "\(folder)/\(name)"
      var info = stat()
      guard stat(path, &info) == 0 else { continue }
      if info.st_mode & S_IFMT == S_IFDIR {
        try listFiles(path, into: &parts)
      } else {
        #if os(Linux)
          let time = info.st_mtim
        #else
          let time = info.st_mtimespec
        #endif
        parts.append("\(path.dropFirst(parts[1].count)) \(info.st_size) \(time.tv_sec).\(time.tv_nsec)")
      }
    }
  }

  /// The images that a trial is scored on: the test images, or the training images that its seed draws for validation.
  func scoredImages(_ settings: TrialSettings) -> [DatasetItem] {
    guard settings.evaluate.on == .validation else { return index.test }
    precondition(settings.patches.split == .image, "validation images were asked for of a split by patch, which has none")
    return settings.patches.validating(of: index.training.count, seed: settings.seed).sorted().map { index.training[$0] }
  }

  /// What the report says of the data.
  func summary(patchSize: Int) -> [LogText] {
    let settings = dataset.settings
    let patches = index.test.reduce(0) { $0 + patchOrigins(height: $1.height, width: $1.width, size: patchSize).count }
    var rows = [("source", settings.source.rawValue)]
    if settings.source != .synthetic { rows.append(("selection", settings.selection.rawValue)) }
    rows += [
      ("training images", "\(index.training.count)"), ("nuclei in them", "\(index.training.reduce(0) { $0 + $1.objects })"),
      ("test images", "\(index.test.count)"), ("nuclei in the test images", "\(index.test.reduce(0) { $0 + $1.objects })"),
      ("test patches", "\(patches)"), ("images left out", "\(index.excluded)"), ("digest (SHA-256)", index.digest),
    ]
    return rows.map { LogText(key: $0.0, value: $0.1) }
  }
}
