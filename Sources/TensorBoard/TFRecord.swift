/// TensorFlow's framing of records in a file: length, its checksum, the bytes, their checksum, all little-endian
/// (tensorflow/core/lib/io/record_writer.h).
enum TFRecord {
  static func framed(_ bytes: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(bytes.count))
    return length + littleEndian(masked(crc32c(length))) + bytes + littleEndian(masked(crc32c(bytes)))
  }

  /// A checksum of data that holds checksums is weak; so they are stored turned and shifted (tensorflow/core/lib/hash/crc32c.h).
  static func masked(_ crc: UInt32) -> UInt32 { (crc >> 15 | crc << 17) &+ 0xa282_ead8 }

  /// CRC-32C (Castagnoli; RFC 3720, appendix B.4): zlib's has another polynomial.
  static func crc32c(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crc, byte in crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
  }

  /// The remainders of all bytes by the polynomial 0x1EDC6F41, bits reflected.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
  }

  private static func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}
