import Files

/// NumPy's `.npy`: a header of text and the values (format version 1.0, numpy/lib/format.py).
public enum NumPyFile {
  /// Writes `[height, width]` as 32-bit floats, whole or not at all. Throws `UserError` (exit 5).
  public static func write(_ image: GrayImage, to path: String) throws {
    try DurableFile.write(bytes(image.pixels, shape: [image.height, image.width]), to: path)
  }

  /// The file of `values` as 32-bit floats in this shape, the last axis dense.
  public static func bytes(_ values: [Float], shape: [Int]) -> [UInt8] {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values are not \(shape)")
    let sides = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(sides)), }"
    // The values begin at a multiple of 64 bytes; the header ends in a line break.
    let preamble = 10
    header += String(repeating: " ", count: (64 - (preamble + header.utf8.count + 1) % 64) % 64) + "\n"
    var bytes: [UInt8] = [0x93] + "NUMPY".utf8 + [1, 0, UInt8(header.utf8.count & 0xFF), UInt8(header.utf8.count >> 8)] + header.utf8
    bytes.reserveCapacity(bytes.count + 4 * values.count)
    values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    return bytes
  }
}
