import Diagnostics
import Files
import Foundation
import Imaging
import Synchronization
import Testing

@testable import Datasets

@Suite struct FetchTests {
  /// The small set as the public download has it: archives of the image folders, and the table.
  struct Public {
    let files: [String: [UInt8]]
    let digest: String

    init() throws {
      let fixture = try KaggleFixture()
      var files = ["stage1_solution.csv": Array(KaggleFixture.solution.utf8)]
      for part in ["stage1_train", "stage1_test"] {
        var zip = ZipWriter()
        let folder = URL(fileURLWithPath: "\(fixture.root)/\(part)").resolvingSymlinksInPath().path
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() {
          if Disk.kind("\(folder)/\(path)") == .folder { zip.add("\(path)/", [], deflated: false) } else { zip.add(path, try Disk.bytes(of: "\(folder)/\(path)")) }
        }
        zip.add("__MACOSX/._a", [1])
        // What makes the archive long enough for a download to break off in.
        zip.add(".padding", (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }, deflated: false)
        files["\(part).zip"] = zip.finished(comment: "made for a test")
      }
      self.files = files
      digest = try fixture.open().inspect(threads: 1).digest
    }
  }

  let home: TemporaryFolder
  let source: Public
  var folder: String { "\(home.path)/cache/runner/dsb2018" }

  init() throws { (home, source) = (try TemporaryFolder(), try Public()) }

  func fetch(_ server: LoopbackServer, _ progress: @escaping @Sendable (Fetch.Step) -> Void = { _ in }) throws -> Verification {
    var fetch = Fetch(base: server.address, folder: folder, threads: 2)
    fetch.delay = 0.001
    return try fetch.run(settings: Sample.data(), progress: progress)
  }

  /// Only the finished folder is left, nothing beside it.
  func expectInPlace(_ found: Verification) throws {
    #expect(found.digest == source.digest && found.trainingMasks == 4 && found.testNuclei == 3)
    #expect(try Disk.list("\(home.path)/cache/runner") == ["dsb2018"])
    #expect(try Disk.list(folder) == ["stage1_solution.csv", "stage1_test", "stage1_train"])
    #expect(try Disk.list("\(folder)/stage1_train") == ["a", "b", "c"])
    #expect(try DatasetRegistry.locate(Sample.data(), commandLineRoot: nil, environment: ["XDG_CACHE_HOME": "\(home.path)/cache"]) == folder)
  }

  @Test func bringsUnpacksAndVerifies() throws {
    let server = try LoopbackServer(source.files)
    defer { server.stop() }
    let steps = Mutex<[Fetch.Step]>([])
    try expectInPlace(fetch(server) { step in steps.withLock { $0.append(step) } })
    let total = source.files["stage1_train.zip"]!.count
    steps.withLock {
      #expect($0.contains(.downloading(file: "stage1_train.zip", received: total, total: total)))
      #expect($0.contains(.unpacking(archive: "stage1_test", files: 2, total: 2)))
      #expect($0.last == .verifying)
    }
    // The folder is there: nothing is asked for again.
    let asked = server.requests.count
    #expect(asked == 3)
    #expect(try fetch(server).digest == source.digest && server.requests.count == asked)
  }

  @Test func anEmptyFolderIsFilledHoweverItIsNamed() throws {
    let server = try LoopbackServer(source.files)
    defer { server.stop() }
    try DurableFile.makeFolder(folder)
    try expectInPlace(Fetch(base: server.address, folder: folder + "/", threads: 2).run(settings: Sample.data()) { _ in })
    let file = "\(home.path)/a-file"
    try home.write([1], "a-file")
    let found = fault { try Fetch(base: server.address, folder: file, threads: 2).run(settings: Sample.data()) { _ in } }
    #expect(found.exit == .inputOrOutputFailed && found.diagnostic.message == "\(file): a file, not a folder" && server.requests.count == 3)
  }

  @Test func goesOnAfterABreak() throws {
    let server = try LoopbackServer(source.files, .init(breaks: [70_000, 50_000]))
    defer { server.stop() }
    try expectInPlace(fetch(server))
    let ranges = server.requests.filter { $0.name == "stage1_train.zip" }.map(\.range)
    #expect(ranges == [nil, 70_000, 120_000])
  }

