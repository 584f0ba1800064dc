import CZlib
import Diagnostics
import Files
import Foundation

@testable import Datasets
@testable import Engine
@testable import ExperimentSpec
@testable import Imaging
@testable import Report
@testable import Runner

/// A reader of what others wrote. What it may do with any bytes is return a value or throw; it must not crash, hang or eat memory.
struct Target {
  var name: String
  var read: ([UInt8]) throws -> Void
}

/// The target of this process.
nonisolated(unsafe) var chosen = targets[0]

nonisolated(unsafe) let targets = [
  Target(name: "spec") { _ = try Experiment.load(path: written($0, "spec.yaml")) },
  Target(name: "png") { _ = try PNG.decode(withChunkChecksums($0), name: "fuzz") },
  Target(name: "tiff") { bytes in
    let path = written(bytes, "fuzz.tif")
    _ = try? TIFF.size(path: path)
    _ = try? TIFF.readLabels(path: path)
    _ = try TIFF.read(path: path)
  },
  Target(name: "zip") { bytes in
    let archive = try ZipArchive(path: written(bytes, "fuzz.zip"))
    for entry in archive.entries where entry.size < 1 << 20 { _ = try? archive.contents(entry) }
  },
  Target(name: "solution") { _ = try Solution(bytes: $0, path: "fuzz") },
  Target(name: "masks") { bytes in
    let masks = MaskRuns.masks(inTable: String(decoding: bytes, as: UTF8.self))
    let again = MaskRuns.masks(inTable: MaskRuns.table(masks.map { (image: $0.key, mask: $0.value) }))
    precondition(again.count == masks.count && again.allSatisfy { masks[$0.key] == $0.value }, "masks that were read are not written as they are")
  },
  Target(name: "safetensors") { bytes in
    let path = written(bytes, "fuzz.safetensors")
    _ = TrainedWeights(header: path)
    _ = try? Safetensors.read(path, converting: true)
    _ = try Safetensors.read(path)
  },
  Target(name: "checkpoint") { 
    _ = try TrainingState.read(written($0, "checkpoint"), memory: tinyNetwork.memory, adam: tinyNetwork.adam, ours: false)
  },
  Target(name: "patches") { bytes in
    // The checksum made right: what it guards is to be reached.
    var bytes = bytes
    if bytes.count > 16 {
      let sum = bytes.withUnsafeBufferPointer { UInt32(crc32(0, $0.baseAddress! + 16, uInt($0.count - 16))) }
      withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(12..<16, with: $0) }
    }
    let store = try PatchStore(contentsOf: written(bytes, "fuzz.patches"))
    for source in store.sources.indices { _ = store.patchRange(source: source) }
    var image = [Float](repeating: 0, count: store.size * store.size)
    for patch in 0..<store.count { image.withUnsafeMutableBufferPointer { store.copyImage(patch, into: $0.baseAddress!) } }
  },
  Target(name: "log") { bytes in
    let lines = try TrialLog(path: written(bytes.split(separator: UInt8(ascii: "\n")).flatMap { resealed(Array($0)) + [UInt8(ascii: "\n")] }, "log.jsonl")).lines()
    _ = (lines.trainingSeconds, lines.epochsDone, lines.timing, lines.start)
  },
  Target(name: "record") { bytes in
    _ = written(resealed(bytes), "record.json")
    guard let record = TrialFolder(path: scratch).readRecord() else { return }
    let settings = ReportSettings(
      rows: ["average_iou", "parameters", "ms_per_patch"], published: [], claims: [], figureImages: [], remark: "")
    let inputs = ReportInputs(
      name: "fuzz", title: "fuzz", report: settings, expected: [ExpectedTrial(trial: record.trial, seed: record.seed)], records: [record])
    try Report.write(inputs, to: URL(fileURLWithPath: "\(scratch)/results", isDirectory: true))
  },
]

/// A PNG file with the checksums of its chunks made right, as far as they follow one another: what they guard is to be reached.
private func withChunkChecksums(_ file: [UInt8]) -> [UInt8] {
  var bytes = file, chunk = 8  // behind the signature
  while chunk + 12 <= bytes.count {
    let length = bytes[chunk..<chunk + 4].reduce(0) { $0 << 8 | Int($1) }, end = chunk + 8 + length
    guard end + 4 <= bytes.count else { break }
    let sum = bytes.withUnsafeBufferPointer { UInt32(crc32(0, $0.baseAddress! + chunk + 4, uInt(length + 4))) }
    withUnsafeBytes(of: sum.bigEndian) { bytes.replaceSubrange(end..<end + 4, with: $0) }
    chunk = end + 4
  }
  return bytes
}

/// The checksum made right: what it guards is to be reached.
private func resealed(_ text: [UInt8]) -> [UInt8] { Seal.closed(Data(text)).map { [UInt8]($0) } ?? text }

/// Where the readers that take a path find the bytes; in memory, where the system has a place for that.
let scratch: String = {
  let memory = "/dev/shm"
  let place = FileManager.default.fileExists(atPath: memory) ? memory : NSTemporaryDirectory()
  let path = "\(place)/runner-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
  try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  atexit { try? FileManager.default.removeItem(atPath: scratch) }
  return path
}()

func written(_ bytes: [UInt8], _ name: String) -> String {
  let path = "\(scratch)/\(name)"
  guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else { fatalError("\(path) cannot be written") }
  return path
}
