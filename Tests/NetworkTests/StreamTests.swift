import CKernels
import Engine
import NetworkGraph
import Ops
import TensorCore
import TestSupport
import Testing

/// The random numbers themselves. Committed trainings, and the fingerprints they are kept under, rest on these literals: a change here is a
/// change of what a seed means, and fingerprints must change with it.
///
/// Computed apart, in Python's integers and doubles, from Philox's definition and from what the sources say of key, counter and order
/// (Oracles/random_streams.py).
@Suite(.serialized, .wholeProcessor) struct StreamTests {
  typealias Mask = (key: UInt64, epoch: UInt32, sample: UInt32, layer: UInt32, first: Int64, rate: Float, kept: UInt64)

  static let masks: [Mask] = [
    (1, 1, 0, 11, 0, 0.5, 0x3596_9099_d4d0_377a), (1, 2, 7, 15, 0, 0.5, 0xe7a6_3a4f_cc43_1c55),
    (0x0123_4567_89ab_cdef, 1, 0, 11, 8, 0.5, 0xea04_af25_3052_81ab), (0x0123_4567_89ab_cdef, 300, 579, 73, 4096, 0.3, 0xd1db_6ede_9337_ff79),
  ]

  /// Element i is kept where bit i is 1.
  private static func kept(_ values: some Sequence<Float>) -> UInt64 {
    values.enumerated().reduce(0) { $0 | ($1.element != 0 ? 1 << UInt64($1.offset) : 0) }
  }

  @Test(arguments: masks) func dropoutKeepsTheseElements(_ mask: Mask) {
    let ones = [Float](repeating: 1, count: 64)
    for isa in ck_isa.runnable {
      var y = ones
      isa.use { ck_dropout(ones, &y, mask.first, 64, mask.rate, mask.key, mask.epoch, mask.sample, mask.layer, 0) }
      #expect(Self.kept(y) == mask.kept, "\(isa.testDescription)")
    }
  }

  /// How seed, epoch, sample and layer get from a training to the kernel.
  @Test func aProgramDropsByItsDraw() throws {
    var net = NetworkBuilder(image: FeatureShape(2, 4, 16))
    let dropped = net.apply(Dropout(rate: 0.5), [net.image])
    let network = net.finish(dropped), pool = ThreadPool(threads: 2)
    defer { pool.shutDown() }
    let program = try Program(network, images: 2, training: true, parameters: ParameterMemory(network, training: true), pool: pool)
    program.input.update(repeating: 1, count: 256)
    program.forward(DropoutDraw(seed: 1, epoch: 2, samples: [4, 7]))
    let found = (0..<4).map { Self.kept(UnsafeBufferPointer(start: program.logits + 64 * $0, count: 64)) }
    #expect(found == [0xd65f_87f2_3f6f_6c55, 0x5ea8_a4b0_15c2_1a73, 0xe2a1_b933_c81c_656a, 0x82cd_c32b_8599_807d])
  }

  typealias Layers = (architecture: String, upsampling: NetworkConfiguration.Upsampling, batchNormalization: Bool, numbers: [Int])

  /// At N = 5, in the order of the network. A drop-out's number is its place among the operations that fusion leaves.
  static let layers: [Layers] = [
    ("unet", .nearest, false, [11, 15]),
    ("unet", .nearest, true, [19, 25]),
    (
      "unet++", .transposed, false,
      [
        1, 3, 6, 8, 11, 13, 16, 18, 21, 23, 26, 28, 31, 33, 36, 38, 41, 43, 46, 48, 51, 53, 56, 58, 61, 63, 66, 68, 71, 73,
      ]
    ),
    (
      "unet++", .transposed, true,
      [
        2, 5, 9, 12, 16, 19, 23, 26, 30, 33, 37, 40, 44, 47, 51, 54, 58, 61, 65, 68, 72, 75, 79, 82, 86, 89, 93, 96, 100, 103,
      ]
    ),
    (
      "unet+", .transposed, false,
      [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 44, 46, 49, 51, 54, 56, 59, 61]
    ),
    (
      "unet+", .transposed, true,
      [2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47, 50, 53, 56, 59, 62, 66, 69, 73, 76, 80, 83, 87, 90]
    ),
    (
      "unet+", .nearest, false,
      [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57]
    ),
    (
      "unet+", .nearest, true,
      [2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47, 50, 53, 56, 59, 62, 65, 68, 71, 74, 77, 80, 83, 86]
    ),
  ]