  @Test func goesOnInALaterCall() throws {
    let server = try LoopbackServer(source.files, .init(breaks: [70_000, 0, 0, 0, 0]))
    defer { server.stop() }
    let found = fault { try fetch(server) }
    #expect(found.exit == .inputOrOutputFailed && found.diagnostic.message.contains("broke off"))
    #expect(found.diagnostic.hints == ["70000 bytes are kept; the same command goes on from there"])
    #expect(Disk.kind(folder) == .nothing)
    let asked = server.requests.count
    try expectInPlace(fetch(server))
    #expect(server.requests[asked] == .init(name: "stage1_train.zip", range: 70_000))
  }

  @Test func startsOverWhereRangesAreNotHonoured() throws {
    let server = try LoopbackServer(source.files, .init(honoursRange: false, breaks: [70_000]))
    defer { server.stop() }
    try expectInPlace(fetch(server))
    #expect(server.requests.prefix(3) == [.init(name: "stage1_train.zip"), .init(name: "stage1_train.zip", range: 70_000), .init(name: "stage1_test.zip")])
  }

  /// Another version stands on the server by the time the download goes on: halves are not joined.
  @Test func startsOverWhereTheFileHasChanged() throws {
    var old = source.files
    old["stage1_train.zip"] = [UInt8](repeating: 7, count: 90_000)
    let server = try LoopbackServer(old, .init(version: "\"old\"", breaks: [70_000, 0, 0, 0, 0]))
    defer { server.stop() }
    _ = fault { try fetch(server) }
    server.update { files, behaviour in (files, behaviour) = (source.files, .init()) }
    try expectInPlace(fetch(server))
  }

  /// The part is whole already, and the server has nothing more to send (416).
  @Test func wholePartIsTaken() throws {
    let server = try LoopbackServer(source.files)
    defer { server.stop() }
    let whole = source.files["stage1_test.zip"]!
    try home.write(whole, "cache/runner/dsb2018.fetch/stage1_test.zip.part")
    try expectInPlace(fetch(server))
    #expect(server.requests.filter { $0.name == "stage1_test.zip" } == [.init(name: "stage1_test.zip", range: whole.count)])
  }

  @Test func serverWithoutTheFiles() throws {
    let server = try LoopbackServer([:])
    defer { server.stop() }
    let found = fault { try fetch(server) }
    #expect(found.exit == .inputOrOutputFailed)
    #expect(found.diagnostic.message == "\(server.address)stage1_train.zip: the server answers 404")
    #expect(server.requests.count == 1 && Disk.kind(folder) == .nothing)
  }

  @Test func serverInTroubleIsAskedAgain() throws {
    let server = try LoopbackServer(source.files, .init(status: 503))
    defer { server.stop() }
    let found = fault { try fetch(server) }
    #expect(found.diagnostic.message.contains("503") && server.requests.count == 4)
  }

  @Test func nobodyListens() throws {
    let server = try LoopbackServer([:])
    server.stop()
    #expect(fault { try fetch(server) }.exit == .inputOrOutputFailed)
    let odd = fault { try Fetch(base: "ftp://x/", folder: folder, threads: 1).run(settings: Sample.data()) { _ in } }
    #expect(odd.exit == .badCommandOrSpec)
  }

  @Test func damagedArchiveIsBroughtAgain() throws {
    var files = source.files
    let good = files["stage1_train.zip"]!
    // In the first image's deflated bytes.
    for i in 120..<130 { files["stage1_train.zip"]![i] ^= 0x55 }
    let server = try LoopbackServer(files)
    defer { server.stop() }
    let found = fault { try fetch(server) }
    #expect(found.exit == .damagedData && found.diagnostic.message.contains("stage1_train.zip"))
    #expect(found.diagnostic.hints.last == "the damaged archive is deleted; the same command brings it again")
    #expect(Disk.kind(folder) == .nothing)
    server.update { files, _ in files["stage1_train.zip"] = good }
    try expectInPlace(fetch(server))
  }

