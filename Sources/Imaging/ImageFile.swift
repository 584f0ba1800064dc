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

  /// Reads a mask or label image: a PNG or TIFF file whose grey values are labels; TIFF may have 32 bits.
  ///
  /// Throws as `read`, and where it is in colour (exit 6).
  public static func readLabels(path: String) throws -> LabelImage {
    try isTIFF(path) ? TIFF.readLabels(path: path) : PNG.read(path: path).grayLabels(path: path)
  }

  /// Sides in pixels as the header states them. Throws as `read`, but for damage behind the header.
  public static func size(path: String) throws -> (height: Int, width: Int) { try isTIFF(path) ? TIFF.size(path: path) : PNG.size(path: path) }

  /// By its first bytes: `II*\0` and `MM\0*`, and `II+\0` and `MM\0+` of files beyond 4 GB.
  private static func isTIFF(_ path: String) throws -> Bool {
    // Before it is opened: a pipe would wait for somebody to write into it.
    var info = stat()
    guard stat(path, &info) == 0 else { throw failure(path) }
    let kind = info.st_mode & S_IFMT
    guard kind == S_IFREG else { throw UserError("\(path): \(kind == S_IFDIR ? "a folder" : "no file"), not an image", exitCode: .inputOrOutputFailed) }
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
