import Foundation
import Testing

@testable import TensorBoard

@Suite struct EventFileTests {
  static let steps = [
    EventFile.Step(1, time: 1_700_000_000, [.init("loss/train", 0.75), .init("penalty", 0)]),
    EventFile.Step(2, time: 1_700_000_060.5, [.init("loss/train", 0.1), .init("penalty", -1e-30)]),
  ]

  private func withFile(_ body: (EventFile, String) throws -> Void) throws {
    let path = "\(NSTemporaryDirectory())/events-\(UUID().uuidString).tfevents"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(EventFile(path: path), path)
  }
  private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  @Test func bytesAreThoseOfTensorBoardsOwnWriter() throws {
    let fixture = try #require(Bundle.module.url(forResource: "Fixtures/events", withExtension: "tfevents"))
    try withFile { file, path in
      try file.begin(with: Self.steps)
      #expect(try bytes(path) == Data(contentsOf: fixture))
    }
  }

  @Test func appendedIsTheSameAsWrittenAtOnce() throws {
    try withFile { file, path in
      try file.begin(with: Self.steps)
      let whole = try bytes(path)
      try FileManager.default.removeItem(atPath: path)
      try file.begin(with: [Self.steps[0]])
      try file.append([Self.steps[1]])
      #expect(try bytes(path) == whole)
    }
  }

  /// Wherever a kill cut the file off, whatever stands behind it: afterwards each step stands there once, and the file is the same file.
  @Test func afterAKillTheFileHoldsWhatItShall() throws {
    try withFile { file, path in
      try file.begin(with: Self.steps)
      let whole = try bytes(path), inode = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
      for length in 0...whole.count {
        for rest in [Data(), Data(repeating: 0, count: 7), whole] {
          let handle = try #require(FileHandle(forUpdatingAtPath: path))
          try handle.truncate(atOffset: 0)
          try handle.write(contentsOf: whole.prefix(length) + rest)
          try handle.close()
          try file.begin(with: Self.steps)
          #expect(try bytes(path) == whole, "cut at \(length)")
        }
      }
      #expect(try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int == inode)
    }
  }

  /// RFC 3720, appendix B.4.
  static let sums: [([UInt8], UInt32)] = [
    (Array(repeating: 0, count: 32), 0x8a91_36aa), (Array(repeating: 0xff, count: 32), 0x62a8_ab43), (Array(0..<32), 0x46dd_794e),
    ((0..<32).reversed(), 0x113f_db5c), ([], 0),
  ]

  @Test(arguments: sums) func checksums(bytes: [UInt8], sum: UInt32) { #expect(TFRecord.crc32c(bytes) == sum) }
}
