import CZlib
import Diagnostics

/// The files of a zip archive: stored or deflated, checked against their checksums. Archives of the zip64 kind, split or encrypted ones are refused.
///
/// Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.16 (its end).
struct ZipArchive: Sendable {
  struct Entry: Sendable {
    /// Relative, without `.` and `..`; folders' entries are left out.
    var path: String
    var size: Int
    fileprivate var method: Int
    fileprivate var compressedSize: Int
    fileprivate var checksum: UInt
    fileprivate var headerOffset: Int
  }

  /// No file of such a set is near this size; a claim above it is not believed (bytes).
  static let maximumFile = 1 << 30

  let path: String
  let entries: [Entry]
  private let file: MappedMemory

  /// Reads the central directory. Throws `UserError`: exit 5 where the file cannot be read, exit 6 where it is no zip archive,
  /// ends early, or holds a name that would lead out of the folder it is unpacked into.
  init(path: String) throws {
    self.path = path
    file = try MappedMemory(mapping: path)
    let reader = Reader(bytes: UnsafeRawBufferPointer(start: file.base, count: file.byteCount), path: path)

    // The end record is the last thing but for a comment of up to 65,535 bytes.
    let last = file.byteCount - 22
    guard last >= 0, let end = stride(from: last, through: max(0, last - 65_535), by: -1).first(where: { reader.word($0) == 0x0605_4B50 }) else {
      throw UserError.damaged(path, "not a zip archive, or it ends early")
    }
    let (count, directory) = (reader.half(end + 10), reader.word(end + 16))
    guard reader.half(end + 4) == 0, reader.half(end + 8) == count, count != 0xFFFF, directory != 0xFFFF_FFFF else {
      throw UserError.damaged(path, "a split or zip64 archive, which is not read")
    }
    var entries: [Entry] = [], names: Set<[UInt8]> = [], position = directory
    for _ in 0..<count {
      try reader.require(position, 46)
      guard reader.word(position) == 0x0201_4B50 else { throw UserError.damaged(path, "damaged central directory at byte \(position)") }
      let lengths = (name: reader.half(position + 28), extra: reader.half(position + 30), comment: reader.half(position + 32))
      try reader.require(position + 46, lengths.name)
      let name = String(decoding: reader.bytes[(position + 46)..<(position + 46 + lengths.name)], as: UTF8.self)
      let entry = Entry(
        path: name, size: reader.word(position + 24), method: reader.half(position + 10), compressedSize: reader.word(position + 20),
        checksum: UInt(reader.word(position + 16)), headerOffset: reader.word(position + 42))
      let (flags, unixMode) = (reader.half(position + 8), reader.half(position + 40))
      position += 46 + lengths.name + lengths.extra + lengths.comment
      func refuse(_ reason: String) -> UserError { UserError.damaged(path, "\(name.debugDescription): \(reason)") }
      // By bytes, as the system takes names: to Swift a slash and an accent behind it are one character.
      let bytes = Array(name.utf8), slash = UInt8(ascii: "/")
      let parts = bytes.split(separator: slash, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
      let isFolder = bytes.last == slash
      guard !bytes.contains(UInt8(ascii: "\\")), !bytes.contains(0), !(isFolder ? parts.dropLast() : parts).contains(where: { ["", ".", ".."].contains($0) })
      else { throw refuse("a name that leads out of the folder") }
      if isFolder { continue }
      guard unixMode & 0o170000 != 0o120000 else { throw refuse("a symbolic link") }
      guard flags & 1 == 0 else { throw refuse("encrypted") }
      guard entry.method == 0 || entry.method == 8 else { throw refuse("compressed by method \(entry.method), which is not read") }
      guard entry.size <= Self.maximumFile else { throw refuse("claims \(entry.size) bytes") }
      guard names.insert(bytes).inserted else { throw refuse("stands twice") }
      entries.append(entry)
    }
    self.entries = entries
  }

  /// An entry's contents. Throws `UserError` (exit 6) where they are damaged.
  func contents(_ entry: Entry) throws -> [UInt8] {
    let reader = Reader(bytes: UnsafeRawBufferPointer(start: file.base, count: file.byteCount), path: path)
    func damaged(_ reason: String) -> UserError { UserError.damaged(path, "\(entry.path): \(reason)") }
    try reader.require(entry.headerOffset, 30)
    guard reader.word(entry.headerOffset) == 0x0403_4B50 else { throw damaged("damaged header") }
    let start = entry.headerOffset + 30 + reader.half(entry.headerOffset + 26) + reader.half(entry.headerOffset + 28)
    try reader.require(start, entry.compressedSize)
    let packed = UnsafeRawBufferPointer(rebasing: reader.bytes[start..<(start + entry.compressedSize)])
    guard let bytes = entry.method == 0 ? (packed.count == entry.size ? Array(packed) : nil) : Self.inflate(packed, size: entry.size) else {
      throw damaged("damaged contents")
    }
    let sum = bytes.withUnsafeBufferPointer { crc32(0, $0.baseAddress, uInt($0.count)) }
    guard sum == entry.checksum || bytes.isEmpty else { throw damaged("wrong checksum") }
    return bytes
  }

  /// A raw deflate stream of exactly `size` bytes; nil for any other.
  private static func inflate(_ packed: UnsafeRawBufferPointer, size: Int) -> [UInt8]? {
    var stream = z_stream()
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    var status = Z_OK
    // One byte more than is claimed, so that a longer stream is seen; and never a null pointer, which zlib refuses.
    let bytes = [UInt8](unsafeUninitializedCapacity: size + 1) { out, count in
      stream.next_in = UnsafeMutablePointer(mutating: packed.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.avail_in = uInt(packed.count)
      stream.next_out = out.baseAddress
      stream.avail_out = uInt(size + 1)
      status = CZlib.inflate(&stream, Z_FINISH)
      count = size + 1 - Int(stream.avail_out)
    }
    return status == Z_STREAM_END && bytes.count == size ? bytes : nil
  }

  /// Little-endian numbers of the file.
  private struct Reader {
    var bytes: UnsafeRawBufferPointer
    var path: String

    func half(_ at: Int) -> Int { Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))) }
    func word(_ at: Int) -> Int { Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))) }

    func require(_ at: Int, _ count: Int) throws {
      guard at + count <= bytes.count else { throw UserError.damaged(path, "zip archive ends early, after \(bytes.count) bytes") }
    }
  }
}