  @Test func wholeArchivesOfDamagedDataAreNotMovedIntoPlace() throws {
    var files = source.files
    files["stage1_solution.csv"] = Array("ImageId,EncodedPixels,Height,Width\nt,1,20,10\n".utf8)
    let server = try LoopbackServer(files)
    defer { server.stop() }
    let found = fault { try fetch(server) }
    #expect(found.exit == .damagedData && found.diagnostic.location?.line == 2 && Disk.kind(folder) == .nothing)
    server.update { files, _ in files = source.files }
    let asked = server.requests.count
    try expectInPlace(fetch(server))
    #expect(server.requests.dropFirst(asked).map(\.name) == ["stage1_solution.csv"])
  }

  @Test func oneFetchAtATime() throws {
    try DurableFile.makeFolder("\(folder).fetch")
    let lock = try Disk.lock("\(folder).fetch/lock", busy: "")
    defer { close(lock) }
    let server = try LoopbackServer(source.files)
    defer { server.stop() }
    #expect(fault { try fetch(server) }.exit == .locked)
  }
}

@Suite struct ZipArchiveTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/a.zip" }
  let long = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }

  init() throws { folder = try TemporaryFolder() }

  @Test func storedDeflatedAndEmpty() throws {
    var zip = ZipWriter()
    zip.add("a/", [], deflated: false)
    zip.add("a/stored", [1, 2, 3], deflated: false)
    zip.add("a/b/deflated", long)
    zip.add("empty", [])
    try folder.write(zip.finished(comment: "PK\u{5}"), "a.zip")
    let archive = try ZipArchive(path: path)
    #expect(archive.entries.map(\.path) == ["a/stored", "a/b/deflated", "empty"])
    #expect(try archive.entries.map { try archive.contents($0) } == [[1, 2, 3], long, []])
  }

  @Test(arguments: ["../up", "a/../../up", "/etc/passwd", "a//b", "a\\..\\up", "./a", "..", "../\u{301}up"])
  func namesThatLeadOut(_ name: String) throws {
    var zip = ZipWriter()
    zip.add(name, [1])
    try folder.write(zip.finished(), "a.zip")
    let found = fault { try ZipArchive(path: path) }
    #expect(found.exit == .damagedData && found.diagnostic.message.contains("leads out of the folder"))
  }

  @Test func aNameThatStandsTwiceIsRefused() throws {
    var zip = ZipWriter()
    for byte in [1, 2] as [UInt8] { zip.add("a/b", [byte]) }
    try folder.write(zip.finished(), "a.zip")
    let found = fault { try ZipArchive(path: path) }
    #expect(found.exit == .damagedData && found.diagnostic.message.contains("stands twice"))
  }

  @Test func linksAndEncryptedFilesAreRefused() throws {
    for (flags, mode, says) in [(0, 0o120777, "symbolic link"), (1, 0o100644, "encrypted")] {
      var zip = ZipWriter()
      zip.add("a", [1], flags: flags, mode: mode)
      try folder.write(zip.finished(), "a.zip")
      #expect(fault { try ZipArchive(path: path) }.diagnostic.message.contains(says))
    }
  }

  @Test func wrongChecksum() throws {
    for deflated in [true, false] {
      var zip = ZipWriter()
      zip.add("a", [1, 2], deflated: deflated, checksum: 5)
      try folder.write(zip.finished(), "a.zip")
      let archive = try ZipArchive(path: path)
      let found = fault { try archive.contents(archive.entries[0]) }
      #expect(found.exit == .damagedData && found.diagnostic.message == "\(path): a: wrong checksum")
    }
  }

  /// Cut anywhere or with any byte changed, an archive gives an error or what was put into it, and never crashes.
  @Test func damagedAnywhere() throws {
    var zip = ZipWriter()
    zip.add("a/b", Array(long.prefix(300)))
    zip.add("c", [9, 9], deflated: false)
    let whole = zip.finished()
    func contents(_ bytes: [UInt8]) throws -> [[UInt8]]? {
      try folder.write(bytes, "a.zip")
      do {
        let archive = try ZipArchive(path: path)
        return try archive.entries.map { try archive.contents($0) }
      } catch let error as UserError {
        #expect(error.exitCode == .damagedData)
        return nil
      }
    }
    for count in 0..<whole.count { #expect(try contents(Array(whole.prefix(count))) == nil, "\(count) bytes") }
    for i in whole.indices {
      var changed = whole
      changed[i] ^= 0xFF
      if let found = try contents(changed) { #expect(found == [Array(long.prefix(300)), [9, 9]] || found.count < 2, "byte \(i)") }
    }
  }
}
