import Engine
import Files
import Foundation
import Synchronization
import TensorCore
import TestSupport
import Testing

/// Discs on a noisy ground: enough to learn in a few steps.
func discs(count: Int, side: Int, seed: Int = 1) -> Samples {
  var images: [Float] = [], masks: [UInt8] = []
  for n in 0..<count {
    var random = CounterRandom(seed: seed, purpose: .testing, sample: n)
    let cx = random.uniform(4...Float(side - 4)), cy = random.uniform(4...Float(side - 4)), r = random.uniform(3...Float(side) / 4)
    for y in 0..<side {
      for x in 0..<side {
        let inside = (Float(x) - cx) * (Float(x) - cx) + (Float(y) - cy) * (Float(y) - cy) < r * r
        images.append((inside ? 0.7 : 0.2) + 0.1 * random.normal())
        masks.append(inside ? 1 : 0)
      }
    }
  }
  return Samples(side: side, images: images, masks: masks)
}

/// Notes which patches are read, in their order.
private struct WatchedSamples: PatchSource {
  let samples: Samples
  /// In a class of its own: what cannot be copied cannot stand in a struct that is.
  final class Indices: Sendable { let list = Mutex<[Int]>([]) }
  let read = Indices()
  init(_ samples: Samples) { self.samples = samples }
  var side: Int { samples.side }
  var count: Int { samples.count }
  func copyImage(_ index: Int, into target: UnsafeMutablePointer<Float>) {
    read.list.withLock { $0.append(index) }
    samples.copyImage(index, into: target)
  }
  func copyMask(_ index: Int, into target: UnsafeMutablePointer<UInt8>) { samples.copyMask(index, into: target) }
}

@Suite(.serialized, .wholeProcessor) struct TrainingTests {
  static let networks = [
    network("unet", .transposed), network("unet++", .transposed), network("unet+", .transposed), network("unet+", .nearest),
  ]
  private static func network(_ architecture: String, _ upsampling: NetworkConfiguration.Upsampling) -> NetworkConfiguration {
    let plus = architecture == "unet+"
    return NetworkConfiguration(
      architecture: architecture, baseFilters: 4, depth: 3, upsampling: upsampling, batchNormalization: plus, dropout: plus ? 0 : 0.5)
  }
  private static let samples = discs(count: 30, side: 16)

  private static func trainer(_ network: NetworkConfiguration, seed: Int = 5, threads: Int = 2, epochs: Int = 3, fineTune: Int = 1) throws -> Trainer {
    try Trainer(
      network: network, training: TrainingConfiguration(seed: seed, batch: 7, l2: 1e-4, bceWeight: 1, diceSmooth: 1),
      phases: [TrainingPhase(name: "train", epochs: epochs, learningRate: 2e-3), TrainingPhase(name: "fine-tune", epochs: fineTune, learningRate: 1e-4)],
      samples: samples, trainingIndices: Array(0..<23), validationIndices: Array(23..<30), threads: threads)
  }
  private static func run(
    _ trainer: Trainer, checkpoint: TwoGenerations? = nil, stopAfter: Int = .max, interval: Duration = .seconds(120), timesAsked: @escaping () -> Int = { 0 }
  ) throws -> TrainingOutcome {
    if let checkpoint { _ = try trainer.resume(from: checkpoint) { _ in } }
    var batches = 0
    return try trainer.run(
      checkpointing: checkpoint.map { Checkpointing($0, interval: interval, timesAsked: timesAsked) }, progress: { _ in batches += 1 }, epochDone: { _ in }, shouldStop: { batches >= stopAfter })
  }

  @Test(arguments: networks) func lossFallsAndTheBestWeightsAreKept(_ network: NetworkConfiguration) throws {
    let outcome = try Self.run(try Self.trainer(network, epochs: 12))
    #expect(outcome.epochs.count == 13)
    #expect(outcome.epochs.last!.trainLoss < outcome.epochs.first!.trainLoss)
    let best = outcome.epochs.min { $0.validationLoss < $1.validationLoss }!
    #expect(outcome.bestEpoch == best.epoch && outcome.validationLoss == best.validationLoss)
    #expect(outcome.epochs.map(\.phase) == Array(repeating: "train", count: 12) + ["fine-tune"])
  }

  /// λ·Σ‖w‖² of the weights that the epoch ends with, over the kernels of convolutions and not of transposed ones.
  @Test(arguments: networks, [0, 1e-4, 1e-2]) func thePenaltyIsThatOfTheEpochsWeights(_ network: NetworkConfiguration, l2: Double) throws {
    let trainer = try Trainer(
      network: network, training: TrainingConfiguration(seed: 5, batch: 7, l2: l2, bceWeight: 1, diceSmooth: 1),
      phases: [TrainingPhase(name: "train", epochs: 1, learningRate: 2e-3)], samples: Self.samples, trainingIndices: Array(0..<23),
      validationIndices: Array(23..<30), threads: 2)
    let outcome = try Self.run(trainer)
    let norm = zip(outcome.weights.parameters, outcome.weights.values).reduce(0.0) { sum, next in
      let (parameter, values) = next, isRegularized = parameter.name.hasSuffix(".kernel") && !parameter.name.hasSuffix(".up.kernel")
      return isRegularized ? values.reduce(sum) { $0 + Double($1) * Double($1) } : sum
    }
    #expect(outcome.bestEpoch == 1 && norm > 10)
    #expect(abs(outcome.epochs[0].penalty - l2 * norm) <= 1e-12 * l2 * norm)
  }

