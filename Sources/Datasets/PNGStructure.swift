import CZlib
import Diagnostics

/// What a PNG file's chunks say, without decompressing it: its size, and that every chunk up to `IEND` is there with the checksum it should have.
///
/// Tens of thousands of masks are checked so before a trial starts, at the speed of reading them; decoding them all would take many times as long.
struct PNGStructure {
  var height: Int
  var width: Int

  /// Throws `UserError` (exit 6), `<path>: …`.
  init(checking bytes: [UInt8], path: String) throws {
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    guard bytes.count >= 8, bytes.starts(with: signature) else {
      throw UserError.damaged(path, bytes.isEmpty ? "empty file" : "not a PNG file")
    }
    func word(_ at: Int) -> Int { bytes[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) } }
    let IHDR = 0x4948_4452, IEND = 0x4945_4E44
    var position = 8
    var size: (height: Int, width: Int)?
    while true {
      guard position + 12 <= bytes.count, word(position) <= bytes.count - position - 12 else {
        throw UserError.damaged(path, "PNG ends early, after \(bytes.count) bytes")
      }
      let length = word(position), kind = word(position + 4)
      let sum = bytes.withUnsafeBufferPointer { crc32(0, $0.baseAddress! + position + 4, uInt(length + 4)) }
      guard Int(sum) == word(position + 8 + length) else {
        throw UserError.damaged(path, "PNG has a wrong checksum at byte \(position)")
      }
      if size == nil {
        guard kind == IHDR, length == 13 else { throw UserError.damaged(path, "PNG does not begin with its header") }
        size = (height: word(position + 12), width: word(position + 8))
      }
      if kind == IEND { break }
      position += length + 12
    }
    (height, width) = size!
    guard height > 0, width > 0 else { throw UserError.damaged(path, "PNG of \(width) × \(height) pixels") }
  }
}
