import CLibTIFF
import Diagnostics
import Files

/// Reading TIFF files through libtiff, which is looked for when the first one is read; writing labels beyond 16 bits.
public enum TIFF {
  /// The library in use, e.g. `libtiff.so.6`; nil where none is installed.
  public static var library: String? { clibtiff_library().map { String(cString: $0) } }

  /// Reads one image of 8 or 16 bits, grey or RGB, with or without alpha.
  ///
  /// Throws `UserError` (exit 5), `<path>: …`, where libtiff is not installed and where the file is missing, damaged, or of another kind.
  public static func read(path: String) throws -> DecodedImage { try read(path, CLIBTIFF_IMAGE) }

  private static func read(_ path: String, _ kind: clibtiff_kind) throws -> DecodedImage {
    try open(path, kind) { reader, info, message in
      var failed = false
      let count = Int(info.width) * Int(info.height) * Int(info.channels)
      let samples = [UInt16](unsafeUninitializedCapacity: count) { out, initialized in
        failed = clibtiff_read(reader, out.baseAddress!, message) != 0
        initialized = failed ? 0 : count
      }
      if failed { return nil }
      return DecodedImage(
        width: Int(info.width), height: Int(info.height), channels: Int(info.channels), bitDepth: Int(info.bit_depth), samples: samples)
    }
  }

  /// Reads a grey image's values as labels, of 32 bits too (what `write` makes). Throws as `read`, and where a label is beyond 2³¹ − 1.
  public static func readLabels(path: String) throws -> LabelImage {
    let wide = try open(path, CLIBTIFF_LABELS) { reader, info, message -> LabelImage?? in
      guard info.bit_depth == 32 else { return .some(nil) }
      var failed = false
      let count = Int(info.width) * Int(info.height)
      let values = [UInt32](unsafeUninitializedCapacity: count) { out, initialized in
        failed = clibtiff_read(reader, out.baseAddress!, message) != 0
        initialized = failed ? 0 : count
      }
      if failed { return nil }
      return LabelImage(width: Int(info.width), height: Int(info.height), pixels: values.map { Int32(exactly: $0) ?? -1 })
    }
    guard let wide else { return try read(path, CLIBTIFF_LABELS).grayLabels(path: path) }
    if wide.pixels.contains(-1) { throw UserError("\(path): labels beyond 2147483647", exitCode: .inputOrOutputFailed) }
    return wide
  }

  /// What the header says, without the samples. Throws as `read`.
  public static func size(path: String) throws -> (height: Int, width: Int) {
    try open(path, CLIBTIFF_IMAGE) { _, info, _ in (height: Int(info.height), width: Int(info.width)) }
  }

  private static func open<Result>(
    _ path: String, _ kind: clibtiff_kind, _ body: (OpaquePointer, clibtiff_info, UnsafeMutablePointer<CChar>) -> Result?
  ) throws -> Result {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLIBTIFF_MESSAGE)) { message in
      message.initialize(repeating: 0)
      var info = clibtiff_info()
      if let reader = clibtiff_open(path, kind, UInt32(PNG.maximumSide), UInt64(PNG.maximumPixels), &info, message.baseAddress!) {
        defer { clibtiff_close(reader) }
        if let result = body(reader, info, message.baseAddress!) { return result }
      }
      throw UserError("\(path): \(String(cString: message.baseAddress!))", exitCode: .inputOrOutputFailed)
    }
  }

  /// Labels as an uncompressed 32-bit grey image in one strip (TIFF 6.0, a baseline file but for its bits), whole or not at all.
  ///
  /// Throws `UserError` (exit 5).
  public static func write(_ labels: LabelImage, to path: String) throws {
    var file: [UInt8] = []
    func put(_ values: [Int], bytes: Int) { for value in values { for byte in 0..<bytes { file.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) } } }
    let header = 8, entries: [(tag: Int, value: Int)] = [
      (256, labels.width), (257, labels.height), (258, 32), (259, 1), (262, 1), (273, 0), (277, 1), (278, labels.height), (279, 4 * labels.pixels.count),
      (339, 1),
    ]
    let directory = 2 + 12 * entries.count + 4
    file.reserveCapacity(header + directory + 4 * labels.pixels.count)
    put([0x4949, 42], bytes: 2)
    put([header], bytes: 4)
    put([entries.count], bytes: 2)
    for (tag, value) in entries {
      put([tag, 4], bytes: 2)  // one 32-bit number
      put([1, tag == 273 ? header + directory : value], bytes: 4)
    }
    put([0], bytes: 4)
    labels.pixels.withUnsafeBufferPointer { for label in $0 { withUnsafeBytes(of: label.littleEndian) { file.append(contentsOf: $0) } } }
    try DurableFile.write(file, to: path)
  }
}
