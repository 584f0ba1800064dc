import Crypto

/// SHA-256 over all that can change a job's output, cut to its first 80 bits and written as 20 hexadecimal digits:
/// short enough for a folder's name, and 10¹² jobs before a collision becomes likely.
public struct Fingerprint: Sendable, Hashable, Codable, CustomStringConvertible {
  public var description: String

  /// A fingerprint read back from a record or a folder's name.
  public init(_ text: String) { description = text }

  /// The fingerprint of `parts`, in order. Each part enters with its length, so that no two lists of parts give one text.
  public init(of parts: [String]) {
    var hash = SHA256()
    for part in parts {
      let bytes = Array(part.utf8)
      hash.update(data: Array("\(bytes.count):".utf8))
      hash.update(data: bytes)
    }
    let digits = Array("0123456789abcdef")
    description = String(hash.finalize().prefix(10).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  public init(from decoder: any Decoder) throws { description = try decoder.singleValueContainer().decode(String.self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
