import Diagnostics
import Engine
import ExperimentGraph
import Files
import Foundation
import Imaging
import Report
import TensorBoard

/// The places of `results/<name>/`, and reading and writing what the runner keeps there.
struct ResultsFolder: Sendable {
  let path: String

  /// Not committed: patches, the lock.
  var cache: String { "\(path)/cache" }
  /// Held by the run that is responsible for the folder.
  var lock: String { "\(cache)/lock" }
  /// Shared by the tasks of a cluster; a run of this machine's own holds it alone.
  var tasksLock: String { "\(cache)/tasks.lock" }
  var trials: String { "\(path)/trials" }
  var resolvedSpec: String { "\(path)/spec.resolved.yaml" }
  var provenance: String { "\(path)/provenance.json" }
  var url: URL { URL(fileURLWithPath: path, isDirectory: true) }

  func trial(_ fingerprint: Fingerprint) -> TrialFolder { TrialFolder(path: "\(trials)/\(fingerprint)") }
  func patches(_ fingerprint: Fingerprint, _ part: String) -> String { "\(cache)/\(part)-\(fingerprint).patches" }

  /// Every trial folder there is, by name. Throws `UserError` (exit 5) where they cannot be listed.
  func allTrials() throws -> [TrialFolder] {
    try DurableFile.names(in: trials).filter { !$0.hasPrefix(".") }.map { TrialFolder(path: "\(trials)/\($0)") }
  }

  /// Removes what killed processes were writing (`<name>.<process>.tmp`: never renamed into place, so nobody's), in the places where
  /// the runner writes. Under the lock only; a report takes none, so what a living process has begun stays.
  func removeLeftovers() {
    func isDead(_ process: Substring) -> Bool { Int32(process).map { kill($0, 0) != 0 && errno == ESRCH } ?? false }
    let trials = ((try? allTrials()) ?? []).map(\.path)
    for place in [path, "\(path)/figures", cache, "\(cache)/slurm"] + trials {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
        guard let match = name.firstMatch(of: /\.(\d+)(-\d+)?\.tmp$/), isDead(match.1) else { continue }
        try? FileManager.default.removeItem(atPath: "\(place)/\(name)")
      }
    }
  }

  /// Whether a figure has no PNG beside it: none could be rendered, or a kill came first.
  var lacksPictures: Bool {
    let names = Set((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/figures")) ?? [])
    return names.contains { $0.hasSuffix(".svg") && !names.contains("\($0.dropLast(4)).png") }
  }

  /// From here on, until it is written whole, there is no report of a fingerprint: what stands may be of two. The next run makes it again.
  /// - Throws: `UserError` (exit 5).
  func retractReport() throws {
    guard let data = try DurableFile.contents(of: provenance), var stated = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any],
      stated.removeValue(forKey: Self.reportKey) != nil
    else { return }
    let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try DurableFile.write(try JSONSerialization.data(withJSONObject: stated, options: options), to: provenance)
  }

  /// In `provenance.json`.
  static let reportKey = "report_fingerprint"

  /// The report's fingerprint that `provenance.json` states; nil where there is no report.
  func reportFingerprint() -> Fingerprint? {
    guard FileManager.default.fileExists(atPath: "\(path)/report.md") else { return nil }
    return (try? stated())?[Self.reportKey].map { Fingerprint($0) }
  }

  /// The texts that `provenance.json` states, by key; none where it is no JSON object.
  /// - Throws: `UserError` (exit 5) where it is there and cannot be read.
  func stated() throws -> [String: String] {
    guard let data = try DurableFile.contents(of: provenance), let all = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] else { return [:] }
    return all.compactMapValues { $0 as? String }
  }

  /// The processors that `provenance.json` states.
  /// - Throws: as `stated`.
  func statedProcessors() throws -> [String] { try stated()["processor"]?.components(separatedBy: ", ") ?? [] }
}

/// `trials/<fingerprint>/`.
struct TrialFolder: Sendable {
  let path: String
  var fingerprint: Fingerprint { Fingerprint((path as NSString).lastPathComponent) }
  var record: String { "\(path)/record.json" }
  var log: TrialLog { TrialLog(path: "\(path)/log.jsonl") }
  var masks: String { "\(path)/masks.csv" }
  /// Not committed.
  var checkpoint: TwoGenerations { TwoGenerations("\(path)/checkpoint") }
  var weights: String { "\(path)/best.safetensors" }
  /// For TensorBoard.
  var events: String { "\(path)/\(EventFile.name)" }

  /// nil where there is none, a damaged one or one that cannot be read: then the trial runs again.
  func readRecord() -> TrialRecord? { (try? sealedRecord())??.record }

  /// What a report takes: nil where there is none, or a damaged one.
  ///
  /// - Throws: `UserError` (exit 5) where it is there and cannot be read: a report without it would be wrong, and stand.
  func reportedRecord() throws -> TrialRecord? { try sealedRecord()?.record }

