import Datasets
import Engine
import ExperimentSpec
import Foundation
import Ops
import Report

/// Times of trained networks: of each one patch at a time, pass by pass over all scored images, in both precisions, with one thread and with
/// all (the paper's way, on a processor).
///
/// All take turns: after a round to warm up each round has one pass of each, in a rotated order. What the machine does meanwhile then falls on all of
/// them alike; only times of one turn can be compared.
struct TimesInTurn {
  struct Network {
    var trial: Int
    var settings: TrialSettings
    var weights: NetworkWeights
    /// Whether they are the trial's own.
    var isTrained: Bool
    var patches: PatchStore
  }

  /// What was found of a network: its own time last.
  struct Found {
    var times: [(precision: TrainSettings.Precision, threads: Int, passes: [Double])]
    var profile: OperationProfile
  }

  /// When it began, to the millisecond (two turns may begin in one second): which times were taken together.
  let turn = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  private(set) var found: [Found] = []

  /// - Parameters:
  ///   - threads: all; times with one are taken besides.
  ///   - progress: called with the number of rounds done, of `rounds`.
  /// - Throws: `OutOfMemory`; `CancellationError` where `shouldStop` says so.
  init(_ networks: [Network], threads: Int, progress: (Int) -> Void, shouldStop: () -> Bool) throws {
    let contenders = networks.indices.flatMap { network in
      TrainSettings.Precision.measured(last: networks[network].settings.train.precision).flatMap { precision in
        Set([1, threads]).sorted().map { Contender(network: network, precision: precision, threads: $0) }
      }
    }
    var passes = [[Double]](repeating: [], count: contenders.count), profiles = [[OperationProfile]](repeating: [], count: networks.count)
    for round in 0..<Self.rounds(networks.map(\.settings)) {
      for place in contenders.indices {
        let index = (place + round) % contenders.count, contender = contenders[index], network = networks[contender.network]
        guard round <= network.settings.evaluate.timingPasses else { continue }
        let milliseconds = try contender.pass(network, shouldStop)
        if round > 0 { passes[index].append(milliseconds) }
      }
      for (index, network) in networks.enumerated() where round > 0 && round <= network.settings.evaluate.timingPasses {
        if shouldStop() { throw CancellationError() }
        profiles[index].append(try OperationProfile(network.weights, network.settings, side: network.patches.size, threads: threads))
      }
      progress(round + 1)
    }
    found = networks.indices.map { network in
      Found(
        times: contenders.indices.filter { contenders[$0].network == network }.map { (contenders[$0].precision, contenders[$0].threads, passes[$0]) },
        profile: OperationProfile(medianOf: profiles[network]))
    }
  }

  /// One to warm up, and the passes.
  static func rounds(_ settings: [TrialSettings]) -> Int { 1 + (settings.map(\.evaluate.timingPasses).max() ?? 0) }

  private struct Contender {
    var network: Int
    var precision: TrainSettings.Precision
    var threads: Int

    /// Mean milliseconds a patch.
    func pass(_ network: Network, _ shouldStop: () -> Bool) throws -> Double {
      var settings = network.settings
      settings.train.precision = precision
      let patches = network.patches
      let predictor = try Predictor(
        network: settings.networkConfiguration, weights: network.weights, height: patches.size, width: patches.size, batch: 1, threads: threads)
      // The first patch fetches weights and code, which the network before took the place of.
      _ = predictor.probabilities(patches.images(0..<1), count: 1)
      var seconds = 0.0
      let clock = ContinuousClock()
      for index in 0..<patches.count {
        if shouldStop() { throw CancellationError() }
        let image = patches.images(index..<(index + 1)), start = clock.now
        _ = predictor.probabilities(image, count: 1)
        seconds += (clock.now - start).seconds
      }
      return seconds * 1000 / Double(patches.count)
    }
  }
}

extension TimingRecord {
  /// - Parameter log: of the trial, for what its training took.
  init(
    _ record: TrialRecord, _ time: (precision: TrainSettings.Precision, threads: Int, passes: [Double]), turn: String, isMain: Bool, isTrained: Bool,
    _ log: [LogLine]
  ) {
    self.init(
      trial: record.trial, seed: record.seed, threads: time.threads, precision: time.precision.rawValue,
      millisecondsPerPatchMedian: time.passes.median!, millisecondsPerPatchMinimum: time.passes.min()!, passes: time.passes,
      trainSeconds: log.trainingSeconds, peakRSSMegabytes: log.peakMegabytes ?? .nan, trainThreads: log.trainThreads, isMain: isMain, turn: turn,
      processor: Processor.name, isOfTrainedWeights: isTrained)
  }
}

extension TrainSettings.Precision {
  /// What times are taken in: float32 and, where this processor multiplies it itself, bfloat16; in any case `own`, as the last.
  fileprivate static func measured(last own: Self) -> [Self] {
    let isNative = Processor.instructionSet(for: .bf16) != Processor.instructionSet(for: .f32)
    return (isNative ? [.f32, .bf16] : [.f32]).filter { $0 != own } + [own]
  }
}

extension OperationProfile {
  /// Of one patch at a time.
  fileprivate init(_ weights: NetworkWeights, _ settings: TrialSettings, side: Int, threads: Int) throws {
    func layers(fuse: Bool) throws -> [EngineBenchmark.Result.Layer] {
      try Predictor(network: settings.networkConfiguration, weights: weights, height: side, width: side, batch: 1, threads: threads, fuse: fuse).profile()
    }
    let operations = Dictionary(grouping: try layers(fuse: true), by: \.kind).map { kind, layers in
      OperationTime(
        operation: kind, milliseconds: layers.reduce(0) { $0 + $1.milliseconds }, multiplyAdds: layers.reduce(0) { $0 + $1.multiplyAdds })
    }
    let copies = try layers(fuse: false).filter { $0.kind == Concatenation().kind }.reduce(0) { $0 + $1.milliseconds }
    self.init(threads: threads, operations: operations.sorted { $0.operation < $1.operation }, concatenationAsCopies: copies)
  }

  /// Of profiles of one network, one a round: medians, and the least and the largest share that the concatenations would add.
  fileprivate init(medianOf rounds: [OperationProfile]) {
    let shares = rounds.map { $0.concatenationAsCopies / $0.operations.reduce(0) { $0 + $1.milliseconds } }
    self.init(
      threads: rounds[0].threads,
      operations: rounds[0].operations.enumerated().map { index, operation in
        OperationTime(
          operation: operation.operation, milliseconds: rounds.map { $0.operations[index].milliseconds }.median!, multiplyAdds: operation.multiplyAdds)
      },
      concatenationAsCopies: rounds.map(\.concatenationAsCopies).median!, leastShare: shares.min(), largestShare: shares.max())
  }
}
