import Ops
import TensorCore

/// A network compiled for a number of images, a mode and a precision: every buffer placed, then a flat list of kernel calls.
public final class Program {
  public let network: Network
  public let images: Int
  public let training: Bool
  public let plan: MemoryPlan

  private struct Step {
    var name: String
    var operation: any CompiledOperation
    var frame: Frame
    /// `frame` with the inputs where backward finds them.
    var backwardFrame: Frame
    /// What is computed again before this step's backward: a step, and its frame with the output's second place.
    var recomputes: [(step: Int, frame: Frame)]
    var parameters: [UnsafeMutablePointer<Float>]
  }
  private var steps: [Step]
  private let arena: AlignedBuffer
  private let scratch: [AlignedBuffer]
  private let shared: AlignedBuffer
  private let parameters: ParameterMemory
  private let pool: ThreadPool
  private var preparedVersion = 0

  /// - Parameters:
  ///   - network: as the architecture wrote it; lowered here.
  ///   - images: images of one call.
  ///   - precision: what its convolutions multiply.
  ///   - parameters: the weights; several programs may share them.
  ///   - sharing: a program that never runs at the same time, whose memory is used again where it is large enough.
  ///   - pairs: false keeps in float32 what would be rounded to bfloat16 by all who read it.
  /// - Throws: `OutOfMemory`.
  public init(
    _ network: Network, images: Int, training: Bool, precision: Precision = .f32, parameters: ParameterMemory, pool: ThreadPool,
    sharing other: Program? = nil, fuse: Bool = true, pairs: Bool = true
  ) throws {
    let lowered = network.lowered(training: training, fuse: fuse)
    func site(_ index: Int, wantsInputGradient: [Bool]) -> Site {
      let node = lowered.nodes[index]
      return Site(
        inputs: node.inputs.map { lowered.shapes[$0] }, output: lowered.shapes[node.output], images: images, training: training,
        precision: precision, wantsInputGradient: wantsInputGradient)
    }
    let paired = pairs ? Paired(lowered) { lowered.nodes[$0].operation.pairing(site($0, wantsInputGradient: [])) } : .nothing
    let plan = MemoryPlan(lowered, images: images, training: training, paired: paired)
    (self.network, self.images, self.training, self.plan) = (lowered, images, training, plan)
    (self.parameters, self.pool) = (parameters, pool)
    let arena = try other.flatMap { $0.arena.count >= plan.arena ? $0.arena : nil } ?? AlignedBuffer(count: plan.arena)
    self.arena = arena

    let compiled = try lowered.nodes.enumerated().map { index, node in
      try node.operation.compile(site(index, wantsInputGradient: node.inputs.map { training && plan.gradients[$0] != nil }))
    }
    let scratchCount = compiled.map(\.scratch).max() ?? 0, sharedCount = compiled.map(\.shared).max() ?? 0
    scratch = try other.flatMap { $0.scratch[0].count >= scratchCount ? $0.scratch : nil }
      ?? (0..<pool.threads).map { _ in try AlignedBuffer(count: scratchCount) }
    shared = try other.flatMap { $0.shared.count >= sharedCount ? $0.shared : nil } ?? AlignedBuffer(count: sharedCount)

    func slab(_ value: Int, _ buffer: MemoryPlan.Buffer?, among paired: Set<Int>) -> Slab {
      let shape = lowered.shapes[value]
      let isPaired = paired.contains(value)
      return Slab(
        data: buffer.map { arena.pointer + $0.offset }, channels: Int64(shape.channels), image_stride: Int64(shape.count / (isPaired ? 2 : 1)),
        paired: isPaired ? 1 : 0)
    }
    func value(_ value: Int, _ buffer: MemoryPlan.Buffer?) -> Slab { slab(value, buffer, among: paired.values) }
    func gradient(_ value: Int) -> Slab { slab(value, plan.gradients[value], among: paired.gradients) }
    // The first backward step to reach a gradient writes it, later ones add.
    var written = Set<Int>()
    var accumulates = [[Int32]](repeating: [], count: lowered.nodes.count)
    for (index, node) in lowered.nodes.enumerated().reversed() {
      accumulates[index] = node.inputs.map { written.insert($0).inserted ? 0 : 1 }
    }
    let (scratchPointers, sharedPointer) = (scratch.map(\.pointer), shared.pointer)
    steps = zip(lowered.nodes.indices, compiled).map { index, operation in
      let node = lowered.nodes[index]
      let frame = Frame(
        inputs: node.inputs.map { value($0, plan.values[$0]) }, output: value(node.output, plan.values[node.output]),
        inputGradients: node.inputs.map(gradient), accumulates: accumulates[index], outputGradient: gradient(node.output),
        parameters: node.parameters.map { parameters.value($0) },
        parameterGradients: training ? node.parameters.map { parameters.gradient($0) } : [], accumulatesParameters: false,
        scratch: scratchPointers, shared: sharedPointer, pool: pool, draw: DropoutDraw(seed: 0, epoch: 0, samples: Array(0..<images)))
      var backwardFrame = frame
      backwardFrame.inputs = node.inputs.map { value($0, plan.recomputed[$0] ?? plan.values[$0]) }
      return Step(
        name: node.name, operation: operation, frame: frame, backwardFrame: backwardFrame, recomputes: [],
        parameters: node.parameters.map { parameters.value($0) })
    }
    for (producer, node) in lowered.nodes.enumerated() {
      guard let buffer = plan.recomputed[node.output] else { continue }
      var frame = steps[producer].backwardFrame
      frame.output = value(node.output, buffer)
      steps[2 * steps.count - buffer.life.lowerBound].recomputes.append((producer, frame))
    }
  }

