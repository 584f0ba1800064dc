import Foundation

/// A file that is written again and again, and beside it the one before: should the newer turn out damaged, a good one is left.
public struct TwoGenerations: Sendable {
  public let newest: String
  public var previous: String { newest + ".previous" }

  public init(_ path: String) { newest = path }

  /// Newest first; among them any of which the system cannot tell.
  public var present: [String] { [newest, previous].filter { !DurableFile.isMissing($0) } }

  /// The old newest becomes the previous one, once the new one is on the disk.
  /// - Throws: `UserError` (exit 5); both files are then there as they were, or the newest under the previous one's name.
  public func write(_ body: (OpenFile) throws -> Void) throws { try DurableFile.write(to: newest, keepingOldAs: previous, body) }

  /// - Throws: `UserError` (exit 5).
  public func remove() throws { for path in [newest, previous] { try DurableFile.remove(path) } }
}
