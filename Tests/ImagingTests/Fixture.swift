import Diagnostics
import Foundation
import Testing

/// Stored numbers from outside, under `Fixtures`.
enum Fixture {
  static func url(_ path: String) -> URL {
    Bundle.module.url(forResource: "Fixtures", withExtension: nil)!.appendingPathComponent(path)
  }

  static func bytes(_ path: String) -> [UInt8] { [UInt8](try! Data(contentsOf: url(path))) }

  static func json<Value: Decodable>(_ path: String, as type: Value.Type = Value.self) -> Value {
    try! JSONDecoder().decode(type, from: Data(contentsOf: url(path)))
  }
}

/// The message and exit code of the `UserError` that `body` throws; fails the test where it throws none.
func userError(_ body: () throws -> Void, sourceLocation: Testing.SourceLocation = #_sourceLocation) -> (message: String, exit: ExitCode)? {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let error as UserError {
    #expect(error.diagnostics.count == 1, sourceLocation: sourceLocation)
    return (error.diagnostics[0].message, error.exitCode)
  } catch {
    Issue.record("not a UserError: \(error)", sourceLocation: sourceLocation)
  }
  return nil
}

/// A folder of its own that is gone afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("imaging-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}
