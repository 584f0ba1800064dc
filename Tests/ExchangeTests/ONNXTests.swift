import Diagnostics
import Engine
import Foundation
import NetworkGraph
import Ops
import SwiftProtobuf
import TensorCore
import TestSupport
import Testing

@testable import Exchange

@Suite(.serialized, .wholeProcessor) struct ONNXTests {
  private static func graph(_ model: ONNXModel) throws -> Onnx_GraphProto { try Onnx_ModelProto(serializedBytes: model.bytes).graph }

  @Test func everyOperationHasACounterpart() {
    for operation in allOperations { #expect(operation is any ONNXConvertible.Type, "\(operation)") }
  }

  /// An operation alone, on its own samples, beside its definition.
  @Test func everySampleIsItsDefinition() throws {
    // Their references are training's: statistics of the batch, a mask. Whole networks check them below.
    for operation in allOperations where operation != BatchNormalization.self && operation != Dropout.self {
      for sample in operation.samples where (sample.operation as? Convolution)?.dropout == nil {
        var random = CounterRandom(seed: 5, purpose: .testing)
        let inputs = sample.inputs.map { shape in
          Tensor<Double>(images: sample.images, shape: shape, values: (0..<sample.images * shape.count).map { _ in Double(random.normal()) })
        }
        let declared = sample.operation.parameters(sample.inputs)
        let parameters = declared.map { declaration in
          ONNXSite.Parameter(name: declaration.name, shape: declaration.shape, values: (0..<declaration.count).map { _ in random.normal() })
        }
        var graph = ONNXGraph()
        let names = inputs.indices.map { "x\($0)" }
        let convertible = try #require(sample.operation as? any ONNXConvertible)
        let output = convertible.convert(ONNXSite(layer: "layer", inputs: names, shapes: sample.inputs, parameters: parameters), into: &graph)
        let y = ONNXInterpreter.run(graph.message, Dictionary(uniqueKeysWithValues: zip(names, inputs)), output: output)
        let expected = sample.operation.reference(inputs, parameters.map { $0.values.map(Double.init) })
        #expect(y.shape == expected.shape, "\(sample)")
        #expect(zip(y.values, expected.values).allSatisfy { abs($0 - $1) < 1e-9 }, "\(sample)")
      }
    }
  }

  @Test(arguments: DrawnNetworks.configurations) func wholeNetworksAreThePredictor(_ configuration: NetworkConfiguration) throws {
    let weights = try DrawnNetworks.weights(configuration), (height, width) = (16, 24)
    var random = CounterRandom(seed: 2, purpose: .testing)
    let image = (0..<2 * height * width).map { _ in random.uniform() }
    let predictor = try Predictor(network: configuration, weights: weights, height: height, width: width, batch: 2, threads: 1)
    let expected = predictor.probabilities(image, count: 2)
    for folds in [true, false] {
      var options = ONNXModel.Options()
      options.foldsBatchNorm = folds
      let graph = try Self.graph(ONNXModel(configuration, weights, options))
      let x = Tensor(images: 2, shape: FeatureShape(1, height, width), values: image.map(Double.init))
      let y = ONNXInterpreter.run(graph, ["image": x], output: "probability")
      let difference = zip(y.values, expected).map { abs($0 - Double($1)) }.max()!
      #expect(difference < 1e-5, "batch norm \(folds ? "folded" : "kept")")
      let operators = Set(graph.node.map(\.opType))
      #expect(operators.contains("BatchNormalization") == (configuration.options.batchNormalization && !folds))
      #expect(!operators.contains("Identity"))
      // Weights once each, under the program's own names.
      let kept = weights.parameters.map(\.name).filter { !folds || $0.hasSuffix("kernel") || $0.hasSuffix("bias") }
      let written = graph.initializer.map(\.name).filter { $0 != "nearest2.scales" }
      #expect(written.count == kept.count && Set(written) == Set(kept))
    }
  }

  @Test func portsSayWhatTheyTake() throws {
    let configuration = DrawnNetworks.configurations[0], weights = try DrawnNetworks.weights(configuration)
    for side in [nil, 64] {
      var options = ONNXModel.Options()
      options.side = side
      let model = try Onnx_ModelProto(serializedBytes: ONNXModel(configuration, weights, options, producer: "1", properties: ["b": "2", "a": "1"]).bytes)
      #expect(model.opsetImport.map(\.version) == [17] && model.metadataProps.map(\.key) == ["a", "b"])
      #expect(model.graph.input.map(\.name) == ["image"] && model.graph.output.map(\.name) == ["probability"])
      for port in model.graph.input + model.graph.output {
        let sides = port.type.tensorType.shape.dim
        #expect(sides[0].dimParam == "batch" && sides[1].dimValue == 1)
        if let side { #expect(sides[2...].map(\.dimValue) == [Int64(side), Int64(side)]) } else { #expect(sides[2...].map(\.dimParam) == ["height", "width"]) }
      }
    }
  }

  @Test func theSameWeightsAreTheSameBytes() throws {
    let configuration = DrawnNetworks.configurations[4], weights = try DrawnNetworks.weights(configuration)
    #expect(try ONNXModel(configuration, weights).bytes == ONNXModel(configuration, weights).bytes)
  }

  @Test func aSideThatDoesNotHalveIsAnErrorOfTheCommand() throws {
    let configuration = DrawnNetworks.configurations[0], weights = try DrawnNetworks.weights(configuration)
    var options = ONNXModel.Options()
    options.side = 30
    let error = #expect(throws: UserError.self) { try ONNXModel(configuration, weights, options) }
    #expect(error?.exitCode == .badCommandOrSpec && error?.description.contains("multiples of 4") == true)
  }
}
