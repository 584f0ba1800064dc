import Foundation
import Testing

@testable import Datasets

@Suite struct VerificationTests {
  static let realData = ProcessInfo.processInfo.environment["RUNNER_DATA"]

  @Test(.enabled(if: realData != nil, "RUNNER_DATA is not set: the real images are not here"))
  func realImages() throws {
    let found = try DatasetRegistry.verify(root: Self.realData!, settings: Sample.data(), threads: 2)
    #expect(found.counts.map(\.value) == [670, 562, 546, 29_461, 1_752, 65, 53, 4_152, 174])
    #expect(found.isPublicSet)
    #expect(found.digest.count == 64)
  }

  @Test func smallSet() throws {
    let fixture = try KaggleFixture()
    let found = try DatasetRegistry.verify(root: fixture.root, settings: Sample.data(), threads: 2)
    #expect(!found.isPublicSet)
    #expect(found.counts.map(\.value) == [3, 2, 1, 4, 1, 2, 2, 3, 2])
    #expect(
      found.counts.map(\.name) == [
        "training_images", "training_grey", "training_used", "training_masks", "training_grid_patches", "test_images", "test_used",
        "test_nuclei", "test_patches",
      ])
  }

  /// The names scripts rely on, all of them and nothing else.
  @Test func jsonNames() throws {
    let fixture = try KaggleFixture()
    let found = try DatasetRegistry.verify(root: fixture.root, settings: Sample.data(), threads: 1)
    let coded = try JSONSerialization.jsonObject(with: JSONEncoder().encode(found)) as? [String: Any]
    #expect(Set(try #require(coded).keys) == Set(found.counts.map(\.name) + ["digest"]))
  }

  /// The digest is a function of names and contents alone, and what the shell's tools make of them.
  @Test func digest() throws {
    let one = try KaggleFixture(), other = try KaggleFixture()
    try other.folder.write("ignored", "stage1_train/.DS_Store")
    let digest = try one.open().inspect(threads: 1).digest
    #expect(try other.open().inspect(threads: 2).digest == digest)

    let shell = Process(), output = Pipe()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", "cd \"$0\" && find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum", one.root]
    shell.standardOutput = output
    try shell.run()
    let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    shell.waitUntilExit()
    #expect(printed.prefix(64) == digest)

    try other.addMask("a", "2", .init(width: 40, height: 30) { y, x in y == 29 && x == 39 })
    #expect(try other.open().inspect(threads: 2).digest != digest)
  }
}