  /// At a learning rate of 0 the weights stay, and the loss is a straight line over λ_BCE; smoothing brings Dice nearer to 1.
  @Test func theLossIsWeighedAsTheTrainingSays() throws {
    func losses(_ bceWeight: Double, _ diceSmooth: Double) throws -> [Double] {
      let trainer = try Trainer(
        network: Self.networks[0], training: TrainingConfiguration(seed: 5, batch: 7, l2: 0, bceWeight: bceWeight, diceSmooth: diceSmooth),
        phases: [TrainingPhase(name: "train", epochs: 1, learningRate: 0)], samples: Self.samples, trainingIndices: Array(0..<23),
        validationIndices: Array(23..<30), threads: 2)
      let epoch = try Self.run(trainer).epochs[0]
      return [epoch.trainLoss, epoch.validationLoss]
    }
    let without = try losses(0, 1), once = try losses(1, 1), thrice = try losses(3, 1), smooth = try losses(1, 50)
    for i in 0..<2 {
      #expect(once[i] - without[i] > 0.1)
      #expect(abs(thrice[i] - without[i] - 3 * (once[i] - without[i])) < 1e-9)
      #expect(once[i] - smooth[i] > 0.01)
    }
  }

  /// Trials that differ only in their network are paired: the same patches in the same batches, epoch by epoch.
  @Test func everyNetworkSeesTheSamePatchesInTheSameOrder() throws {
    func order(_ network: NetworkConfiguration, seed: Int) throws -> [Int] {
      let watched = WatchedSamples(Self.samples)
      let trainer = try Trainer(
        network: network, training: TrainingConfiguration(seed: seed, batch: 7, l2: 0, bceWeight: 1, diceSmooth: 1),
        phases: [TrainingPhase(name: "train", epochs: 2, learningRate: 1e-3)], samples: watched, trainingIndices: Array(0..<23),
        validationIndices: Array(23..<30), threads: 1)
      _ = try Self.run(trainer)
      return watched.read.list.withLock { $0 }
    }
    let first = try order(Self.networks[0], seed: 5)
    #expect(first.filter { $0 < 23 }.count == 2 * 23 && Set(first) == Set(0..<30))
    #expect(first.prefix(23) != first.filter { $0 < 23 }.suffix(23), "every epoch is shuffled anew")
    for network in Self.networks.dropFirst() { #expect(try order(network, seed: 5) == first, "\(network.architecture)") }
    #expect(try order(Self.networks[0], seed: 6) != first)
  }

  @Test(arguments: networks) func threadsDoNotChangeABit(_ network: NetworkConfiguration) throws {
    let alone = try Self.run(try Self.trainer(network, threads: 1))
    for threads in [2, 3, 5] {
      let outcome = try Self.run(try Self.trainer(network, threads: threads))
      #expect(outcome.weights.values == alone.weights.values && outcome.epochs == alone.epochs, "\(threads) threads")
    }
  }

  /// Products of 8 bits instead of 24 change the losses' third digit here, not where they go; and no bit depends on threads.
  @Test(arguments: networks) func bfloat16TrainsAlike(_ network: NetworkConfiguration) throws {
    var rounded = network
    rounded.precision = .bf16
    let exact = try Self.run(try Self.trainer(network, epochs: 8)), outcome = try Self.run(try Self.trainer(rounded, threads: 1, epochs: 8))
    #expect(outcome.epochs != exact.epochs)
    #expect(outcome.epochs.last!.trainLoss < outcome.epochs.first!.trainLoss)
    for (a, b) in zip(outcome.epochs, exact.epochs) {
      #expect(abs(a.trainLoss - b.trainLoss) < 0.03 * b.trainLoss, "epoch \(a.epoch): \(a.trainLoss) and \(b.trainLoss)")
    }
    for threads in [2, 3, 5] {
      let other = try Self.run(try Self.trainer(rounded, threads: threads, epochs: 8))
      #expect(other.weights.values == outcome.weights.values && other.epochs == outcome.epochs, "\(threads) threads")
    }
  }

  /// Stopped after any batch and resumed from the file by a new trainer, the run ends with the same bits.
  @Test(arguments: networks, [1, 3, 4, 6, 13]) func resumingChangesNothing(_ network: NetworkConfiguration, batches: Int) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("runner-resume-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let checkpoint = TwoGenerations(folder.appendingPathComponent("checkpoint").path)
    let whole = try Self.run(try Self.trainer(network))
    let first = try Self.run(try Self.trainer(network), checkpoint: checkpoint, stopAfter: batches)
    #expect(first.stopped)
    let second = try Self.run(try Self.trainer(network), checkpoint: checkpoint)
    #expect(!second.stopped)
    #expect(second.weights.values == whole.weights.values && second.epochs == whole.epochs && second.bestEpoch == whole.bestEpoch)
  }

  /// With a checkpoint after every batch, or whenever one is asked for, and the training cut off behind any of them, nothing changes; nor where
  /// the newest file, or both, are damaged.
  @Test(arguments: [0, 1, 2], [true, false]) func checkpointsWithinAnEpochOutlastDamage(damagedFiles: Int, asked: Bool) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("runner-damage-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = TwoGenerations(folder.appendingPathComponent("checkpoint").path), network = Self.networks[0]
    let whole = try Self.run(try Self.trainer(network))
    struct Cut: Error {}
    var batches = 0
    #expect(throws: Cut.self) {
      try Self.trainer(network).run(
        checkpointing: Checkpointing(files, interval: asked ? .seconds(3600) : .zero) { asked ? batches : 0 }, progress: { _ in batches += 1 },
        epochDone: { if $0.epoch == 2 { throw Cut() } }, shouldStop: { false })
    }
    #expect(files.present.count == 2)
    for path in files.present.prefix(damagedFiles) {
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[bytes.count / 2] ^= 16
      try bytes.write(to: URL(fileURLWithPath: path))
    }
    var said: [String] = []
    let trainer = try Self.trainer(network), place = try trainer.resume(from: files) { said += $0.diagnostics.map(\.message) }
    // Four batches an epoch: the newest was written after the last of the second, the one before it a batch earlier.
    #expect(place?.epochs == [1, 1, nil][damagedFiles] && place?.batches == [4, 3, nil][damagedFiles])
    #expect(said.count == damagedFiles && said.allSatisfy { $0.contains("damaged") })
    let resumed = try trainer.run(checkpointing: nil, progress: { _ in }, epochDone: { _ in }, shouldStop: { false })
    #expect(resumed.weights.values == whole.weights.values && resumed.epochs == whole.epochs)
  }

