import NetworkGraph
import Ops
import TensorCore

/// Works a batch in slices of a few images, adding up gradients: the batch's arithmetic with a slice's memory. A network whose
/// statistics run over the whole batch is worked whole in training.
final class BatchSlices {
  let pool: ThreadPool
  private let network: Network
  private let precision: Precision
  private let memory: ParameterMemory
  private let trainingSlice: Int
  private var programs: [Key: Program] = [:]
  private let largest: Program
  private struct Key: Hashable {
    var images: Int
    var training: Bool
  }
  private let probabilities: [AlignedBuffer]
  /// Of one slice.
  private let masks: UnsafeMutablePointer<UInt8>

  /// Enough images that the deepest level fills the kernels, few enough to stay small. Fixed: it decides the order of sums.
  static let slice = 4

  /// - Throws: `OutOfMemory`.
  init(_ network: Network, batch: Int, precision: Precision, memory: ParameterMemory, threads: Int) throws {
    (self.network, self.precision, self.memory) = (network, precision, memory)
    let pool = ThreadPool.computing(threads: threads)
    self.pool = pool
    trainingSlice = network.needsWholeBatch ? batch : min(Self.slice, batch)
    do {
      largest = try Program(network, images: trainingSlice, training: true, precision: precision, parameters: memory, pool: pool)
      probabilities = try (0..<threads).map { _ in try AlignedBuffer(count: network.image.plane) }
    } catch {
      pool.shutDown()
      throw error
    }
    masks = .allocate(capacity: max(trainingSlice, Self.slice) * network.image.plane)
    programs[Key(images: trainingSlice, training: true)] = largest
  }

  deinit {
    pool.shutDown()
    masks.deallocate()
  }

  /// Bytes of all programs made so far, beside weights and optimiser.
  var plannedBytes: Int {
    // What programs share counts once; a program that is larger than the training's (validation, where a batch is smaller than a slice) has its own.
    let working = Dictionary(programs.values.flatMap(\.workingBuffers).map { (ObjectIdentifier($0), $0.count) }, uniquingKeysWith: { $1 })
    return 4 * working.values.reduce(0, +) + programs.values.reduce(0) { $0 + $1.residentBytes }
  }

  /// Makes every program that a training can come to need: slices of validation, and what is left of a batch or of the validation patches.
  /// How many patches there are decides which of the last are needed; they take little beside the others.
  func prepareAll() throws {
    for images in [Self.slice, 1] { _ = try program(images: images, training: false) }
    _ = try program(images: network.needsWholeBatch ? max(trainingSlice - 1, 1) : 1, training: true)
  }

  private func program(images: Int, training: Bool) throws -> Program {
    let key = Key(images: images, training: training)
    if let program = programs[key] { return program }
    let program = try Program(network, images: images, training: training, precision: precision, parameters: memory, pool: pool, sharing: largest)
    programs[key] = program
    return program
  }

  /// Sum of the losses of these samples, added to `before`; in training, `memory` then holds the gradients of their mean.
  /// - Throws: `OutOfMemory`.
  func run(
    _ samples: any PatchSource, _ indices: [Int], onto before: Double = 0, training: Bool, loss: SegmentationLoss, draw: ([Int]) -> DropoutDraw?
  ) throws -> Double {
    let plane = samples.side * samples.side, size = training ? trainingSlice : Self.slice
    var sum = before, start = 0
    while start < indices.count {
      // A remainder smaller than a slice goes one image at a time, so that two programs serve every batch size,
      // unless the batch must stay whole.
      let rest = indices.count - start
      let images = rest >= size ? size : (training && network.needsWholeBatch ? rest : 1)
      let slice = Array(indices[start..<start + images])
      let program = try program(images: images, training: training)
      // Every task below writes its own image's part.
      nonisolated(unsafe) let input = program.input, masks = masks
      pool.run(tasks: images) { n, _ in
        samples.copyImage(slice[n], into: input + n * plane)
        samples.copyMask(slice[n], into: masks + n * plane)
      }
      program.forward(draw(slice))
      var losses = [Double](repeating: 0, count: images)
      losses.withUnsafeMutableBufferPointer { losses in
        nonisolated(unsafe) let losses = losses
        pool.run(tasks: images) { n, thread in
          losses[n] = loss.evaluate(
            logits: program.logits + n * plane, mask: masks + n * plane, count: plane,
            gradient: training ? program.logitsGradient + n * plane : nil, scale: 1 / Double(indices.count),
            probabilities: probabilities[thread].pointer)
        }
      }
      sum += losses.reduce(0, +)
      if training { program.backward(accumulate: start > 0) }
      start += images
    }
    return sum
  }

  /// Milliseconds of every layer, forward and backward, for one slice.
  func profile() -> [EngineBenchmark.Result.Layer] {
    largest.layerTimes()
  }
}
