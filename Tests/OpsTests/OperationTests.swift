import CKernels
import Ops
import TensorCore
import TestSupport
import Testing

/// What holds for every operation, derived from its samples alone: a new operation is covered without writing a test.
@Suite(.serialized, .wholeProcessor) struct OperationTests {
  static let samples = allOperations.flatMap { $0.samples }
  static let instructionSets = [CK_ISA_REFERENCE, CK_ISA_BASELINE, CK_ISA_AVX2, CK_ISA_AVX512].filter { $0.rawValue <= ck_isa_best().rawValue }

  private func onEveryInstructionSet(_ body: () throws -> Void) rethrows {
    for isa in Self.instructionSets { try isa.use(body) }
  }

  @Test(arguments: samples) func forwardIsTheDefinition(_ sample: OperationSample) throws {
    let bench = try Workbench(sample), expected = bench.reference()
    #expect(expected.shape == bench.output)
    try onEveryInstructionSet {
      let result = try bench.run(threads: 2)
      #expect(distance(result.output, expected.values) < 2e-5, "\(String(cString: ck_isa_name(ck_isa_current())))")
      #expect(result.guardsIntact)
    }
  }

  /// Every gradient against central differences of the definition in double precision: each element alone where there are few,
  /// along random directions where there are many. Steps that straddle a kink are seen by their second difference and left out.
  @Test(arguments: samples) func gradientsAreCentralDifferences(_ sample: OperationSample) throws {
    let bench = try Workbench(sample)
    try onEveryInstructionSet {
      let result = try bench.run(threads: 2), isa = String(cString: ck_isa_name(ck_isa_current()))
      for (index, gradient) in result.inputGradients.enumerated() {
        check(gradient, of: "input \(index), \(isa)") { step in
          var moved = bench
          for (i, amount) in step { moved.inputs[index].values[i] += amount }
          return moved.objective()
        }
      }
      for (index, gradient) in result.parameterGradients.enumerated() where bench.declarations[index].trainable {
        check(gradient, of: "\(bench.declarations[index].name), \(isa)") { step in
          var moved = bench
          for (i, amount) in step { moved.parameters[index][i] += amount }
          return moved.objective()
        }
      }
    }
  }

  private func check(_ gradient: [Float], of name: String, objective: ([(Int, Double)]) -> Double) {
    let h = 1e-5, scale = gradient.reduce(Float(1e-3)) { max($0, abs($1)) }, center = objective([])
    #expect(gradient.allSatisfy { $0.isFinite }, "\(name)")
    var random = CounterRandom(seed: 11, purpose: .testing, sample: gradient.count)
    let directions: [[(Int, Double)]] =
      gradient.count <= 48
      ? gradient.indices.map { [($0, 1)] }
      : (0..<24).map { _ in (0..<5).map { _ in (random.below(gradient.count), Double(random.normal())) } }
    var checked = 0
    for direction in directions {
      let up = objective(direction.map { ($0, $1 * h) }), down = objective(direction.map { ($0, -$1 * h) })
      if abs(up - 2 * center + down) > 1e-7 * max(1, abs(center)) { continue }
      let slope = (up - down) / (2 * h), computed = direction.reduce(0) { $0 + $1.1 * Double(gradient[$1.0]) }
      #expect(abs(slope - computed) < 1e-4 * Double(scale), "\(name): \(slope) and \(computed) along \(direction)")
      checked += 1
    }
    #expect(checked * 2 >= directions.count, "\(name): too many kinks")
  }

  @Test(arguments: samples) func threadsDoNotChangeABit(_ sample: OperationSample) throws {
    let bench = try Workbench(sample)
    try onEveryInstructionSet {
      let alone = try bench.run(threads: 1)
      for threads in [2, 3, 5] { #expect(try bench.run(threads: threads) == alone, "\(threads) threads") }
    }
  }

  @Test(arguments: samples) func gradientsMayReplaceWhatWasRead(_ sample: OperationSample) throws {
    let bench = try Workbench(sample)
    try onEveryInstructionSet {
      let apart = try bench.run(threads: 2), replacing = try bench.run(threads: 2, replacing: true)
      #expect(replacing.inputGradients == apart.inputGradients && replacing.parameterGradients == apart.parameterGradients && replacing.guardsIntact)
    }
  }

  @Test(arguments: samples) func gradientsAddToWhatStandsThere(_ sample: OperationSample) throws {
    let bench = try Workbench(sample)
    try onEveryInstructionSet {
      let plain = try bench.run(threads: 1), added = try bench.run(threads: 1, accumulate: true)
      for (p, a) in zip(plain.inputGradients, added.inputGradients) { #expect(distance(a, p.map { Double($0) + 1 }) < 2e-5) }
      // An operation over the whole batch never adds: its batch comes in one slice.
      guard !sample.operation.needsWholeBatch else { return }
      for (p, a) in zip(plain.parameterGradients, added.parameterGradients) { #expect(distance(a, p.map { Double($0) + 1 }) < 2e-5) }
    }
  }
}
