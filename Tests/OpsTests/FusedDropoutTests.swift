import CKernels
import Ops
import TensorCore
import TestSupport
import Testing

/// Drop-out worked behind convolution + ReLU gives the bits of drop-out by itself: no committed training depends on the fusion.
@Suite(.serialized, .wholeProcessor) struct FusedDropoutTests {
  private static let convolutions = [
    OperationSample(Convolution(filters: 8, kernel: 3, relu: true), [FeatureShape(2, 16, 24), FeatureShape(1, 16, 24)]),
    OperationSample(Convolution(filters: 5, kernel: 3, stride: 2, relu: true), [FeatureShape(3, 16, 24)]),
    OperationSample(Convolution(filters: 6, kernel: 2, stride: 2, form: .transposed, relu: true), [FeatureShape(4, 6, 8)]),
    OperationSample(Convolution(filters: 4, kernel: 1, relu: true), [FeatureShape(8, 8, 8)]),
  ]

  // At 1e-40, below the least normal float, a product has few bits: there it shows whether the factor is taken before it or behind it.
  @Test(arguments: convolutions, [(Float(0.5), 1.0), (0.25, 1), (0.5, 1e-40), (0.25, 1e-40)])
  func `gives the bits of drop-out by itself`(sample: OperationSample, row: (rate: Float, size: Double)) throws {
    let dropout = Dropout(rate: row.rate, layer: 5)
    var fused = try Workbench(sample)
    fused.upstream.values = fused.upstream.values.map { Double(Float($0 * row.size)) }
    var apart = fused
    var convolution = try #require(sample.operation as? Convolution)
    convolution.dropout = dropout
    fused.sample.operation = convolution
    // What drop-out's own backward pass hands on, and what its forward pass makes of the convolution's values.
    let ones = Tensor(images: sample.images, shape: fused.output, values: [Float](repeating: 1, count: fused.upstream.values.count))
    let factors = dropout.reference([ones], []).values
    apart.upstream.values = zip(apart.upstream.values, factors).map { Double(Float($0) * $1) }
    for isa in ck_isa.runnable {
      let (found, expected) = try isa.use { (try fused.run(threads: 2), try apart.run(threads: 2)) }
      #expect(found.output == zip(expected.output, factors).map { $0 * $1 })
      #expect(found.inputGradients == expected.inputGradients && found.parameterGradients == expected.parameterGradients && found.guardsIntact)
      #expect(expected.parameterGradients.allSatisfy { $0.contains { $0 != 0 } })
    }
  }
}
