import Diagnostics
import ExperimentGraph
import Files
import Foundation
import Report

/// What happened to a trial, with the time: one JSON object a line in `log.jsonl`.
///
/// The log is where everything of a trial stands that depends on the clock or the machine; its record has none of it.
enum LogEvent: Codable {
  /// `settings`: all the trial's jobs depend on, so that a later plan can say what changed. `data`: what the data is, for the report.
  /// `processor`: nil in earlier logs.
  case started(trial: String, seed: Int, settings: [String: String], data: [LogText], processor: String?)
  /// Whole epochs done, and batches of the next.
  case resumed(epoch: Int, batch: Int)
  case epoch(phase: String, epoch: Int, trainLoss: Double, validationLoss: Double, seconds: Double)
  case trained(fingerprint: String, bestEpoch: Int, threads: Int?)
  /// `peakMegabytes`: the process's largest resident memory since the trial began; nil where others ran beside it.
  case evaluated(images: Int, seconds: Double, peakMegabytes: Double?)
  case timed(fingerprint: String, timing: TimingRecord)
  /// Where the time of one patch goes.
  case profiled(fingerprint: String, profile: OperationProfile)
  case failed(reason: String)
  /// `seconds`: since the last epoch that was whole; nil in earlier logs.
  case interrupted(epoch: Int, seconds: Double?)
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
  /// Of the line.
  var sha256 = Seal.open

  private enum CodingKeys: CodingKey { case at, event, sha256 }
}

/// A trial's `log.jsonl`: a line is added for every event, and taken away only where a training goes back behind it.
struct TrialLog: Sendable {
  let path: String

  /// Throws `UserError` (exit 5) where it cannot be written; it is then as it was.
  func append(_ event: LogEvent, at time: Date = Date()) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    var line = Seal.close(try encoder.encode(LogLine(at: time.formatted(.iso8601), event: event)))
    line.append(UInt8(ascii: "\n"))
    try DurableFile.append(line: line, to: path)
  }

  /// The lines that are whole, in order; none where there is no log.
  /// - Throws: `UserError` (exit 5) where it is there and cannot be read: what happened would count as not having happened.
  func lines() throws -> [LogLine] { try entries().compactMap(\.line) }

  /// One warning for each line that is damaged: its event counts as not having happened. Throws as `lines`.
  func damage() throws -> [Diagnostic] {
    try entries().filter { $0.line == nil }.map {
      Diagnostic(.warning, "damaged line, left out: its checksum does not match", at: SourceLocation(file: path, line: $0.number, column: 1))
    }
  }

  /// Takes away the epochs after `epoch`, which a training that goes on from there does again, and lines that are damaged.
  /// Throws `UserError` (exit 5) where it cannot be read or written.
  func goBack(to epoch: Int) throws {
    try keep { line in if case .epoch(_, let done, _, _, _) = line.event { done <= epoch } else { true } }
  }

  /// Takes away lines that are damaged. Throws `UserError` (exit 5) where it cannot be read or written.
  func mend() throws { try keep { _ in true } }

  private func keep(_ isWanted: (LogLine) -> Bool) throws {
    let all = try entries(), kept = all.filter { $0.line.map(isWanted) ?? false }
    if kept.count == all.count { return }
    try DurableFile.write(kept.reduce(into: Data()) { $0 += $1.text + Data("\n".utf8) }, to: path)
  }

  private func entries() throws -> [(number: Int, text: Data, line: LogLine?)] {
    guard let text = try DurableFile.contents(of: path) else { return [] }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated().filter { !$1.isEmpty }.map { index, text in
      (index + 1, text, Seal.isWhole(text) ? try? decoder.decode(LogLine.self, from: text) : nil)
    }
  }
}

extension [LogLine] {
  /// Seconds the training took, over however many runs: each epoch's last, and what an interrupted run had of its next.
  var trainingSeconds: Double {
    reduce(secondsOfEpochs.reduce(0, +)) { sum, line in if case .interrupted(_, let seconds?) = line.event { sum + seconds } else { sum } }
  }

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

  /// Of the last evaluation; nil where it did not run alone. Logs before 28 November 2026 have it with the time that was taken then, which later
  /// times do not take away.
  var peakMegabytes: Double? {
    for line in reversed() {
      switch line.event {
      case .timed(_, let time) where time.peakRSSMegabytes.isFinite: return time.peakRSSMegabytes
      case .evaluated(_, _, let peak): return peak
      default: break
      }
    }
    return nil
  }

  /// Epochs done, as far as the log knows.
  var epochsDone: Int {
    reduce(0) { done, line in if case .epoch(_, let epoch, _, _, _) = line.event { Swift.max(done, epoch) } else { done } }
  }

  /// Threads of the last training that ended.
  var trainThreads: Int? {
    for line in reversed() { if case .trained(_, _, let threads) = line.event { return threads } }
    return nil
  }

  /// The timings that were taken in one turn with the trial's own, each number of threads and precision once, and where the time goes. Earlier
  /// ones are not, whatever they alone were taken with: they cannot be compared.
  var timings: (times: [TimingRecord], profile: OperationProfile?) {
    guard let (job, own) = timing else { return ([], nil) }
    var times: [TimingRecord] = [], profile: OperationProfile?
    for line in reversed() {
      switch line.event {
      case .timed(job, let time) where time.turn == own.turn:
        if !times.contains(where: { $0.threads == time.threads && $0.precision == time.precision }) { times.append(time) }
      // One behind the trial's own time is of a turn that was ended before its times stood.
      case .profiled(job, let found) where profile == nil && !times.isEmpty: profile = found
      default: break
      }
    }
    return (times, profile)
  }

  /// The last timing that is the trial's own, and the fingerprint of the job that made it: it is taken last, so the others stand too.
  var timing: (fingerprint: String, timing: TimingRecord)? {
    for line in reversed() { if case .timed(let fingerprint, let timing) = line.event, timing.isMain ?? true { return (fingerprint, timing) } }
    return nil
  }

  /// Of every start that trained or scored, or, for a trial that notes neither (a threshold), of all; nil where one does not say.
  var processors: Set<String?> {
    var all: Set<String?> = [], working: Set<String?> = [], last: String??
    for line in self {
      switch line.event {
      case .started(_, _, _, _, let processor):
        all.insert(processor)
        last = .some(processor)
      case .epoch, .trained, .evaluated: if let last { working.insert(last) }
      default: break
      }
    }
    return working.isEmpty ? all : working
  }

  /// The last start: trial, seed, settings and data.
  var start: (at: String, trial: String, seed: Int, settings: [String: String], data: [LogText])? {
    for line in reversed() {
      if case .started(let trial, let seed, let settings, let data, _) = line.event { return (line.at, trial, seed, settings, data) }
    }
    return nil
  }
}
