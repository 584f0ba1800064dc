import Ops

extension Network {
  /// Values that inference keeps as words of two channels, rounded to bfloat16: all who read them would round them anyway, so that not a bit of
  /// the results changes, and half the memory is moved.
  ///
  /// - Parameter pairing: of a node.
  func pairedValues(_ pairing: (_ node: Int) -> Pairing) -> Set<Int> {
    let pairings = nodes.indices.map(pairing)
    guard pairings.contains(.either) else { return [] }
    var paired = Set(nodes.map(\.output).filter { shapes[$0].channels % 2 == 0 && $0 != logits })
    for (node, pairing) in zip(nodes, pairings) {
      if pairing == .never { paired.subtract(node.inputs + [node.output]) }
      // In a concatenation a pair begins at an even channel.
      if node.inputs.contains(where: { shapes[$0].channels % 2 != 0 }) { paired.subtract(node.inputs) }
    }
    var before: Set<Int>
    repeat {
      before = paired
      for (node, pairing) in zip(nodes, pairings) where pairing == .throughout {
        let values = node.inputs + [node.output]
        if !paired.isSuperset(of: values) { paired.subtract(values) }
      }
    } while paired != before
    return paired
  }
}