  private func sealedRecord() throws -> SealedRecord? {
    guard let data = try DurableFile.contents(of: record), Seal.isWhole(data) else { return nil }
    guard let sealed = try? JSONDecoder().decode(SealedRecord.self, from: data), sealed.record.isSound else { return nil }
    return sealed
  }

  /// The masks (a table of `MaskRuns`; nil where the trial failed) and, last, the record, which vouches for them. Each is written whole or not at
  /// all; equal records give equal bytes.
  func write(_ record: TrialRecord, masks table: String?) throws {
    if let table { try DurableFile.write(table, to: masks) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(SealedRecord(record: record, masks: table.map { Self.digest(Data($0.utf8)) }))
    data.append(UInt8(ascii: "\n"))
    try DurableFile.write(Seal.close(data), to: self.record)
  }

  /// Whether the trial was evaluated, and did not fail.
  var hasScores: Bool { readRecord().map { $0.failure == nil } ?? false }

  /// By image; empty where there are none, or damaged ones. Throws as `reportedRecord`.
  func readMasks() throws -> [String: Mask] {
    guard let data = try DurableFile.contents(of: masks), try sealedRecord()?.masks == Self.digest(data) else { return [:] }
    return MaskRuns.masks(inTable: String(decoding: data, as: UTF8.self))
  }

  private static func digest(_ bytes: Data) -> String { String(decoding: Seal.hash(bytes), as: UTF8.self) }

  /// What the weights say of their training; nil where there are none.
  func trainedWeights() -> TrainedWeights? { TrainedWeights(header: weights) }

  /// Whether a record is there that cannot be relied on; not one that cannot be read.
  var hasDamagedRecord: Bool {
    do { return try FileManager.default.fileExists(atPath: record) && sealedRecord() == nil } catch { return false }
  }

  /// A warning for each damaged file that the report is made of: what it is and what comes of it. Throws as `reportedRecord`.
  func damage() throws -> [Diagnostic] {
    var found = try log.damage()
    if hasDamagedRecord {
      found.append(
        Diagnostic(
          .warning, "\(record): damaged: its checksum does not match; the trial counts as not done",
          hints: ["a run does it again; where the record is under version control, it can be restored"]))
    } else if let data = try DurableFile.contents(of: masks), let stated = try sealedRecord()?.masks, stated != Self.digest(data) {
      found.append(Diagnostic(.warning, "\(masks): damaged: its checksum does not match; no picture is made of it"))
    }
    return found
  }
}

/// A trial's record with the checksums of its masks and of itself.
private struct SealedRecord: Codable {
  var record: TrialRecord
  var masks: String?
  private enum CodingKeys: String, CodingKey { case sha256, masks = "masks_sha256" }

  init(record: TrialRecord, masks: String?) { (self.record, self.masks) = (record, masks) }

  init(from decoder: any Decoder) throws {
    record = try TrialRecord(from: decoder)
    masks = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .masks)
  }

  func encode(to encoder: any Encoder) throws {
    try record.encode(to: encoder)
    var own = encoder.container(keyedBy: CodingKeys.self)
    try own.encodeIfPresent(masks, forKey: .masks)
    try own.encode(Seal.open, forKey: .sha256)
  }
}

/// What `best.safetensors` says of the training that made it, in its metadata: with it, a trial that only evaluates otherwise, or
/// was killed before its record stood, need not train again.
struct TrainedWeights: Codable, Sendable {
  /// Of the training job.
  var fingerprint: Fingerprint
  var losses: [EpochLoss]
  var bestEpoch: Int
  var validationLoss: Double
  var trainingPatches: Int
  var validationPatches: Int

  init(fingerprint: Fingerprint, losses: [EpochLoss], bestEpoch: Int, validationLoss: Double, trainingPatches: Int, validationPatches: Int) {
    (self.fingerprint, self.losses, self.bestEpoch, self.validationLoss) = (fingerprint, losses, bestEpoch, validationLoss)
    (self.trainingPatches, self.validationPatches) = (trainingPatches, validationPatches)
  }

  private static let key = "training"

  var metadata: [String: String] {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return [Self.key: String(decoding: try encoder.encode(self), as: UTF8.self), "format": "nuclei-runner 1"]
    }
  }

  /// Reads the header alone: a plan looks at every trial's weights.
  init?(header path: String) {
    guard let file = FileHandle(forReadingAtPath: path), let prefix = try? file.read(upToCount: 8), prefix.count == 8 else { return nil }
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    struct Header: Decodable { var __metadata__: [String: String] }
    guard length < 1 << 27, let bytes = try? file.read(upToCount: Int(length)), bytes.count == Int(length),
      let text = (try? JSONDecoder().decode(Header.self, from: bytes))?.__metadata__[Self.key],
      let read = try? JSONDecoder().decode(TrainedWeights.self, from: Data(text.utf8))
    else { return nil }
    self = read
  }
}
