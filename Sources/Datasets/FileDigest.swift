import Crypto

/// Names and SHA-256 of files, and the one digest over them all.
struct FileDigests: Sendable {
  /// Relative path and hexadecimal SHA-256.
  private(set) var files: [(path: String, digest: String)] = []

  mutating func add(_ bytes: [UInt8], path: String) { files.append((path, Self.sha256(bytes))) }
  mutating func add(contentsOf other: FileDigests) { files += other.files }

  /// SHA-256 of the lines `sha256sum` would print, sorted by path. Hashing files apart lets several threads do it.
  var combined: String {
    let sorted = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    return Self.sha256(Array(sorted.map { "\($0.digest)  \($0.path)\n" }.joined().utf8))
  }

  static func sha256(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: SHA256.hash(data: bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
