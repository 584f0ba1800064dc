import NetworkGraph
import TensorCore

/// A trained network for inference: batch norm folded, weights packed once.
public final class Predictor {
  private let program: Program
  private let memory: ParameterMemory
  private let pool: ThreadPool
  private let plane: Int

  /// - Parameters:
  ///   - height, width: of a patch, multiples of 2^(N−1).
  ///   - batch: patches worked at once.
  ///   - fuse: false keeps every operation apart, concatenations as copies: for measuring what fusing saves.
  /// - Throws: `ShapeError` where the sides do not fit the network; `OutOfMemory`.
  public init(
    network configuration: NetworkConfiguration, weights: NetworkWeights, height: Int, width: Int, batch: Int, threads: Int, fuse: Bool = true
  ) throws {
    let network = try configuration.network(height: height, width: width)
    memory = try ParameterMemory(network, training: false)
    memory.restore(weights.values)
    let pool = ThreadPool.computing(threads: threads)
    self.pool = pool
    do {
      program = try Program(network, images: batch, training: false, precision: configuration.precision, parameters: memory, pool: pool, fuse: fuse)
    } catch {
      pool.shutDown()
      throw error
    }
    plane = height * width
  }

  deinit { pool.shutDown() }

  /// Bytes the plan holds, weights included.
  public var plannedBytes: Int { program.workingBytes + program.residentBytes + 4 * memory.values.count }

  /// - Parameter patches: [count, height, width], intensities in [0, 1].
  /// - Returns: the foreground's probabilities, laid out alike.
  public func probabilities(_ patches: [Float], count: Int) -> [Float] {
    precondition(patches.count == count * plane, "\(patches.count) values are not \(count) patches of \(plane)")
    return [Float](unsafeUninitializedCapacity: patches.count) { result, initialized in
      patches.withUnsafeBufferPointer { source in
        var start = 0
        while start < count {
          let images = min(program.images, count - start)
          program.input.update(from: source.baseAddress! + start * plane, count: images * plane)
          if images < program.images { (program.input + images * plane).update(repeating: 0, count: (program.images - images) * plane) }
          program.forward()
          let target = result.baseAddress! + start * plane, logits = program.logits, plane = plane
          pool.run(tasks: images) { n, _ in sigmoid(logits + n * plane, into: target + n * plane, count: plane) }
          start += images
        }
      }
      initialized = patches.count
    }
  }

  /// Milliseconds of every layer for one batch.
  public func profile() -> [EngineBenchmark.Result.Layer] { program.layerTimes() }
}
