import CZlib
import Diagnostics
import Files
import Foundation
import Imaging

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The file of a `PatchStore`, little-endian:
///
///     0  "NUCPATCH"   8  version   12  CRC-32 of all that follows   16  side   20  count   24  bytes of the index
///     32  index (JSON: sources, patches), zeros up to a multiple of 4096
///         images [count, side, side], 16 bits     masks [count, side, side], 8 bits
extension PatchStore {
  private static let magic: [UInt8] = Array("NUCPATCH".utf8)
  private static let version: UInt32 = 1
  private static let headerBytes = 32

  private struct Index: Codable {
    var sources: [Source]
    var patches: [Patch]
  }

  /// Writes the store whole or not at all. Throws `UserError` (exit 5).
  public func save(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var index = [UInt8](try encoder.encode(Index(sources: sources, patches: patches)))
    let indexBytes = index.count
    index += [UInt8](repeating: 0, count: Self.imagesOffset(indexBytes: indexBytes) - Self.headerBytes - indexBytes)
    var tail: [UInt8] = []
    for value in [size, count, indexBytes, 0] { tail += Self.bytes(UInt32(value)) }

    try DurableFile.write(to: path) { file in
      var sum: UInt = 0
      func put(_ bytes: UnsafeRawBufferPointer) throws {
        sum = Self.checksum(bytes, sum)
        try file.append(bytes)
      }
      // The checksum is known only at the end; its place is written last.
      try (Self.magic + Self.bytes(Self.version) + Self.bytes(0)).withUnsafeBytes { try file.append($0) }
      try tail.withUnsafeBytes(put)
      try index.withUnsafeBytes(put)
      for i in patches.indices { try put(UnsafeRawBufferPointer(imageValues(i))) }
      for i in patches.indices { try put(UnsafeRawBufferPointer(maskValues(i))) }
      try Self.bytes(UInt32(sum)).withUnsafeBytes { try file.replace(at: 12, with: $0) }
    }
  }

  /// Maps a saved store. Throws `UserError`: exit 5 where it cannot be read, exit 6 where it is damaged.
  public init(contentsOf path: String) throws {
    let storage = try MappedMemory(mapping: path)
    let all = UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount)
    func damaged(_ message: String) -> UserError { .damaged(path, "damaged patch file: \(message)") }
    guard all.count >= Self.headerBytes, all.prefix(8).elementsEqual(Self.magic) else { throw damaged("no patches") }
    func word(_ at: Int) -> UInt32 { UInt32(littleEndian: all.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
    guard word(8) == Self.version else { throw damaged("version \(word(8)), expected \(Self.version)") }
    let (size, count, indexBytes) = (Int(word(16)), Int(word(20)), Int(word(24)))
    let images = Self.imagesOffset(indexBytes: indexBytes)
    // Without a product of three numbers that a damaged file may make overflow.
    let bytes = all.count - images
    guard 1...(1 << 16) ~= size, bytes >= 0, bytes % (3 * size * size) == 0, bytes / (3 * size * size) == count else { throw damaged("\(all.count) bytes are not \(count) patches of \(size) × \(size)") }
    guard Self.checksum(UnsafeRawBufferPointer(rebasing: all[16...]), 0) == UInt(word(12)) else { throw damaged("wrong checksum") }
    storage.release(all)
    guard let index = try? JSONDecoder().decode(Index.self, from: Data(all[Self.headerBytes..<(Self.headerBytes + indexBytes)])),
      index.patches.count == count, index.patches.allSatisfy({ index.sources.indices.contains($0.source) && $0.origin.y >= 0 && $0.origin.x >= 0 }),
      index.sources.allSatisfy({ (1...PNG.maximumSide).contains($0.height) && (1...PNG.maximumSide).contains($0.width) })
    else { throw damaged("its index cannot be read") }
    self.init(
      size: size, sources: index.sources, patches: index.patches, storage: storage, slots: Array(0..<count), imagesOffset: images,
      masksOffset: images + 2 * count * size * size)
  }

  /// Images begin on a page.
  private static func imagesOffset(indexBytes: Int) -> Int { (headerBytes + indexBytes + 4095) / 4096 * 4096 }

  private static func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) } }

  private static func checksum(_ bytes: UnsafeRawBufferPointer, _ start: UInt) -> UInt {
    var sum = start, rest = bytes[...]
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 26))
      sum = crc32(sum, part.baseAddress?.assumingMemoryBound(to: UInt8.self), uInt(part.count))
      rest = rest.dropFirst(part.count)
    }
    return sum
  }
}
