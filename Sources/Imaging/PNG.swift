import CLibPNG
import Diagnostics
import Files

/// Reading and writing PNG files through libpng.
public enum PNG {
  /// Longest side that is read, pixels.
  public static let maximumSide = 16_384
  /// Most pixels that are read.
  public static let maximumPixels = 1 << 28

  /// Reads a file of any colour type, 1–16 bits, interlaced or not.
  ///
  /// Throws `UserError` (exit 5), `<path>: …`, where the file is missing, is no PNG, ends early, has a wrong checksum, or claims more
  /// than `maximumSide` or `maximumPixels`.
  public static func read(path: String) throws -> DecodedImage {
    try decode(name: path) { clibpng_open(path, nil, 0, UInt32(maximumSide), UInt64(maximumPixels), $0, $1) }
  }

  /// Decodes a PNG file's bytes; `name` is what the error calls them.
  public static func decode(_ bytes: [UInt8], name: String) throws -> DecodedImage {
    try bytes.withUnsafeBufferPointer { b in
      try decode(name: name) { clibpng_open(nil, b.baseAddress, b.count, UInt32(maximumSide), UInt64(maximumPixels), $0, $1) }
    }
  }

  /// What a file's header says, without the samples. Throws as `read`.
  public static func size(path: String) throws -> (height: Int, width: Int) {
    try withMessage(path) { message in
      var info = clibpng_info()
      guard let reader = clibpng_open(path, nil, 0, UInt32(maximumSide), UInt64(maximumPixels), &info, message) else { return nil }
      clibpng_close(reader)
      return (height: Int(info.height), width: Int(info.width))
    }
  }

  private static func decode(
    name: String, open: (UnsafeMutablePointer<clibpng_info>, UnsafeMutablePointer<CChar>) -> OpaquePointer?
  ) throws -> DecodedImage {
    try withMessage(name) { message in
      var info = clibpng_info()
      guard let reader = open(&info, message) else { return nil }
      defer { clibpng_close(reader) }
      var failed = false
      let count = Int(info.width) * Int(info.height) * Int(info.channels)
      let samples = [UInt16](unsafeUninitializedCapacity: count) { out, initialized in
        failed = clibpng_read(reader, out.baseAddress!, message) != 0
        initialized = failed ? 0 : count
      }
      if failed { return nil }
      return DecodedImage(
        width: Int(info.width), height: Int(info.height), channels: Int(info.channels), bitDepth: Int(info.bit_depth), samples: samples)
    }
  }

  /// How much time a file's size is worth.
  public enum Compression: Sendable {
    /// For files that are kept and looked at often.
    case small
    /// A fifth more bytes; predicting 53 images, files and all, takes a third less time.
    case fast
  }

  /// 8-bit grey; values are clipped to [0, 1] and rounded to 255ths.
  public static func encode(_ image: GrayImage) throws -> [UInt8] {
    try image.pixels.map { UInt8(min(max($0, 0), 1) * 255 + 0.5) }
      .withUnsafeBytes { try encode($0, image.width, image.height, channels: 1, bitDepth: 8, .small) }
  }

  /// 8-bit grey, 0 and 255.
  public static func encode(_ mask: Mask, _ compression: Compression = .small) throws -> [UInt8] {
    try mask.pixels.map { $0 == 0 ? UInt8(0) : 255 }
      .withUnsafeBytes { try encode($0, mask.width, mask.height, channels: 1, bitDepth: 8, compression) }
  }

  /// 8-bit colour.
  public static func encode(_ image: RGBImage, _ compression: Compression = .small) throws -> [UInt8] {
    try image.pixels.withUnsafeBytes { try encode($0, image.width, image.height, channels: 3, bitDepth: 8, compression) }
  }

  /// 16-bit grey, a pixel's value its label. Throws where a label is outside 0…65,535.
  public static func encode(_ labels: LabelImage, _ compression: Compression = .small) throws -> [UInt8] {
    if let outside = labels.pixels.first(where: { !(0...65_535).contains($0) }) {
      throw UserError("label \(outside) does not fit a 16-bit image", exitCode: .inputOrOutputFailed)
    }
    return try labels.pixels.map { UInt16(truncatingIfNeeded: $0).bigEndian }
      .withUnsafeBytes { try encode($0, labels.width, labels.height, channels: 1, bitDepth: 16, compression) }
  }

  /// Writes a grey image whole or not at all: into a file beside it that is then renamed. Throws `UserError` (exit 5).
  public static func write(_ image: GrayImage, to path: String) throws { try DurableFile.write(encode(image), to: path) }
  /// Writes a mask as 0 and 255.
  public static func write(_ mask: Mask, to path: String, _ compression: Compression = .small) throws {
    try DurableFile.write(encode(mask, compression), to: path)
  }
  /// Writes an 8-bit colour image.
  public static func write(_ image: RGBImage, to path: String, _ compression: Compression = .small) throws {
    try DurableFile.write(encode(image, compression), to: path)
  }
  /// Writes labels as 16-bit grey.
  public static func write(_ labels: LabelImage, to path: String, _ compression: Compression = .small) throws {
    try DurableFile.write(encode(labels, compression), to: path)
  }

  /// The same samples give the same bytes: compression is fixed and no time is stored.
  private static func encode(
    _ rows: UnsafeRawBufferPointer, _ width: Int, _ height: Int, channels: Int, bitDepth: Int, _ compression: Compression
  ) throws -> [UInt8] {
    try withMessage("PNG \(width) × \(height)") { message in
      var bytes: UnsafeMutablePointer<UInt8>?
      var count = 0
      let failed =
        clibpng_encode(
          rows.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(width), UInt32(height), Int32(channels), Int32(bitDepth),
          compression == .fast ? 1 : 0, &bytes, &count, message) != 0
      if failed { return nil }
      defer { clibpng_free(bytes) }
      return Array(UnsafeBufferPointer(start: bytes, count: count))
    }
  }

  /// Calls `body` with room for a message; where it returns nil, throws `<name>: <message>`.
  private static func withMessage<Result>(_ name: String, _ body: (UnsafeMutablePointer<CChar>) throws -> Result?) throws -> Result {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLIBPNG_MESSAGE)) { message in
      message.initialize(repeating: 0)
      if let result = try body(message.baseAddress!) { return result }
      throw UserError("\(name): \(String(cString: message.baseAddress!))", exitCode: .inputOrOutputFailed)
    }
  }
}