  /// [images, C, H, W], to be filled before `forward`.
  public var input: UnsafeMutablePointer<Float> { arena.pointer + plan.values[0]!.offset }
  /// [images, 1, H, W] after `forward`.
  public var logits: UnsafeMutablePointer<Float> { arena.pointer + plan.values[network.logits]!.offset }
  /// [images, 1, H, W], to be filled before `backward`.
  public var logitsGradient: UnsafeMutablePointer<Float> { arena.pointer + plan.gradients[network.logits]!.offset }

  /// What this program holds beside weights and optimiser and may share with others: arena, scratch of all threads, shared sums.
  public var workingBuffers: [AlignedBuffer] { [arena] + scratch + [shared] }
  /// Their bytes.
  public var workingBytes: Int { 4 * workingBuffers.reduce(0) { $0 + $1.count } }
  /// Bytes of its own: weights in the kernels' order, statistics.
  public var residentBytes: Int { 4 * steps.reduce(0) { $0 + $1.operation.resident } }

  /// - Parameter draw: what drop-out masks depend on; training only.
  public func forward(_ draw: DropoutDraw? = nil) {
    prepare()
    for index in steps.indices {
      if let draw {
        (steps[index].frame.draw, steps[index].backwardFrame.draw) = (draw, draw)
        for place in steps[index].recomputes.indices { steps[index].recomputes[place].frame.draw = draw }
      }
      steps[index].operation.forward(steps[index].frame)
    }
  }

  /// From `logitsGradient` to the gradients of all parameters.
  /// - Parameter accumulate: add to the gradients (a later slice of the same batch).
  public func backward(accumulate: Bool) {
    for index in steps.indices.reversed() {
      steps[index].backwardFrame.accumulatesParameters = accumulate
      backward(steps[index])
    }
  }

  /// Runs `body` around every step of forward (and backward): for timing by operation.
  public func profile(_ body: (_ name: String, _ kind: String, _ backward: Bool, _ run: () -> Void) -> Void) {
    prepare()
    for (index, step) in steps.enumerated() {
      body(step.name, network.nodes[index].operation.kind, false) { step.operation.forward(step.frame) }
    }
    guard training else { return }
    for (index, step) in steps.enumerated().reversed() {
      body(step.name, network.nodes[index].operation.kind, true) { backward(step) }
    }
  }

  private func backward(_ step: Step) {
    for (producer, frame) in step.recomputes { steps[producer].operation.recompute(frame) }
    step.operation.backward(step.backwardFrame)
  }

  private func prepare() {
    guard preparedVersion != parameters.version else { return }
    pool.run(tasks: steps.count) { task, _ in steps[task].operation.prepare(steps[task].parameters, backward: training) }
    preparedVersion = parameters.version
  }
}
