import Diagnostics
import ExperimentSpec
import Files
import Foundation

/// Brings the public images into a folder: download, unpack, verify, move into place. What is there is never half of it.
public struct Fetch: Sendable {
  public static let publicBase = "https://data.broadinstitute.org/bbbc/BBBC038/"
  private static let archives = ["stage1_train", "stage1_test"]
  private static let table = "stage1_solution.csv"

  public enum Step: Sendable, Hashable {
    /// Bytes so far, and in all where the server says so.
    case downloading(file: String, received: Int, total: Int?)
    /// Files so far, and in all.
    case unpacking(archive: String, files: Int, total: Int)
    case verifying
  }

  /// Address of the folder that holds stage1_train.zip, stage1_test.zip and stage1_solution.csv.
  public var base: String
  /// The folder to make.
  public var folder: String
  public var threads: Int
  /// Seconds before a broken connection is tried again; doubled each time.
  public var delay = 1.0

  public init(base: String = Fetch.publicBase, folder: String, threads: Int) {
    (self.base, self.folder, self.threads) = (base.hasSuffix("/") ? base : base + "/", folder, threads)
    // Work goes on beside the folder, not in it.
    while self.folder.utf8.count > 1, self.folder.hasSuffix("/") { self.folder.removeLast() }
  }

  /// An empty folder is as good as none.
  private var isThere: Bool {
    get throws { try Disk.kind(folder) == .folder && !Disk.list(folder).isEmpty }
  }

  /// Blocks until the folder is there and verified; where it is there already it is verified only. Work goes on in `<folder>.fetch`, where a later
  /// call finds what an earlier one brought. `progress` is called from several threads.
  ///
  /// Throws `UserError`: exit 5 where download or disk fail, 6 where what came is damaged, 4 where another fetch is at it.
  public func run(settings: DataSettings, progress: @escaping @Sendable (Step) -> Void) throws -> Verification {
    func verified() throws -> Verification {
      progress(.verifying)
      return try DatasetRegistry.verify(root: folder, settings: settings, threads: threads)
    }
    if Disk.kind(folder) == .file { throw UserError.missing(folder, "a file, not a folder") }
    if try isThere { return try verified() }
    guard let base = URL(string: base), ["http", "https"].contains(base.scheme ?? "") else {
      throw UserError("\(base): not an address to fetch from", exitCode: .badCommandOrSpec, hints: ["for example: --url \(Self.publicBase)"])
    }
    let work = "\(folder).fetch", unpacked = "\(work)/unpacked"
    try DurableFile.makeFolder(work)
    let lock = try Disk.lock("\(work)/lock", busy: "another fetch into this folder is running")
    defer { close(lock) }
    if try isThere { return try verified() }  // another fetch was faster

    for file in Self.archives.map({ "\($0).zip" }) + [Self.table] where Disk.kind("\(work)/\(file)") == .nothing {
      let download = Download(url: base.appendingPathComponent(file), path: "\(work)/\(file)", delay: delay)
      try download.run { progress(.downloading(file: file, received: $0, total: $1)) }
    }
    try remove(unpacked)
    for archive in Self.archives { try unpack(archive, from: "\(work)/\(archive).zip", into: "\(unpacked)/\(archive)", progress) }
    try Disk.write(Disk.bytes(of: "\(work)/\(Self.table)"), to: "\(unpacked)/\(Self.table)")
    progress(.verifying)
    let verification: Verification
    do {
      verification = try DatasetRegistry.verify(root: unpacked, settings: settings, threads: threads)
    } catch let error as UserError {
      // The archives have passed their checksums; the table has none, so it is the one to bring again.
      try remove("\(work)/\(Self.table)")
      throw error
    }
    // What stands under its name after a power failure is whole; the archives go only then.
    sync()
    guard rename(unpacked, folder) == 0 else { throw Disk.failure(folder) }
    try DurableFile.syncFolder(of: folder)
    try remove(work)
    return verification
  }

  /// The archives hold the image folders, at the top or in one folder of the archive's name.
  private func unpack(_ archive: String, from path: String, into folder: String, _ progress: @escaping @Sendable (Step) -> Void) throws {
    do {
      let zip = try ZipArchive(path: path)
      let wanted = zip.entries.filter { !$0.path.split(separator: "/").contains { $0.hasPrefix(".") || $0 == "__MACOSX" } }
      try DurableFile.makeFolder(folder)
      _ = try parallelMap(count: wanted.count, threads: threads) { i in
        let entry = wanted[i]
        let relative = entry.path.hasPrefix("\(archive)/") ? String(entry.path.dropFirst(archive.count + 1)) : entry.path
        let target = "\(folder)/\(relative)"
        try DurableFile.makeFolder(String(target[..<target.lastIndex(of: "/")!]))
        try Disk.write(zip.contents(entry), to: target)
        if i % 100 == 99 || i == wanted.count - 1 { progress(.unpacking(archive: archive, files: i + 1, total: wanted.count)) }
      }
    } catch var error as UserError where error.exitCode == .damagedData {
      try remove(path)
      error.diagnostics[0].hints.append("the damaged archive is deleted; the same command brings it again")
      throw error
    }
  }

  private func remove(_ path: String) throws {
    guard Disk.kind(path) != .nothing else { return }
    do { try FileManager.default.removeItem(atPath: path) } catch { throw UserError.missing(path, "cannot be removed: \(error.localizedDescription)") }
  }
}
