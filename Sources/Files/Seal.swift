import Crypto
import Foundation

/// A SHA-256 inside the text that it covers: 64 hexadecimal digits after `"sha256"`, computed as if they were zeros. Any byte that is flipped,
/// missing or added after the seal was set is found, those of the digits included.
public enum Seal {
  /// What an encoder writes where the seal is to stand.
  public static let open = String(repeating: "0", count: 64)

  /// `text` with its first seal closed, whatever stood in it; nil where it has none.
  public static func closed(_ text: Data) -> Data? {
    guard let place = digits(in: text) else { return nil }
    var closed = text
    closed.replaceSubrange(place, with: Data(open.utf8))
    closed.replaceSubrange(place, with: hash(closed))
    return closed
  }

  /// The same for a text that was encoded with an open seal.
  public static func close(_ text: Data) -> Data {
    guard let closed = closed(text) else { preconditionFailure("nothing to close: no \"sha256\" with 64 digits") }
    return closed
  }

  /// Whether `text` is as it was when its seal was closed; false where it has none.
  public static func isWhole(_ text: Data) -> Bool { closed(text) == text }

  /// SHA-256 in lower-case hexadecimal digits.
  public static func hash(_ bytes: Data) -> Data {
    let digits = Array("0123456789abcdef".utf8)
    return Data(SHA256.hash(data: bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  private static func digits(in text: Data) -> Range<Data.Index>? {
    for opening in ["\"sha256\":\"", "\"sha256\" : \""] {
      // With its colon it is a key: no text inside the file can pass for it.
      guard let key = text.firstRange(of: Data(opening.utf8)), text.endIndex - key.upperBound >= 64 else { continue }
      return key.upperBound..<key.upperBound + 64
    }
    return nil
  }
}
