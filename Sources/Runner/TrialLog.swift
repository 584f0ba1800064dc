import Diagnostics
import ExperimentGraph
import Foundation
import Report

/// What happened to a trial, with the time: one JSON object a line in `log.jsonl`.
///
/// The log is where everything of a trial stands that depends on the clock or the machine; its record has none of it.
enum LogEvent: Codable {
  /// `settings`: all the trial's jobs depend on, so that a later plan can say what changed. `data`: what the data is, for the report.
  case started(trial: String, seed: Int, settings: [String: String], data: [LogText])
  case resumed(epoch: Int)
  case epoch(phase: String, epoch: Int, trainLoss: Double, validationLoss: Double, seconds: Double)
  case trained(fingerprint: String, bestEpoch: Int)
  /// `peakMegabytes`: the process's largest resident memory since the trial began; nil where others ran beside it.
  case evaluated(images: Int, seconds: Double, peakMegabytes: Double?)
  case timed(fingerprint: String, timing: TimingRecord)
  case failed(reason: String)
  case interrupted(epoch: Int)
}

/// A named value in its place among others.
struct LogText: Codable, Hashable {
  var key: String
  var value: String
}

struct LogLine: Codable {
  /// ISO 8601, UTC, seconds.
  var at: String
  var event: LogEvent
}

/// A trial's `log.jsonl`: appended to, never rewritten.
struct TrialLog: Sendable {
  let path: String

  /// Throws `UserError` (exit 5) where it cannot be written.
  func append(_ event: LogEvent, at time: Date = Date()) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    var line = try encoder.encode(LogLine(at: time.formatted(.iso8601), event: event))
    line.append(UInt8(ascii: "\n"))
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw fault() }
    defer { close(file) }
    // A line cut off by a kill must not swallow this one.
    if endsInsideALine { line.insert(UInt8(ascii: "\n"), at: 0) }
    let written = line.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    guard written == line.count else { throw fault() }
  }

  /// The lines that can be read, in order; one that a kill cut off is left out.
  func lines() -> [LogLine] {
    guard let text = try? Data(contentsOf: URL(fileURLWithPath: path)) else { return [] }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return text.split(separator: UInt8(ascii: "\n")).compactMap { try? decoder.decode(LogLine.self, from: $0) }
  }

  private var endsInsideALine: Bool {
    guard let file = FileHandle(forReadingAtPath: path), let end = try? file.seekToEnd(), end > 0 else { return false }
    try? file.seek(toOffset: end - 1)
    return (try? file.read(upToCount: 1)) != Data([UInt8(ascii: "\n")])
  }

  private func fault() -> UserError { UserError("\(path): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed) }
}

extension [LogLine] {
  /// Seconds the training took, over however many runs: each epoch's last.
  var trainingSeconds: Double { secondsOfEpochs.reduce(0, +) }

  /// The median, which a pause in one epoch does not change; nil where there is none.
  var secondsPerEpoch: Double? {
    let seconds = secondsOfEpochs
    return seconds.isEmpty ? nil : seconds[seconds.count / 2]
  }

  /// Ascending.
  private var secondsOfEpochs: [Double] {
    var seconds: [Int: Double] = [:]
    for line in self { if case .epoch(_, let epoch, _, _, let took) = line.event { seconds[epoch] = took } }
    return seconds.values.sorted()
  }

  /// When each epoch was done, seconds since 1970: its last time, should it have been done twice.
  var timesOfEpochs: [Int: Double] {
    var times: [Int: Double] = [:]
    for line in self {
      if case .epoch(_, let epoch, _, _, _) = line.event, let at = try? Date(line.at, strategy: .iso8601) { times[epoch] = at.timeIntervalSince1970 }
    }
    return times
  }

  /// Of the last evaluation; nil where it did not run alone.
  var peakMegabytes: Double? {
    for line in reversed() { if case .evaluated(_, _, let peak) = line.event { return peak } }
    return nil
  }

  /// Epochs done, as far as the log knows.
  var epochsDone: Int {
    reduce(0) { done, line in if case .epoch(_, let epoch, _, _, _) = line.event { Swift.max(done, epoch) } else { done } }
  }

  /// The last timing, and the fingerprint of the job that made it.
  var timing: (fingerprint: String, timing: TimingRecord)? {
    for line in reversed() { if case .timed(let fingerprint, let timing) = line.event { return (fingerprint, timing) } }
    return nil
  }

  /// The last start: trial, seed, settings and data.
  var start: (at: String, trial: String, seed: Int, settings: [String: String], data: [LogText])? {
    for line in reversed() {
      if case .started(let trial, let seed, let settings, let data) = line.event { return (line.at, trial, seed, settings, data) }
    }
    return nil
  }
}
