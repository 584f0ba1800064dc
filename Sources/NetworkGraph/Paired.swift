import Ops

/// What a program keeps as words of two channels, rounded to bfloat16: all who read it would round it anyway, so that half the memory is
/// moved and the results' bits stay. One thing differs: max-pooling's backward sees ties where rounding made values equal.
struct Paired {
  /// Values whose readers and writer all work on pairs.
  private(set) var values: Set<Int> = []
  /// Values whose gradient is written once, by one reader: added-up gradients stay in float32.
  private(set) var gradients: Set<Int> = []

  static let nothing = Paired()
  private init() {}

  /// - Parameter pairing: of a node.
  init(_ network: Network, _ pairing: (_ node: Int) -> Pairing) {
    let nodes = network.nodes, pairings = nodes.indices.map(pairing)
    guard pairings.contains(where: { $0.contains(.inputs) }) else { return }
    // In a concatenation a pair begins at an even channel.
    let misplaced = Set(nodes.filter { $0.inputs.contains { network.shapes[$0].channels % 2 != 0 } }.flatMap(\.inputs))
    let possible = Set(nodes.map(\.output).filter { network.shapes[$0].channels % 2 == 0 && $0 != network.logits }).subtracting(misplaced)

    values = possible
    for (node, pairing) in zip(nodes, pairings) where !pairing.contains(.alike) {
      if !pairing.contains(.inputs) { values.subtract(node.inputs) }
      if !pairing.contains(.output) { values.remove(node.output) }
    }
    var before: Set<Int>
    repeat {
      before = values
      for (node, pairing) in zip(nodes, pairings) where pairing.contains(.alike) {
        let all = node.inputs + [node.output]
        if !values.isSuperset(of: all) { values.subtract(all) }
      }
    } while values != before

    let readers = network.consumers()
    for (node, pairing) in zip(nodes, pairings) where pairing.contains(.outputGradient) && possible.contains(node.output) {
      guard readers[node.output].count == 1, pairings[readers[node.output][0]].contains(.inputGradients) else { continue }
      // A gradient and the output by which it is masked are of one kind.
      if values.contains(node.output) || !node.operation.savedForBackward.contains(.output) { gradients.insert(node.output) }
    }
  }
}
