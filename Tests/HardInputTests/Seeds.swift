import Architectures
import Datasets
import Diagnostics
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Imaging
import NetworkGraph
import Report

@testable import Engine
@testable import Runner

/// The network whose checkpoints are read.
nonisolated(unsafe) let tinyNetwork: (memory: ParameterMemory, adam: Adam) = {
  let configuration = NetworkConfiguration(
    architecture: "unet", baseFilters: 1, depth: 2, upsampling: .transposed, batchNormalization: false, dropout: 0)
  let memory = try! ParameterMemory(try! configuration.network(height: 16, width: 16), training: true)
  return (memory, try! Adam(memory, l2: 0))
}()

/// What each target's changed inputs start from: files as the program writes them, by target.
func seeds() throws -> [String: [[UInt8]]] {
  let folder = "\(scratch)/seeds"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  func file(_ name: String, _ write: (String) throws -> Void) throws -> [UInt8] {
    try write("\(folder)/\(name)")
    return [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
  }
  let mask = Mask(width: 5, height: 3, pixels: [0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1])
  let checkpoint = try file("checkpoint") { path in
    var state = TrainingState()
    (state.best, state.bestEpoch, state.bestLoss) = (tinyNetwork.memory.snapshot(), 1, 0.5)
    state.epochs = [EpochResult(phase: "train", epoch: 1, trainLoss: 0.6, validationLoss: 0.5, penalty: 0, learningRate: 1e-3)]
    try state.write(TwoGenerations(path), memory: tinyNetwork.memory, adam: tinyNetwork.adam)
  }
  let weights = try file("weights") { path in
    let entries = [Safetensors.Entry(name: "a", shape: [2, 2], values: [1, 2, 3, 4]), Safetensors.Entry(name: "b", shape: [], values: [5])]
    let training = TrainedWeights(
      fingerprint: Fingerprint("0123"), losses: [EpochLoss(phase: "train", epoch: 1, trainLoss: 1, validationLoss: 2, penalty: 0, learningRate: 1e-3)], bestEpoch: 1,
      validationLoss: 2, trainingPatches: 3, validationPatches: 4)
    try Safetensors(entries: entries, metadata: try training.metadata).write(to: path)
  }
  let trial = TrialFolder(path: folder)
  let log = try file("log.jsonl") { _ in
    try trial.log.append(.started(trial: "U-Net", seed: 1, settings: ["model.depth": "5"], data: [LogText(key: "source", value: "synthetic")], processor: "a processor"))
    try trial.log.append(.epoch(phase: "train", epoch: 1, trainLoss: 1, validationLoss: 2, seconds: 3))
    try trial.log.append(.failed(reason: "“x”\n"))
  }
  let record = try file("record.json") { _ in
    let score = ImageScore(
      image: "a", nuclei: 3, objects: 2, averageIoU: 0.5, iouAt050: 0.6, averagePrecision: 0.7, contestScore: 0.4, annotatedNuclei: 3,
      annotatedAverageIoU: 0.5, annotatedIoUAt050: 0.5, annotatedAveragePrecision: 0.5, contestScoreByRegions: 0.5, empty: false)
    let losses = (1...3).map { EpochLoss(phase: "train", epoch: $0, trainLoss: 1 / Double($0), validationLoss: 0.5, penalty: 0, learningRate: 1e-3) }
    try trial.write(
      TrialRecord(
        trial: "U-Net", seed: 1, fingerprint: "0123", architecture: "unet", baseFilters: 4, depth: 3, l2: 0, upsampling: "", parameters: 100,
        trainableParameters: 100, multiplyAdds: 1000, trainingPatches: 8, validationPatches: 2, losses: losses, bestEpoch: 2, validationLoss: 0.5,
        images: [score]), masks: nil)
  }
  let patches = try file("test.patches") { path in
    var settings = TrialSettings.defaults(for: .unet)
    (settings.data.source, settings.data.syntheticTrain, settings.data.syntheticTest, settings.data.syntheticSide) = (.synthetic, 1, 1, 32)
    settings.patches.size = 16
    let data = try DatasetRegistry.open(settings.data, commandLineRoot: nil, environment: [:])
    try PatchStore.prepare(try data.index(threads: 1).test, of: data, .scoring(settings), threads: 1).save(to: path)
  }
  let spec = """
    name: a
    title: "A \\u00e4"
    model: &m {base_filters: 8, depth: 5}
    trials: [{name: U-Net, model.architecture: unet, model: {<<: *m}}, {name: "+", model.architecture: unet+, train.fine_tune: {epochs: 5}}]
    sweep: {grid: {seed: [1, 2], model.l2: [0, 1e-4]}, exclude: [{seed: 1, model.l2: 1e-4}], expect: 3}
    report: {table: {columns: trial, rows: [average_iou]}, published: [{trial: U-Net, average_iou: 0.5, source: x, tolerance: {average_iou: 0.1}}]}
    """
  let tiff = try file("labels.tif") { try TIFF.write(LabelImage(width: 3, height: 2, repeating: 700), to: $0) }
  // By Python's zipfile: a folder, a deflated file and a stored one.
  let archive = """
    UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAACAAAAYS9QSwMEFAAAAAgAAAAhAHLyl4sMAAAAKgAAAA4AAABhL2ltYWdlcy9iLnBuZ8srTc5JzVTII0wBAFBLAwQUAAAAAA\
    AAACEAgxbcjAEAAAABAAAABQAAAGMuY3N2eFBLAQIUAxQAAAAAAAAAIQAAAAAAAAAAAAAAAAACAAAAAAAAAAAAAACAAQAAAABhL1BLAQIUAxQAAAAIAAAAIQBy8peLDAAA\
    ACoAAAAOAAAAAAAAAAAAAACAASAAAABhL2ltYWdlcy9iLnBuZ1BLAQIUAxQAAAAAAAAAIQCDFtyMAQAAAAEAAAAFAAAAAAAAAAAAAACAAVgAAABjLmNzdlBLBQYAAAAAAw\
    ADAJ8AAAB8AAAAAAA=
    """
  func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
  return [
    "spec": [bytes(spec)],
    "png": [
      try PNG.encode(mask), try PNG.encode(RGBImage(width: 2, height: 2, repeating: RGB(1, 2, 3))), try PNG.encode(LabelImage(width: 3, height: 2, repeating: 700)),
    ],
    "tiff": [tiff],
    "zip": [[UInt8](Data(base64Encoded: archive)!)],
    "solution": [bytes("ImageId,EncodedPixels,Height,Width,Usage\na,1 3 9 2,20,30,Public\na,30 1,20,30,Public\r\n\"b\",,5,5,Ignored\n")],
    "masks": [bytes(MaskRuns.table([(image: "a", mask: mask), (image: "b, \"c\"", mask: mask)]))],
    // Without its checksum, too, as from another program: with it, hardly a changed file gets past the header.
    "safetensors": [weights, withoutChecksum(weights)],
    "checkpoint": [checkpoint, withoutChecksum(checkpoint)],
    "patches": [patches],
    "log": [log],
    "record": [record],
  ]
}

private func withoutChecksum(_ file: [UInt8]) -> [UInt8] {
  var data = Data(file)
  if let place = data.range(of: Data("\"sha256\"".utf8)) { data.replaceSubrange(place, with: Data("\"sha-no\"".utf8)) }
  return [UInt8](data)
}
