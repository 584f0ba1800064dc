import Foundation
import Testing

/// The program itself, as `swift test` builds it: what a user meets, parsing and exit codes included.
enum Program {
  static let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("runner").path
  static var isBuilt: Bool { FileManager.default.isExecutableFile(atPath: path) }
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  struct Outcome {
    var code: Int32
    var output: String
    var errors: String
    var errorLines: [Substring] { errors.split(separator: "\n") }
  }

  /// Runs it, or another program.
  ///
  /// - Parameter environment: beside PATH; nothing else is passed on, so that no model or data of the machine's is found.
  static func run(_ arguments: [String], program: String = path, in folder: String = "/", environment: [String: String] = [:]) throws -> Outcome {
    let process = Process(), output = Pipe(), place = NSTemporaryDirectory() + "/runner-errors-\(UUID().uuidString)"
    // Errors go to a file: two pipes read one after the other could wait for each other.
    _ = FileManager.default.createFile(atPath: place, contents: nil)
    defer { try? FileManager.default.removeItem(atPath: place) }
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"].merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: place))
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let errors = try Data(contentsOf: URL(fileURLWithPath: place))
    return Outcome(
      code: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: errors, as: UTF8.self))
  }

  /// Where a shell or another tool is; nil where it is not installed.
  static func find(_ tool: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(tool)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}

/// Without it the tests of the command line are skipped, and so is what measures the program's memory: that must not pass for success.
@Test func theProgramIsBuilt() { #expect(Program.isBuilt, "\(Program.path) is not there: swift build --product runner") }

/// A folder of its own that goes when it is let go.
final class Workplace: Sendable {
  let path = NSTemporaryDirectory() + "/runner-cli-\(UUID().uuidString)"
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult func write(_ bytes: some DataProtocol, to name: String) throws -> String {
    let file = "\(path)/\(name)"
    try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  func copy(_ file: String, to name: String) throws -> String { try write(Data(contentsOf: URL(fileURLWithPath: file)), to: name) }

  /// Everything in a folder and below it, by name; empty where there is none.
  func names(_ folder: String) -> [String] { (FileManager.default.enumerator(atPath: "\(path)/\(folder)")?.compactMap { $0 as? String } ?? []).sorted() }
}
