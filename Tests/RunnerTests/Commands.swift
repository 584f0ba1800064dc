import Diagnostics
import Foundation
import Synchronization
import Testing

@testable import Runner

/// What commands print, and what the console may do meanwhile.
final class Transcript: Sendable {
  private let text = Mutex((output: "", errors: ""))
  /// Called with each piece of output.
  private let onOutput: @Sendable (String) -> Void

  private let format: LogFormat

  private let isLive: Bool

  init(format: LogFormat = .text, isLive: Bool = false, onOutput: @escaping @Sendable (String) -> Void = { _ in }) {
    (self.format, self.isLive, self.onOutput) = (format, isLive, onOutput)
  }

  var output: String { text.withLock { $0.output } }
  var errors: String { text.withLock { $0.errors } }

  /// - Parameter folder: the user's cache; no data is to be found but what a test names.
  func surroundings(cache: String) -> Surroundings {
    Surroundings(
      console: Console(
        isLive: isLive, format: format,
        output: { piece in
          self.text.withLock { $0.output += piece }
          self.onOutput(piece)
        }, errors: { piece in self.text.withLock { $0.errors += piece } }),
      environment: ["XDG_CACHE_HOME": cache])
  }
}

/// A place to run experiments in.
struct Bench {
  let folder: TemporaryFolder
  var results: String { "\(folder.path)/results" }

  init() throws { folder = try TemporaryFolder() }

  /// Two tiny networks on tiny synthetic nuclei; `trials` and `extra` are YAML.
  func spec(
    trials: String = "[{name: U-Net, model.architecture: unet}, {name: U-Net+, model.architecture: unet+}]", extra: String = "", name: String = "tiny"
  ) throws -> String {
    try folder.write(
      """
      name: \(name)
      title: Tiny
      data: {source: synthetic, synthetic: {train: 4, test: 2, side: 64, seed: 3}}
      model: {base_filters: 2, depth: 3}
      preprocess: {tv_iterations: 5}
      patches.size: 32
      train: {epochs: 3, batch: 8}
      evaluate: {minimum_object: 4, timing_passes: 1}
      trials: \(trials)
      \(extra)
      """, to: "\(name).yaml")
  }

  func run(_ spec: String, transcript: Transcript = Transcript(), out: String? = nil, _ change: (inout RunOptions) -> Void = { _ in }) async -> ExitCode {
    var options = RunOptions()
    (options.out, options.jobs, options.threads) = (out ?? results, 1, 2)
    change(&options)
    let asked = options
    let surroundings = transcript.surroundings(cache: "\(folder.path)/cache")
    return await Runner.exitCode(surroundings) { try await Runner.run(specs: [spec], asked, surroundings) }
  }

  func report(_ place: String, transcript: Transcript = Transcript(), check: Bool = false) async -> ExitCode {
    var options = RunOptions()
    if place.hasSuffix(".yaml") { options.out = results }
    let asked = options
    let surroundings = transcript.surroundings(cache: "\(folder.path)/cache")
    return await Runner.exitCode(surroundings) { try await Runner.report(place, asked, check: check, surroundings) }
  }

  func plan(_ spec: String, transcript: Transcript = Transcript(), _ change: (inout RunOptions) -> Void = { _ in }) async -> ExitCode {
    var options = RunOptions()
    options.out = results
    change(&options)
    let asked = options
    let surroundings = transcript.surroundings(cache: "\(folder.path)/cache")
    return await Runner.exitCode(surroundings) { try Runner.plan(spec: spec, asked, format: .json, detailedExitCode: true, surroundings) }
  }

  /// Files below `results` by name, without what depends on the clock: caches, weights, logs, times, and the lines that say so.
  func steadyFiles(_ results: String? = nil) throws -> [String: String] {
    let root = results ?? self.results
    var files: [String: String] = [:]
    guard let names = FileManager.default.enumerator(atPath: root) else { return [:] }
    for case let name as String in names {
      var isFolder: ObjCBool = false
      let left = name.hasPrefix("cache") || ["best.safetensors", "checkpoint", "checkpoint.previous", "log.jsonl", "events.tfevents", "timings.csv", "provenance.json"].contains { name.hasSuffix($0) }
      guard !left, FileManager.default.fileExists(atPath: "\(root)/\(name)", isDirectory: &isFolder), !isFolder.boolValue else { continue }
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name)"))
      files[name] =
        name.hasSuffix(".png")
        ? data.base64EncodedString()
        : String(decoding: data, as: UTF8.self).split(separator: "\n").filter { !$0.contains("<!-- clock -->") }.joined(separator: "\n")
    }
    return files
  }

  /// The trials' folders that stand, by the trial's name.
  func trials(_ results: String? = nil) throws -> [String: TrialFolder] {
    Dictionary(
      try ResultsFolder(path: results ?? self.results).allTrials().compactMap { folder in try folder.log.lines().start.map { ($0.trial, folder) } },
      uniquingKeysWith: { _, last in last })
  }
}

extension [LogLine] {
  var epochCount: Int { count { if case .epoch = $0.event { true } else { false } } }
}

/// Expects the same files with the same contents; names those that differ and the first line in which they do.
func expectSame(_ a: [String: String], _ b: [String: String], sourceLocation: Testing.SourceLocation = #_sourceLocation) throws {
  for name in Set(a.keys).union(b.keys).sorted() where a[name] != b[name] {
    let (one, other) = ((a[name] ?? "(none)").split(separator: "\n"), (b[name] ?? "(none)").split(separator: "\n"))
    let line = zip(one, other).first { $0 != $1 } ?? (one.last ?? "", other.last ?? "")
    Issue.record("\(name): \(line.0.prefix(200)) | \(line.1.prefix(200))", sourceLocation: sourceLocation)
  }
}
