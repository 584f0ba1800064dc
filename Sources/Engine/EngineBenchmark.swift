import Foundation
import NetworkGraph
import Ops
import TensorCore

/// Times inference or training steps of a network on made-up patches, in this process.
public struct EngineBenchmark: Sendable {
  public enum Mode: String, Sendable, CaseIterable { case infer, train }

  public struct Result: Sendable {
    public var network: NetworkConfiguration
    public var mode: Mode
    public var batch, threads, side: Int
    public var millisecondsPerPatch: [Double]
    /// Multiply–adds of one patch, forward; a training step is counted as three times that.
    public var multiplyAdds: Int
    public var peakResidentMegabytes: Double
    /// What was resident before, and what the memory plan expects of patches, weights, programs and optimiser.
    public var plannedMegabytes: Double
    /// From building the network to the end of the first call.
    public var firstCallMilliseconds: Double
    /// When the first call ended, Unix seconds: whoever started this process learns from it how long the whole start took.
    public var firstCallEnded: Double
    /// Milliseconds of one call by layer, where asked for.
    public var layers: [Layer]

    public struct Layer: Sendable {
      public var name, kind: String
      public var backward: Bool
      public var milliseconds: Double
      public var multiplyAdds: Int
      /// What must cross the memory at least once: feature maps read and written, weights and their gradients (float32).
      public var bytes: Int
    }
    public var median: Double { millisecondsPerPatch.sorted()[millisecondsPerPatch.count / 2] }
    public var minimum: Double { millisecondsPerPatch.min()! }
    /// Direct-equivalent: 2 floating-point operations a multiply–add, whatever algorithm computed it.
    public var gigaflops: Double { 2 * Double(multiplyAdds) * (mode == .train ? 3 : 1) / (median * 1e6) }
  }

  public var network: NetworkConfiguration
  public var mode: Mode
  public var batch: Int
  public var threads: Int
  public var side: Int
  /// How long to go on measuring; three calls at least.
  public var seconds: Double

  public init(network: NetworkConfiguration, mode: Mode, batch: Int, threads: Int, side: Int = 256, seconds: Double = 4) {
    (self.network, self.mode, self.batch) = (network, mode, batch)
    (self.threads, self.side, self.seconds) = (threads, side, seconds)
  }

  /// - Parameter byLayer: also time every layer of one slice.
  /// - Throws: `ShapeError` where the side does not fit the network; `OutOfMemory`.
  public func run(byLayer: Bool = false) throws -> Result {
    let clock = ContinuousClock(), start = clock.now, before = Processor.residentMegabytes
    var random = CounterRandom(seed: 0, purpose: .testing)
    let images = (0..<batch * side * side).map { _ in random.uniform() }
    let call: () throws -> Void, planned: Int
    let layers: () -> [Result.Layer]
    let symbolic = try network.network(height: side, width: side)
    switch mode {
    case .infer:
      let predictor = try Predictor(network: network, weights: .madeUp(for: network), height: side, width: side, batch: batch, threads: threads)
      call = { _ = predictor.probabilities(images, count: batch) }
      planned = predictor.plannedBytes + 2 * 4 * images.count  // patches, and their probabilities
      layers = { predictor.profile() }
    case .train:
      let memory = try ParameterMemory(symbolic, training: true)
      memory.initialize(seed: 1)
      let adam = try Adam(memory, l2: 0)
      let slices = try BatchSlices(symbolic, batch: batch, precision: network.precision, memory: memory, threads: threads)
      let samples = Samples(side: side, images: images, masks: images.map { $0 > 0.8 ? 1 : 0 })
      let loss = SegmentationLoss(bceWeight: 1, diceSmooth: 1)
      call = {
        _ = try slices.run(samples, Array(0..<batch), training: true, loss: loss) { DropoutDraw(seed: 1, epoch: 1, samples: $0) }
        adam.update(learningRate: 1e-3, pool: slices.pool)
      }
      planned = slices.plannedBytes + 4 * 4 * memory.values.count + 5 * images.count  // patches, and their masks
      layers = { slices.profile() }
    }
    try call()
    let first = (clock.now - start).seconds * 1e3, firstEnded = Date().timeIntervalSince1970
    try call()
    var times: [Double] = []
    let begin = clock.now
    while times.count < 3 || (clock.now - begin).seconds < seconds {
      let before = clock.now
      try call()
      times.append((clock.now - before).seconds * 1e3 / Double(batch))
    }
    return Result(
      network: network, mode: mode, batch: batch, threads: threads, side: side, millisecondsPerPatch: times, multiplyAdds: symbolic.multiplyAdds,
      peakResidentMegabytes: Processor.peakResidentMegabytes, plannedMegabytes: before + Double(planned) / 1e6, firstCallMilliseconds: first,
      firstCallEnded: firstEnded, layers: byLayer ? layers() : [])
  }
}

extension Program {
  /// Milliseconds a layer, medians over `rounds` slices.
  func layerTimes(rounds: Int = 9) -> [EngineBenchmark.Result.Layer] {
    let clock = ContinuousClock()
    var times: [[Double]] = [], layers: [EngineBenchmark.Result.Layer] = []
    for round in 0..<rounds {
      var index = 0
      profile { name, kind, backward, run in
        let before = clock.now
        run()
        let elapsed = (clock.now - before).seconds * 1e3
        if round == 0 {
          let node = network.nodes[backward ? 2 * network.nodes.count - 1 - index : index]
          let weights = node.parameters.reduce(0) { $0 + network.parameters[$1].declaration.count }
          let inputs = node.inputs.reduce(0) { $0 + network.shapes[$1].count }, output = network.shapes[node.output].count
          // Backward computes the gradients of weights and of inputs; the image wants none.
          let passes = backward && plan.gradients[node.inputs[0]] != nil ? 2 : 1
          times.append([])
          layers.append(
            .init(
              name: name, kind: kind, backward: backward, milliseconds: 0,
              multiplyAdds: network.multiplyAdds(of: node) * images * passes, bytes: 4 * ((inputs * passes + output) * images + weights * passes)))
        }
        times[index].append(elapsed)
        index += 1
      }
    }
    for index in layers.indices { layers[index].milliseconds = times[index].sorted()[rounds / 2] }
    return layers
  }
}
