import Diagnostics

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Image files by what they are, whatever they are called.
public enum ImageFile {
  /// Endings of the names by which images are found in a folder.
  public static let endings = ["png", "tif", "tiff"]

  /// Reads a PNG or TIFF file. Throws `UserError` (exit 5), `<path>: …`, where it is neither or damaged.
  public static func read(path: String) throws -> DecodedImage { try isTIFF(path) ? TIFF.read(path: path) : PNG.read(path: path) }

  /// Sides in pixels as the header states them. Throws as `read`, but for damage behind the header.
  public static func size(path: String) throws -> (height: Int, width: Int) { try isTIFF(path) ? TIFF.size(path: path) : PNG.size(path: path) }

  /// By its first bytes: `II*\0` and `MM\0*`, and `II+\0` and `MM\0+` of files beyond 4 GB.
  private static func isTIFF(_ path: String) throws -> Bool {
    guard let file = fopen(path, "rb") else { throw failure(path) }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4)
    let count = fread(&bytes, 1, 4, file)
    if ferror(file) != 0 { throw failure(path) }
    if count == 0 { throw UserError("\(path): empty file", exitCode: .inputOrOutputFailed) }
    let order = bytes[0..<2], version = bytes[0] == 0x49 ? bytes[2..<4] : bytes[2..<4].reversed()[...]
    return (order == [0x49, 0x49] || order == [0x4D, 0x4D]) && (version == [42, 0] || version == [43, 0])
  }

  private static func failure(_ path: String) -> UserError {
    UserError("\(path): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed)
  }
}
