import Diagnostics

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The few file calls that are made tens of thousands of times, without Foundation between.
enum Disk {
  /// The whole file. Throws `UserError` (exit 5), `<path>: …`.
  static func bytes(of path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)  // a pipe would else be waited for
    guard file >= 0 else { throw failure(path) }
    defer { close(file) }
    var info = stat()
    guard fstat(file, &info) == 0 else { throw failure(path) }
    guard info.st_mode & S_IFMT == S_IFREG else { throw UserError.missing(path, "not a file") }
    var fault: Int32 = 0
    let size = Int(info.st_size)
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size {
        let got = read(file, buffer.baseAddress! + count, size - count)
        if got < 0 && errno == EINTR { continue }
        if got < 0 { fault = errno }
        if got <= 0 { return }
        count += got
      }
    }
    if fault != 0 { throw failure(path, fault) }
    return bytes
  }

  /// Writes a file that nobody reads yet. Throws `UserError` (exit 5).
  static func write(_ bytes: [UInt8], to path: String) throws {
    guard let file = fopen(path, "wb") else { throw failure(path) }
    var fault = fwrite(bytes, 1, bytes.count, file) == bytes.count ? 0 : errno
    if fclose(file) != 0, fault == 0 { fault = errno }
    if fault != 0 { throw failure(path, fault) }
  }

  /// Bytes; nil where there is no file.
  static func size(_ path: String) -> Int? {
    var info = stat()
    return stat(path, &info) == 0 ? Int(info.st_size) : nil
  }

  /// Takes a lock that ends with the process or with closing the descriptor. Throws `UserError` (exit 4), `<path>: <busy>`, where it is taken.
  static func lock(_ path: String, busy: String) throws -> Int32 {
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw failure(path) }
    if flock(file, LOCK_EX | LOCK_NB) != 0 {
      defer { close(file) }
      throw errno == EWOULDBLOCK ? UserError("\(path): \(busy)", exitCode: .locked) : failure(path)
    }
    return file
  }

  enum Kind { case file, folder, nothing }

  static func kind(_ path: String) -> Kind {
    var info = stat()
    guard stat(path, &info) == 0 else { return .nothing }
    return info.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }

  /// Names in a folder, sorted by their UTF-8 bytes, so that the order depends on no locale; hidden names (`.DS_Store`, `._x.png`) are left out.
  static func list(_ folder: String) throws -> [String] {
    guard let stream = opendir(folder) else { throw failure(folder) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The PNG files of a folder, sorted.
  static func listPNG(_ folder: String) throws -> [String] {
    try list(folder).filter { $0.utf8.count > 4 && $0.suffix(4).lowercased() == ".png" }
  }

  static func failure(_ path: String, _ number: Int32 = errno) -> UserError {
    UserError.missing(path, String(cString: strerror(number)))
  }
}
