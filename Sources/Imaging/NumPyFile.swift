import Files

/// NumPy's `.npy`: a header of text and the values (format version 1.0, numpy/lib/format.py).
public enum NumPyFile {
  /// Writes `[height, width]` as 32-bit floats, whole or not at all. Throws `UserError` (exit 5).
  public static func write(_ image: GrayImage, to path: String) throws {
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(image.height), \(image.width)), }"
    // The values begin at a multiple of 64 bytes; the header ends in a line break.
    let preamble = 10
    header += String(repeating: " ", count: (64 - (preamble + header.utf8.count + 1) % 64) % 64) + "\n"
    var bytes: [UInt8] = [0x93] + "NUMPY".utf8 + [1, 0, UInt8(header.utf8.count & 0xFF), UInt8(header.utf8.count >> 8)] + header.utf8
    bytes.reserveCapacity(bytes.count + 4 * image.pixels.count)
    image.pixels.withUnsafeBytes { bytes.append(contentsOf: $0) }
    try DurableFile.write(bytes, to: path)
  }
}
