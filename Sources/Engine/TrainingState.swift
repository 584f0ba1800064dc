import Diagnostics
import Files
import Foundation
import NetworkGraph

/// A training's place between two batches, and its checkpoint file.
struct TrainingState {
  var epochs: [EpochResult] = []
  /// Of the epoch that is running.
  var batchesDone = 0
  var lossSum = 0.0
  var best: [[Float]] = []
  var bestLoss = Double.infinity
  var bestEpoch = 0

  private struct Place: Codable {
    var epochs: [EpochResult]
    var batchesDone: Int
    /// Bit patterns, so that nothing is lost in text.
    var lossSum, bestLoss: UInt64
    var bestEpoch: Int
    var adamStep: Int
  }

  /// - Throws: `UserError` (exit 5).
  func write(_ files: TwoGenerations, memory: ParameterMemory, adam: Adam) throws {
    let place = Place(
      epochs: epochs, batchesDone: batchesDone, lossSum: lossSum.bitPattern, bestLoss: bestLoss.bitPattern, bestEpoch: bestEpoch,
      adamStep: adam.step)
    var entries = [
      Safetensors.Entry(name: "weights", shape: [memory.values.count], values: memory.values.array),
      Safetensors.Entry(name: "adam.m", shape: [memory.values.count], values: adam.firstMoment.array),
      Safetensors.Entry(name: "adam.v", shape: [memory.values.count], values: adam.secondMoment.array),
    ]
    for (parameter, values) in zip(memory.parameters, best) {
      entries.append(Safetensors.Entry(name: "best/\(parameter.name)", shape: parameter.declaration.shape, values: values))
    }
    let json = String(decoding: try JSONEncoder().encode(place), as: UTF8.self)
    let file = Safetensors(entries: entries, metadata: ["place": json])
    try files.write(file.put(into:))
  }

  /// The newest checkpoint that is whole; a damaged one is removed, lest it become the previous one of the next.
  ///
  /// - Parameter damaged: told of each damaged file.
  /// - Returns: nil where there is none.
  /// - Throws: `UserError`: exit 5 where one cannot be read.
  static func read(
    _ files: TwoGenerations, memory: ParameterMemory, adam: Adam, damaged: (_ error: UserError) -> Void
  ) throws -> TrainingState? {
    for path in files.present {
      do { return try read(path, memory: memory, adam: adam) } catch let error as UserError where error.exitCode == .damagedData {
        damaged(error)
        try DurableFile.remove(path)
      }
    }
    return nil
  }

  /// - Parameter ours: whether the file must carry our checksum.
  /// - Throws: `UserError`: exit 5 (unreadable), 6 (damaged, or of another network).
  static func read(_ path: String, memory: ParameterMemory, adam: Adam, ours: Bool = true) throws -> TrainingState {
    let file = try Safetensors.read(path, ours: ours)
    func values(_ name: String, count: Int) throws -> [Float] {
      guard let entry = file[name], entry.values.count == count else {
        throw UserError("\(path): damaged: no \(name) of \(count) numbers", exitCode: .damagedData)
      }
      return entry.values
    }
    guard let json = file.metadata["place"], let place = try? JSONDecoder().decode(Place.self, from: Data(json.utf8)) else {
      throw UserError("\(path): damaged: it does not say where the training stands", exitCode: .damagedData)
    }
    let count = memory.values.count
    let (weights, first, second) = (try values("weights", count: count), try values("adam.m", count: count), try values("adam.v", count: count))
    var best: [[Float]] = []
    if place.bestEpoch > 0 {
      best = try memory.parameters.map { try values("best/\($0.name)", count: $0.declaration.count) }
    }
    memory.values.fill(weights)
    memory.didChange()
    adam.restore(step: place.adamStep, firstMoment: first, secondMoment: second)
    return TrainingState(
      epochs: place.epochs, batchesDone: place.batchesDone, lossSum: Double(bitPattern: place.lossSum), best: best,
      bestLoss: Double(bitPattern: place.bestLoss), bestEpoch: place.bestEpoch)
  }
}
