import Ops
import TensorCore

/// A feature map in a network that is being written down.
public struct Symbol: Sendable, Hashable {
  public let id: Int
  public let shape: FeatureShape
}

/// A network as operations on values: symbolic, for one image size, without memory. Values are numbered; value 0 is the image.
public struct Network: Sendable {
  public struct Node: Sendable {
    public var name: String
    public var operation: any Operation
    public var inputs: [Int]
    public var output: Int
    /// Indices into `parameters`.
    public var parameters: [Int]
  }
  public struct Parameter: Sendable, Hashable {
    /// `<layer>.<role>`, e.g. `C11.kernel`.
    public var name: String
    public var declaration: ParameterDeclaration
  }

  public internal(set) var nodes: [Node]
  public internal(set) var parameters: [Parameter]
  public internal(set) var shapes: [FeatureShape]
  /// The value before the sigmoid.
  public internal(set) var logits: Int

  public var image: FeatureShape { shapes[0] }
  /// Keras's "total params": trainable weights and batch norm's moving statistics; what the paper prints.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.declaration.count } }
  public var trainableParameterCount: Int { parameters.reduce(0) { $0 + ($1.declaration.trainable ? $1.declaration.count : 0) } }
  /// For one image.
  public var multiplyAdds: Int { nodes.reduce(0) { $0 + multiplyAdds(of: $1) } }
  public func multiplyAdds(of node: Node) -> Int { node.operation.multiplyAdds(node.inputs.map { shapes[$0] }) }
  /// Numbers that the operations read and write, for one image.
  public var valuesMoved: Int { nodes.reduce(0) { sum, node in (node.inputs + [node.output]).reduce(sum) { $0 + shapes[$1].count } } }
  /// True where the batch cannot be worked in slices (batch norm in training).
  public var needsWholeBatch: Bool { nodes.contains { $0.operation.needsWholeBatch } }

  /// Indices of the nodes that read each value.
  func consumers() -> [[Int]] {
    var readers = [[Int]](repeating: [], count: shapes.count)
    for (index, node) in nodes.enumerated() { for input in node.inputs { readers[input].append(index) } }
    return readers
  }
}

/// Writes a network down, one operation after the other; shapes are inferred as it grows.
public struct NetworkBuilder {
  private var network: Network

  /// - Parameter image: channels and sides of one image.
  public init(image: FeatureShape) {
    network = Network(nodes: [], parameters: [], shapes: [image], logits: 0)
  }
  public var image: Symbol { Symbol(id: 0, shape: network.shapes[0]) }

  /// Adds an operation; its parameters are called `<name>.<role>`.
  public mutating func apply(_ operation: any Operation, _ inputs: [Symbol], name: String = "") -> Symbol {
    let shapes = inputs.map(\.shape)
    let shape: FeatureShape
    do { shape = try operation.inferShape(shapes) } catch { preconditionFailure("\(name): \(error)") }
    let declared = operation.parameters(shapes)
    let first = network.parameters.count
    network.parameters += declared.map { Network.Parameter(name: "\(name).\($0.name)", declaration: $0) }
    network.shapes.append(shape)
    let output = network.shapes.count - 1
    network.nodes.append(
      Network.Node(name: name, operation: operation, inputs: inputs.map(\.id), output: output, parameters: Array(first..<first + declared.count)))
    return Symbol(id: output, shape: shape)
  }

  /// The network that ends in these logits.
  public func finish(_ logits: Symbol) -> Network {
    var finished = network
    finished.logits = logits.id
    return finished
  }
}