  @Test(arguments: layers) func dropoutsHaveTheseNumbers(_ row: Layers) throws {
    let configuration = NetworkConfiguration(
      architecture: row.architecture, baseFilters: 2, depth: 5, upsampling: row.upsampling, batchNormalization: row.batchNormalization, dropout: 0.5)
    let lowered = try configuration.network(height: 32, width: 32).lowered(training: true)
    let numbers = lowered.nodes.compactMap { ($0.operation as? Dropout)?.layer ?? ($0.operation as? Convolution)?.dropout?.layer }
    #expect(numbers == row.numbers)
  }

  typealias Stream = (purpose: RandomPurpose, word: UInt32, permutation: [Int])

  /// For seed 1, epoch 2, sample 3, each drawn anew.
  static let streams: [Stream] = [
    (.weights, 0xef9f_c8fa, [2, 0, 5, 8, 7, 3, 1, 4, 6, 9]), (.shuffle, 0x1047_6664, [6, 2, 3, 1, 8, 9, 4, 7, 5, 0]),
    (.augmentation, 0xb46e_4fe5, [3, 5, 6, 2, 4, 0, 1, 9, 8, 7]), (.crops, 0x9ecc_d7a6, [2, 5, 7, 3, 0, 1, 8, 4, 9, 6]),
    (.split, 0xa9b6_e303, [4, 2, 3, 5, 0, 7, 1, 8, 9, 6]), (.synthetic, 0x6e24_a2e0, [8, 7, 0, 6, 9, 2, 3, 1, 5, 4]),
    (.testing, 0x75bb_0e54, [8, 1, 3, 9, 6, 5, 0, 7, 2, 4]), (.bootstrap, 0x5fff_dda6, [2, 1, 7, 6, 8, 0, 9, 4, 5, 3]),
  ]

  @Test func everyPurposeDrawsTheseNumbers() {
    for stream in Self.streams {
      var words = CounterRandom(seed: 1, purpose: stream.purpose, epoch: 2, sample: 3), order = words
      #expect(words.nextWord() == stream.word, "\(stream.purpose)")
      #expect(order.permutation(10) == stream.permutation, "\(stream.purpose)")
    }
    #expect(Self.streams.map { $0.purpose } == RandomPurpose.allCases)
    // The upper half of a seed counts, too.
    var large = CounterRandom(seed: 5 << 32 + 1, purpose: .shuffle, epoch: 2, sample: 3)
    #expect(large.nextWord() == 0x265f_e6dd)
  }

  typealias Weights = (architecture: String, parameter: String, first: [Float])

  /// For seed 1 at B = 16, N = 5. A parameter's stream is its place among all of the network's.
  static let weights: [Weights] = [
    ("unet", "down1.conv1.kernel", [0.31949124, -0.38463181, -0.45725369, 0.45804933]),
    ("unet++", "X01.up.kernel", [0.068865612, 0.031349976, -0.18765569, 0.25582904]),
    ("unet+", "C12.kernel", [-0.058423556, 0.077738181, 0.072928399, 0.088147059]),
  ]

  @Test(arguments: weights) func aSeedDrawsTheseWeights(_ row: Weights) throws {
    let network = try ArchitectureTests.configuration(row.architecture, .transposed, base: 16).network(height: 16, width: 16)
    let index = try #require(network.parameters.firstIndex { $0.name == row.parameter })
    let memory = try ParameterMemory(network, training: false)
    memory.initialize(seed: 1)
    for (i, expected) in row.first.enumerated() { #expect(abs(memory.value(index)[i] - expected) < 1e-6, "\(i)") }
  }

  /// Variance 2/fanIn behind the cut, which stands at two deviations of a normal that was widened for it: by 1/0.8796, the deviation that is
  /// left of a normal cut off there. Fan-in is Keras's: of a transposed kernel, its output channels.
  @Test(arguments: [Convolution.Form.plain, .transposed]) func kernelsStartWithHesVariance(_ form: Convolution.Form) throws {
    var net = NetworkBuilder(image: FeatureShape(64, 8, 8))
    let y = net.apply(Convolution(filters: 128, kernel: 3, stride: form == .transposed ? 2 : 1, form: form), [net.image], name: "c")
    let memory = try ParameterMemory(net.finish(y), training: false)
    memory.initialize(seed: 1)
    let start = memory.snapshot(), kernel = start[0].map(Double.init), count = Double(kernel.count)
    let expected = 2 / Double(9 * (form == .transposed ? 128 : 64))
    let mean = kernel.reduce(0, +) / count, variance = kernel.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    #expect(kernel.count == 64 * 128 * 9)
    #expect(abs(variance / expected - 1) < 0.03)
    #expect(abs(mean) < 5 * (variance / count).squareRoot())
    let cut = 2 * expected.squareRoot() / 0.87962566, largest = kernel.reduce(0) { max($0, abs($1)) }
    #expect(largest <= cut * (1 + 1e-6) && largest > 0.99 * cut)
    #expect(start[1].allSatisfy { $0 == 0 })
  }
}
