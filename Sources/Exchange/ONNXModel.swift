import Architectures
import Diagnostics
import Engine
import Files
import Foundation
import NetworkGraph
import Ops
import SwiftProtobuf
import TensorCore

/// A trained network as an ONNX model: `image` [batch, 1, height, width] in [0, 1] → `probability`, laid out alike, both float32.
///
/// The graph is the network's own, walked operation by operation (`ONNXOperators.swift`); no architecture is known here.
public struct ONNXModel: Sendable {
  public struct Options: Sendable, Hashable {
    /// Folds batch norms into the convolutions before them: fewer nodes, and the rounding of one multiplication a weight.
    public var foldsBatchNorm = true
    /// Height and width of every image, pixels; nil: any multiples of 2^(N−1).
    public var side: Int?
    public init() {}
  }

  public static let input = "image"
  public static let output = "probability"
  /// Of 2022 (ONNX 1.12): old enough for every runtime in use, and nothing here needs a newer one.
  public static let operatorSet = 17
  private static let intermediateRepresentation: Int64 = 8

  private let message: Onnx_ModelProto

  /// - Parameters:
  ///   - configuration: which network; its precision is of no account, the model is float32.
  ///   - producer: the program's version.
  ///   - properties: stated in the model's metadata, in the order of their names.
  /// - Throws: `UserError` (exit 2) for a side that does not halve N − 1 times, and for weights of over 2 GB, which the format cannot hold.
  public init(
    _ configuration: NetworkConfiguration, _ weights: NetworkWeights, _ options: Options = Options(), producer: String = "", properties: [String: String] = [:]
  ) throws {
    let divisor = configuration.options.sideDivisor, side = options.side ?? 2 * divisor
    let network: Network
    do { network = try configuration.network(height: side, width: side) } catch {
      throw UserError("--side \(side): accepted: multiples of \(divisor) (2^(depth − 1))", exitCode: .badCommandOrSpec)
    }
    let bytes = 4 * weights.count
    guard bytes < Int(Int32.max) - 1 << 20 else {
      throw UserError("weights of \(bytes / 1_000_000) MB: an ONNX file holds up to 2 GB", exitCode: .badCommandOrSpec)
    }
    let graph = Self.graph(network.forExchange(foldingBatchNorms: options.foldsBatchNorm), weights, options, divisor: divisor)
    message = .with {
      ($0.irVersion, $0.producerName, $0.producerVersion) = (Self.intermediateRepresentation, "runner", producer)
      $0.opsetImport = [.with { $0.version = Int64(Self.operatorSet) }]
      $0.metadataProps = properties.sorted { $0.key < $1.key }.map { property in .with { ($0.key, $0.value) = (property.key, property.value) } }
      $0.graph = graph
    }
  }

  private static func graph(_ network: Network, _ weights: NetworkWeights, _ options: Options, divisor: Int) -> Onnx_GraphProto {
    var graph = ONNXGraph()
    var names = [0: input]
    for node in network.nodes {
      guard let operation = node.operation as? any ONNXConvertible else {
        preconditionFailure("\(node.operation.kind) has no counterpart in ONNXOperators.swift")
      }
      let site = ONNXSite(
        layer: node.name, inputs: node.inputs.map { names[$0]! }, shapes: node.inputs.map { network.shapes[$0] },
        parameters: node.parameters.map { index in
          let parameter = network.parameters[index]
          return ONNXSite.Parameter(name: parameter.name, shape: parameter.declaration.shape, values: weights.values[index])
        })
      names[node.output] = operation.convert(site, into: &graph)
    }
    _ = graph.add("Sigmoid", [names[network.logits]!], output: output)
    let sides: [ONNXGraph.Side] = options.side.map { [.fixed($0), .fixed($0)] } ?? [.open("height"), .open("width")]
    let shape = [.open("batch"), .fixed(1)] + sides
    let sizes = options.side == nil ? "height and width are multiples of \(divisor)" : "height and width are \(options.side!)"
    graph.finish(
      name: "network", about: "Foreground's probability of each pixel.",
      inputs: [ONNXGraph.port(input, shape, about: "Prepared intensities in [0, 1]; \(sizes).")],
      outputs: [ONNXGraph.port(output, shape, about: "Probability of foreground, in [0, 1].")])
    return graph.message
  }

  /// The file's contents; the same for the same weights and options.
  public var bytes: Data {
    do { return try message.serializedBytes() } catch { preconditionFailure("a model below 2 GB always encodes: \(error)") }
  }

  /// Writes it, whole or not at all.
  /// - Throws: `UserError` (exit 5).
  public func write(to path: String) throws { try DurableFile.write(bytes, to: path) }
}
