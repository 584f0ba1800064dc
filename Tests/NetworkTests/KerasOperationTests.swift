import CKernels
import Engine
import Ops
import TensorCore
import TestSupport
import Testing

/// Single operations against Keras, as `Tests/Oracles/keras_operations.py` stored them: output and every gradient, to what float32 leaves of
/// numbers computed in double.
@Suite(.serialized, .wholeProcessor) struct KerasOperationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    static let fixture = KerasFixture("operations")
    let name: String
    var testDescription: String { name }

    subscript(part: String) -> Safetensors.Entry { Self.fixture["\(name)/\(part)"] }
    /// What there is to be compared: y, dx and the parameters' gradients.
    var outcomes: [String] {
      let prefix = "\(name)/"
      return Self.fixture.file.entries.filter { $0.name.hasPrefix(prefix) }.map { String($0.name.dropFirst(prefix.count)) }
        .filter { $0 == "y" || $0.hasPrefix("d") && $0 != "dy" }.sorted()
    }

    var operation: any Operation {
      let facts = Self.fixture.file.metadata, stride = Int(facts["\(name).stride"]!)!
      switch facts["\(name).kind"]! {
      case "convolution": return Convolution(filters: self["kernel"].shape[0], kernel: self["kernel"].shape[2], stride: stride)
      case "transposed": return Convolution(filters: self["kernel"].shape[1], kernel: self["kernel"].shape[2], stride: stride, form: .transposed)
      case "max_pool": return MaxPool2()
      case "nearest": return Nearest2()
      case "batch_norm": return BatchNormalization()
      case let kind: preconditionFailure("no operation is a \(kind)")
      }
    }
  }

  static let cases = Case.fixture.file.metadata["cases"]!.split(separator: ",").map { Case(name: String($0)) }

  /// Forward and backward with the instruction set in use, by the names under which Keras's are stored.
  private static func run(_ stored: Case) throws -> [String: [Float]] {
    let operation = stored.operation, x = stored["x"], images = x.shape[0]
    let input = FeatureShape(x.shape[1], x.shape[2], x.shape[3]), output = try operation.inferShape([input])
    #expect(stored["y"].shape == [images, output.channels, output.height, output.width])
    let declarations = operation.parameters([input])
    func buffer(_ values: [Float]) throws -> AlignedBuffer {
      let buffer = try AlignedBuffer(count: values.count)
      buffer.fill(values)
      return buffer
    }
    let weights = try declarations.map { declaration in
      // Moving statistics are as they begin: training does not read them.
      if case .constant(let start) = declaration.initializer, !declaration.trainable {
        return try buffer([Float](repeating: start, count: declaration.count))
      }
      #expect(stored[declaration.name].shape == declaration.shape)
      return try buffer(stored[declaration.name].values)
    }
    let missing = Float.nan
    let from = try buffer(x.values), upstream = try buffer(stored["dy"].values)
    let to = try buffer([Float](repeating: missing, count: images * output.count)), dx = try buffer([Float](repeating: missing, count: images * input.count))
    let gradients = try declarations.map { try buffer([Float](repeating: missing, count: $0.count)) }
    func slab(_ buffer: AlignedBuffer, _ shape: FeatureShape) -> Slab {
      Slab(data: buffer.pointer, channels: Int64(shape.channels), image_stride: Int64(shape.count))
    }

    let pool = ThreadPool(threads: 2)
    defer { pool.shutDown() }
    let compiled = try operation.compile(Site(inputs: [input], output: output, images: images, training: true, wantsInputGradient: [true]))
    let scratch = try (0..<2).map { _ in try AlignedBuffer(count: compiled.scratch) }, shared = try AlignedBuffer(count: compiled.shared)
    let frame = Frame(
      inputs: [slab(from, input)], output: slab(to, output), inputGradients: [slab(dx, input)], accumulates: [0],
      outputGradient: slab(upstream, output), parameters: weights.map(\.pointer), parameterGradients: gradients.map(\.pointer),
      accumulatesParameters: false, scratch: scratch.map(\.pointer), shared: shared.pointer, pool: pool,
      draw: DropoutDraw(seed: 0, epoch: 0, samples: Array(0..<images)))
    return withExtendedLifetime((from, upstream, weights, scratch, shared)) {
      compiled.prepare(weights.map(\.pointer), backward: true)
      compiled.forward(frame)
      compiled.backward(frame)
      var found = ["y": to.array, "dx": dx.array]
      for (declaration, gradient) in zip(declarations, gradients) where declaration.trainable { found["d\(declaration.name)"] = gradient.array }
      return found
    }
  }

  @Test(arguments: cases, ck_isa.runnable) func singleOperationsAgree(_ stored: Case, isa: ck_isa) throws {
    let found = try isa.use { try Self.run(stored) }
    #expect(found.keys.sorted() == stored.outcomes)
    for (part, measured) in found {
      let expected = stored[part].values
      var distance = 0.0, length = 0.0
      for (a, b) in zip(measured, expected) {
        distance += (Double(a) - Double(b)) * (Double(a) - Double(b))
        length += Double(b) * Double(b)
      }
      #expect(measured.count == expected.count && length > 0)
      #expect(distance.squareRoot() <= 1e-6 * length.squareRoot(), "\(part)")
    }
  }

  @Test func everyStoredCaseIsRead() {
    #expect(Self.cases.count == 12)
    #expect(Set(Case.fixture.file.entries.map { String($0.name.prefix { $0 != "/" }) }) == Set(Self.cases.map(\.name)))
  }
}
