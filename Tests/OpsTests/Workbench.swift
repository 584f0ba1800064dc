import CKernels
import Ops
import TensorCore

/// One sample of an operation with random inputs and parameters, run alone: the kernels on one side, the definition in
/// double precision on the other.
struct Workbench {
  var sample: OperationSample
  let output: FeatureShape
  var inputs: [Tensor<Double>]
  var parameters: [[Double]]
  let declarations: [ParameterDeclaration]
  var upstream: Tensor<Double>

  init(_ sample: OperationSample, seed: Int = 3) throws {
    self.sample = sample
    output = try sample.operation.inferShape(sample.inputs)
    declarations = sample.operation.parameters(sample.inputs)
    var random = CounterRandom(seed: seed, purpose: .testing)
    // Distinct values, so that no maximum ties and few ReLUs sit on their kink; representable in float32.
    func values(_ count: Int) -> [Double] { (0..<count).map { _ in Double(random.normal()) } }
    inputs = sample.inputs.map { Tensor(images: sample.images, shape: $0, values: values(sample.images * $0.count)) }
    parameters = declarations.map { declaration in
      values(declaration.count).map { declaration.name == "moving_variance" ? abs($0) + 0.5 : $0 * 0.5 }.map { Double(Float($0)) }
    }
    upstream = Tensor(images: sample.images, shape: output, values: values(sample.images * output.count))
  }

  func reference() -> Tensor<Double> { sample.operation.reference(inputs, parameters) }

  /// ⟨upstream, output⟩, the scalar whose gradient `backward` computes.
  func objective() -> Double { zip(reference().values, upstream.values).reduce(0) { $0 + $1.0 * $1.1 } }

  struct Result: Equatable {
    var output: [Float]
    var inputGradients: [[Float]]
    var parameterGradients: [[Float]]
    var guardsIntact: Bool
  }

  /// - Parameters:
  ///   - accumulate: gradients start from ones and are added to, instead of garbage that is overwritten.
  ///   - replacing: gradients stand where the operation says they may.
  func run(threads: Int, accumulate: Bool = false, replacing: Bool = false) throws -> Result {
    let pool = ThreadPool(threads: threads)
    defer { pool.shutDown() }
    let site = Site(
      inputs: sample.inputs, output: output, images: sample.images, training: true, wantsInputGradient: sample.inputs.map { _ in true })
    let compiled = try sample.operation.compile(site)
    // Images stand further apart than they are long; what lies between must stay as it is.
    let gap = 7, guardValue: Float = -77
    var buffers: [AlignedBuffer] = []
    func slab(_ shape: FeatureShape, _ values: [Double]?, filling: Float) throws -> Slab {
      let stride = shape.count + gap, buffer = try AlignedBuffer(count: sample.images * stride)
      buffers.append(buffer)
      buffer.pointer.update(repeating: guardValue, count: buffer.count)
      for n in 0..<sample.images {
        for i in 0..<shape.count { buffer.pointer[n * stride + i] = values.map { Float($0[n * shape.count + i]) } ?? filling }
      }
      return Slab(data: buffer.pointer, channels: Int64(shape.channels), image_stride: Int64(stride))
    }
    func read(_ slab: Slab, _ shape: FeatureShape) -> [Float] {
      (0..<sample.images).flatMap { n in (0..<shape.count).map { slab.image(n)[$0] } }
    }
    let start: Float = accumulate ? 1 : .signalingNaN
    let inputSlabs = try zip(sample.inputs, inputs).map { try slab($0, $1.values, filling: 0) }
    let outputSlab = try slab(output, nil, filling: .signalingNaN)
    let upstreamSlab = try slab(output, upstream.values, filling: 0)
    let gradientSlabs =
      switch replacing ? sample.operation.inputGradientReplaces : .nothing {
      case .nothing: try sample.inputs.map { try slab($0, nil, filling: start) }
      case .outputGradient: [upstreamSlab]
      case .input: inputSlabs
      }
    let weights = try parameters.map { values in
      let buffer = try AlignedBuffer(count: values.count)
      buffer.fill(values.map { Float($0) })
      return buffer
    }
    // Moving statistics have no gradient: nothing may write theirs.
    let weightGradients = try zip(parameters, declarations).map { values, declaration in
      let buffer = try AlignedBuffer(count: values.count)
      buffer.fill(values.map { _ in declaration.trainable ? start : 0 })
      return buffer
    }
    let scratch = try (0..<threads).map { _ in try AlignedBuffer(count: compiled.scratch) }, shared = try AlignedBuffer(count: compiled.shared)
    let frame = Frame(
      inputs: inputSlabs, output: outputSlab, inputGradients: gradientSlabs, accumulates: sample.inputs.map { _ in accumulate ? 1 : 0 },
      outputGradient: upstreamSlab, parameters: weights.map(\.pointer), parameterGradients: weightGradients.map(\.pointer),
      accumulatesParameters: accumulate, scratch: scratch.map(\.pointer), shared: shared.pointer, pool: pool,
      draw: DropoutDraw(seed: 0, epoch: 0, samples: Array(0..<sample.images)))
    compiled.prepare(weights.map(\.pointer), backward: true)
    compiled.forward(frame)
    compiled.backward(frame)
    let intact = buffers.enumerated().allSatisfy { _, buffer in
      let stride = buffer.count / sample.images
      return (0..<sample.images).allSatisfy { n in (stride - gap..<stride).allSatisfy { buffer.pointer[n * stride + $0] == guardValue } }
    }
    return withExtendedLifetime((buffers, scratch, shared, weights)) {
      Result(
        output: read(outputSlab, output), inputGradients: zip(gradientSlabs, sample.inputs).map { read($0, $1) },
        parameterGradients: weightGradients.map(\.array), guardsIntact: intact)
    }
  }
}

/// Largest distance, relative to the largest magnitude expected.
func distance(_ measured: [Float], _ expected: [Double]) -> Double {
  let scale = expected.reduce(1e-6) { max($0, abs($1)) }
  return zip(measured, expected).reduce(0) { $1.0.isFinite ? max($0, abs(Double($1.0) - $1.1) / scale) : .infinity }
}
