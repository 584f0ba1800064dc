import CKernels
import Testing

/// Floats between guards; everything starts as NaN, so that what is read without having been written shows.
final class Guarded {
  static let margin = 64
  let count: Int
  private let base: UnsafeMutablePointer<Float>
  /// 64-byte aligned.
  var start: UnsafeMutablePointer<Float> { base + Guarded.margin }

  init(_ count: Int) {
    self.count = count
    base = UnsafeMutableRawPointer.allocate(byteCount: (count + 2 * Guarded.margin) * 4, alignment: 64)
      .bindMemory(to: Float.self, capacity: count + 2 * Guarded.margin)
    base.initialize(repeating: .nan, count: count + 2 * Guarded.margin)
  }

  convenience init(_ values: [Float]) {
    self.init(values.count)
    start.update(from: values, count: count)
  }

  /// Values in [−1, 1), the same for the same seed. (`while` where it is hot: tests are not optimised.)
  convenience init(_ count: Int, seed: UInt32) {
    self.init(count)
    var state = seed &* 2_654_435_761 &+ 1, i = 0
    while i < count {
      state = state &* 1_664_525 &+ 1_013_904_223
      start[i] = Float(state >> 8) * 0x1p-23 - 1
      i += 1
    }
  }

  deinit { base.deallocate() }

  var values: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }
  var isIntact: Bool {
    var i = 0
    while i < Guarded.margin {
      if !base[i].isNaN || !start[count + i].isNaN { return false }
      i += 1
    }
    return true
  }
}

/// A convolution with its operands' layout: input channels in slabs, images with gaps between them.
struct Convolution: CustomTestStringConvertible, Sendable {
  var conv: ck_conv
  var slabs: [Int]
  var relu = true
  var precision: ck_precision {
    get { conv.precision }
    set { conv.precision = newValue }
  }
  static let gap = 3

  init(
    _ kind: ck_conv_kind, kernel: Int, stride: Int, padding: Int, sides: (Int, Int), slabs: [Int], to channels: Int, images: Int = 2,
    grow: Int = 0
  ) {
    // Keras's "same" sides, and `grow` more where the kind leaves a choice.
    func out(_ side: Int) -> Int {
      switch kind {
      case CK_CONV_TRANSPOSED: stride * side + grow
      case CK_CONV_NEAREST2: 2 * side + grow
      default: (side + stride - 1) / stride + grow
      }
    }
    conv = ck_conv(
      kind: kind, images: Int32(images), in_channels: Int32(slabs.reduce(0, +)), out_channels: Int32(channels), in_height: Int32(sides.0),
      in_width: Int32(sides.1), out_height: Int32(out(sides.0)), out_width: Int32(out(sides.1)), kernel: Int32(kernel),
      stride: Int32(stride), pad_top: Int32(padding), pad_left: Int32(padding), precision: CK_FLOAT32)
    self.slabs = slabs
  }

  var testDescription: String {
    let kind = [CK_CONV: "conv", CK_CONV_TRANSPOSED: "transposed", CK_CONV_NEAREST2: "nearest"][conv.kind]!
    return
      "\(kind) \(conv.kernel)×\(conv.kernel) / \(conv.stride), pad \(conv.pad_top), \(slabs)×\(conv.in_height)×\(conv.in_width) → \(conv.out_channels)×\(conv.out_height)×\(conv.out_width)"
  }

  var inPlane: Int { Int(conv.in_height * conv.in_width) }
  var outPlane: Int { Int(conv.out_height * conv.out_width) }
  var kernelCount: Int { Int(conv.in_channels * conv.out_channels * conv.kernel * conv.kernel) }
  var outImage: Int { Int(conv.out_channels) * outPlane + Convolution.gap }
  func inImage(_ slab: Int) -> Int { slabs[slab] * inPlane + Convolution.gap }

  /// Values for every image, NaN in the gaps.
  private func images(of length: Int, seed: UInt32, gaps: Float = .nan) -> Guarded {
    let count = Int(conv.images) * (length + Convolution.gap)
    let values = Guarded(count, seed: seed)
    for n in 0..<Int(conv.images) { for g in 0..<Convolution.gap { values.start[n * (length + Convolution.gap) + length + g] = gaps } }
    return values
  }

  struct Results: Equatable {
    var y: [Float] = [], dx: [[Float]] = [], dkernel: [Float] = [], dbias: [Float] = []
    var intact = true
    var all: [[Float]] { [y] + dx + [dkernel, dbias] }
  }

  func x() -> [Guarded] { slabs.indices.map { images(of: slabs[$0] * inPlane, seed: UInt32(10 + $0)) } }
  func dy() -> Guarded { images(of: Int(conv.out_channels) * outPlane, seed: 2) }
  func kernel() -> Guarded { Guarded(kernelCount, seed: 3) }

  /// What stands as words of two channels.
  struct Paired: OptionSet, Sendable {
    var rawValue: Int
    static let x = Paired(rawValue: 1), y = Paired(rawValue: 2), mask = Paired(rawValue: 4), dy = Paired(rawValue: 8), dx = Paired(rawValue: 16)
  }

