import Ops
import TensorCore

/// A network as its figure shows it: the operations that share the first part of their name ("U2" of "U2.conv1") are one block.
///
/// Nothing here is drawn by hand: a block that is renamed, added or wired otherwise in an architecture is so in its figure.
public struct BlockGraph: Sendable {
  public enum Role: Sendable, Hashable, CaseIterable {
    /// The image itself.
    case image
    /// Keeps the sides.
    case level
    /// Halves the sides.
    case down
    /// Doubles them.
    case up
    /// Ends in the logits.
    case head
  }

  public struct Block: Sendable {
    public var name: String
    public var role: Role
    /// What it does, in order: "convolution 3×3", "ReLU", …
    public var steps: [String]
    public var output: FeatureShape
    /// Level of its output, from 1: the image's sides halved `level − 1` times.
    public var level: Int
    /// One more than the furthest of its inputs: what is left of a block is computed before it.
    public var column: Int
  }

  /// One feature map that a block reads, where it does (a concatenation is several).
  public struct Arrow: Sendable, Hashable {
    public var from: Int
    public var to: Int
  }

  /// The image first; every block after its inputs.
  public private(set) var blocks: [Block] = []
  public private(set) var arrows: [Arrow] = []

  public init(_ network: Network) {
    let names = Self.blockNames(network)
    blocks = [Block(name: "image", role: .image, steps: [], output: network.image, level: 1, column: 0)]
    var places: [String: Int] = [:]
    // By value, the blocks it comes from: several where a concatenation stands between.
    var sources = [[Int]](repeating: [], count: network.shapes.count)
    sources[0] = [0]
    for (node, name) in zip(network.nodes, names) {
      var inputs: [Int] = []
      for source in node.inputs.flatMap({ sources[$0] }) where !inputs.contains(source) { inputs.append(source) }
      guard let name else {
        sources[node.output] = inputs
        continue
      }
      let shape = network.shapes[node.output]
      let place = places[name] ?? blocks.count
      if place == blocks.count {
        blocks.append(Block(name: name, role: .level, steps: [], output: shape, level: 1, column: 0))
        places[name] = place
      }
      for source in inputs where source != place {
        arrows.append(Arrow(from: source, to: place))
        blocks[place].column = max(blocks[place].column, blocks[source].column + 1)
      }
      blocks[place].steps.append(node.operation.kind)
      blocks[place].output = shape
      let before = network.shapes[node.inputs[0]].height
      if shape.height < before { blocks[place].role = .down } else if shape.height > before { blocks[place].role = .up }
      if node.output == network.logits { blocks[place].role = .head }
      sources[node.output] = [place]
    }
    for place in blocks.indices {
      blocks[place].level = 1 + (network.image.height / blocks[place].output.height).trailingZeroBitCount
    }
  }

  /// By node the block it belongs to. One without a name of its own (pooling, concatenation, drop-out) belongs to the block that made its
  /// input where it keeps the shape, else to the one that reads it; nil where several do: then it is part of the arrows.
  private static func blockNames(_ network: Network) -> [String?] {
    var names: [String?] = network.nodes.map { $0.name.isEmpty ? nil : String($0.name.prefix { $0 != "." }) }
    let readers = network.consumers()
    var producer: [Int: Int] = [:]
    for (index, node) in network.nodes.enumerated() { producer[node.output] = index }
    for index in network.nodes.indices where names[index] == nil {
      let node = network.nodes[index]
      if node.inputs.count == 1, network.shapes[node.inputs[0]] == network.shapes[node.output] { names[index] = producer[node.inputs[0]].flatMap { names[$0] } }
    }
    // Backwards, so that the reader of a reader is known.
    for index in network.nodes.indices.reversed() where names[index] == nil {
      let reading = Set(readers[network.nodes[index].output].map { names[$0] })
      if reading.count == 1 { names[index] = reading.first! }
    }
    return names
  }

  /// The blocks of one level and what they read from elsewhere, for a figure of one skip connection.
  public func level(_ level: Int) -> BlockGraph {
    let wanted = Set(blocks.indices.filter { blocks[$0].level == level && blocks[$0].role != .image && blocks[$0].role != .head })
    let kept = blocks.indices.filter { place in wanted.contains(place) || arrows.contains { $0.from == place && wanted.contains($0.to) } }
    let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) })
    var part = self
    part.blocks = kept.map { blocks[$0] }
    part.arrows = arrows.filter { wanted.contains($0.to) }.map { Arrow(from: places[$0.from]!, to: places[$0.to]!) }
    return part
  }
}
