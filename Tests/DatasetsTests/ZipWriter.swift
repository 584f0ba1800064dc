import CZlib

/// Zip archives for tests, as the public ones are made, and made wrong.
struct ZipWriter {
  private(set) var bytes: [UInt8] = []
  private var directory: [UInt8] = []
  private var count = 0

  /// - Parameters:
  ///   - checksum: nil: the right one.
  ///   - mode: the Unix mode of the entry; 0o120777 is a symbolic link.
  mutating func add(_ name: String, _ contents: [UInt8], deflated: Bool = true, checksum: UInt32? = nil, flags: Int = 0, mode: Int = 0o100644) {
    let packed = deflated ? Self.deflate(contents) : contents
    let sum = checksum ?? UInt32(crc32(0, contents, uInt(contents.count)))
    let shared = half(20) + half(flags) + half(deflated ? 8 : 0) + half(0) + half(33) + word(Int(sum)) + word(packed.count) + word(contents.count)
      + half(name.utf8.count) + half(0)
    directory += word(0x0201_4B50) + half(0x031E) + shared + half(0) + half(0) + half(0) + word(mode << 16) + word(bytes.count) + Array(name.utf8)
    bytes += word(0x0403_4B50) + shared + Array(name.utf8) + packed
    count += 1
  }

  func finished(comment: String = "") -> [UInt8] {
    bytes + directory + word(0x0605_4B50) + half(0) + half(0) + half(count) + half(count) + word(directory.count) + word(bytes.count)
      + half(comment.utf8.count) + Array(comment.utf8)
  }

  private func half(_ value: Int) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8 & 255)] }
  private func word(_ value: Int) -> [UInt8] { half(value & 0xFFFF) + half(value >> 16 & 0xFFFF) }

  private static func deflate(_ contents: [UInt8]) -> [UInt8] {
    var stream = z_stream(), input = contents
    deflateInit2_(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    let room = Int(deflateBound(&stream, uLong(contents.count)))
    return input.withUnsafeMutableBufferPointer { input in
      [UInt8](unsafeUninitializedCapacity: room) { out, count in
        (stream.next_in, stream.avail_in) = (input.baseAddress, uInt(input.count))
        (stream.next_out, stream.avail_out) = (out.baseAddress, uInt(room))
        precondition(CZlib.deflate(&stream, Z_FINISH) == Z_STREAM_END)
        count = room - Int(stream.avail_out)
      }
    }
  }
}