  /// The engine counts denormals as 0; whoever called it does not, neither before nor afterwards.
  @Test(arguments: [1, 2]) func theCallersArithmeticStaysItsOwn(threads: Int) throws {
    let smallest = Float.leastNormalMagnitude, parts = Float(threads + 1)
    #expect((smallest / parts).isSubnormal)
    let outcome = try Self.run(try Self.trainer(Self.networks[0], threads: threads, epochs: 1))
    #expect((smallest / parts).isSubnormal)
    let predictor = try Predictor(network: Self.networks[0], weights: outcome.weights, height: 16, width: 16, batch: 1, threads: threads)
    _ = predictor.probabilities(Array(Self.samples.images.prefix(256)), count: 1)
    #expect((smallest / parts).isSubnormal)
  }

  @Test func seedsMatter() throws {
    let losses = try [5, 6].map { try Self.run(try Self.trainer(Self.networks[0], seed: $0)).epochs }
    #expect(losses[0] != losses[1])
  }

  @Test func aLossThatIsNotANumberStopsTheTraining() throws {
    var samples = Self.samples
    samples = Samples(side: samples.side, images: samples.images.map { $0 * .infinity }, masks: samples.masks)
    let trainer = try Trainer(
      network: Self.networks[0], training: TrainingConfiguration(seed: 5, batch: 7, l2: 0, bceWeight: 1, diceSmooth: 1),
      phases: [TrainingPhase(name: "train", epochs: 1, learningRate: 1e-3)], samples: samples, trainingIndices: Array(0..<23),
      validationIndices: Array(23..<30), threads: 1)
    #expect(throws: TrainingError.self) { try Self.run(trainer) }
  }

  @Test(arguments: networks) func weightsSurviveTheirFileAndPredictAlike(_ network: NetworkConfiguration) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("runner-\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let outcome = try Self.run(try Self.trainer(network))
    try outcome.weights.write(to: path, metadata: ["made": "test"])
    let read = try NetworkWeights.read(path, for: network)
    #expect(read.values == outcome.weights.values)
    let patches = Array(Self.samples.images.prefix(5 * 256))
    let together = try Predictor(network: network, weights: read, height: 16, width: 16, batch: 3, threads: 2).probabilities(patches, count: 5)
    let alone = try Predictor(network: network, weights: outcome.weights, height: 16, width: 16, batch: 1, threads: 1).probabilities(patches, count: 5)
    #expect(zip(together, alone).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(together.allSatisfy { $0 >= 0 && $0 <= 1 })

    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count - 9] ^= 4
    try bytes.write(to: URL(fileURLWithPath: path))
    #expect(throws: (any Error).self) { try NetworkWeights.read(path, for: network) }
  }
}