  /// A tensor's memory: planes, or words of two where `paired`; gaps stay.
  func placed(_ values: Guarded, channels: Int, plane: Int, paired: Bool) -> (memory: Guarded, slab: ck_slab) {
    let stride = (paired ? channels / 2 : channels) * plane + Convolution.gap
    let memory = paired ? Guarded(bfloat16Pairs(values.values, image: channels * plane, gap: Convolution.gap, plane: plane)) : values
    return (memory, ck_slab(data: memory.start, channels: Int64(channels), image_stride: Int64(stride), paired: paired ? 1 : 0))
  }

  func read(_ memory: Guarded, channels: Int, plane: Int, paired: Bool) -> [Float] {
    paired ? ofBFloat16Pairs(memory.values, image: channels / 2 * plane, gap: Convolution.gap, plane: plane) : memory.values
  }

  /// All passes with the instruction set in use; tasks in order or in reverse, each with scratch full of NaN.
  /// `accumulate`: gradients are added to what is there, on every second slab. Gaps of the outputs hold 0.25.
  func run(
    accumulate: Bool = false, reversed: Bool = false, withoutSlab skipped: Int? = nil, withoutBias: Bool = false, paired: Paired = []
  ) -> Results {
    var c = conv
    var results = Results()
    func order(_ count: Int32) -> [Int32] { reversed ? (0..<count).reversed() : Array(0..<count) }
    func check(_ buffers: Guarded...) { results.intact = results.intact && buffers.allSatisfy(\.isIntact) }

    let inChannels = slabs, outChannels = Int(c.out_channels)
    let inputs = x().enumerated().map { placed($1, channels: inChannels[$0], plane: inPlane, paired: paired.contains(.x)) }
    let (gradient, dySlab) = placed(dy(), channels: outChannels, plane: outPlane, paired: paired.contains(.dy))
    let weights = kernel()
    let bias = Guarded(samples(Int(c.out_channels), seed: 4).map { withoutBias ? 0 : $0 })
    var slabList = inputs.map(\.slab)
    let count = Int32(slabs.count)
    let (y, out) = placed(images(of: outChannels * outPlane, seed: 5, gaps: 0.25), channels: outChannels, plane: outPlane, paired: paired.contains(.y))

    let packed = Guarded(ck_conv_forward_packed(&c))
    ck_conv_forward_pack(&c, weights.start, packed.start)
    for task in order(ck_conv_forward_tasks(&c)) {
      let scratch = Guarded(ck_conv_forward_scratch(&c))
      ck_conv_forward(&c, task, &slabList, count, packed.start, bias.start, relu ? 1 : 0, out, scratch.start)
      check(scratch)
    }
    check(packed, y)
    results.y = read(y, channels: outChannels, plane: outPlane, paired: paired.contains(.y))

    // The mask is taken from other values than the output, so that the gradient does not rest on the forward pass.
    let mask: Guarded
    var masked: ck_slab
    (mask, masked) = placed(images(of: outChannels * outPlane, seed: 6), channels: outChannels, plane: outPlane, paired: paired.contains(.mask))
    if !relu { masked.data = nil }
    let gradients = slabs.indices.map {
      placed(images(of: slabs[$0] * inPlane, seed: UInt32(20 + $0), gaps: 0.25), channels: slabs[$0], plane: inPlane, paired: paired.contains(.dx))
    }
    let dx = gradients.map(\.memory)
    var dxList = gradients.map(\.slab)
    if let skipped { dxList[skipped].data = nil }
    let adding = slabs.indices.map { Int32(accumulate && $0 % 2 == 0 ? 1 : 0) }
    let back = Guarded(ck_conv_backward_data_packed(&c))
    ck_conv_backward_data_pack(&c, weights.start, back.start)
    for task in order(ck_conv_backward_data_tasks(&c)) {
      let scratch = Guarded(ck_conv_backward_data_scratch(&c))
      ck_conv_backward_data(&c, task, dySlab, masked, back.start, dxList, adding, count, scratch.start)
      check(scratch)
    }
    check(back)
    dx.forEach { check($0) }
    results.dx = dx.enumerated().map { read($1, channels: slabs[$0], plane: inPlane, paired: paired.contains(.dx)) }

    let partials = Guarded(ck_conv_backward_weights_partials(&c))
    for task in order(ck_conv_backward_weights_tasks(&c)) {
      let scratch = Guarded(ck_conv_backward_weights_scratch(&c))
      ck_conv_backward_weights(&c, task, &slabList, count, dySlab, masked, partials.start, scratch.start)
      check(scratch)
    }
    let dkernel = Guarded(kernelCount, seed: 7), dbias = Guarded(Int(c.out_channels), seed: 8)
    for task in order(ck_conv_backward_weights_reduce_tasks(&c)) {
      ck_conv_backward_weights_reduce(&c, task, partials.start, dkernel.start, dbias.start, accumulate ? 1 : 0)
    }
    check(partials, dkernel, dbias, weights, bias, gradient, mask)
    results.dkernel = dkernel.values
    results.dbias = dbias.values
    return results
  }
}

/// The largest difference, as a share of the largest magnitude of `b`; infinite where one is NaN.
func largestError(_ a: [Float], _ b: [Float]) -> Float {
  precondition(a.count == b.count)
  var difference: Float = 0, magnitude: Float = .leastNormalMagnitude
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      var i = 0
      while i < a.count {
        let d = (a[i] - b[i]).magnitude
        if !(d <= difference) { difference = d.isNaN ? .infinity : d }
        if b[i].magnitude > magnitude { magnitude = b[i].magnitude }
        i += 1
      }
    }
  }
  return difference / magnitude
}
