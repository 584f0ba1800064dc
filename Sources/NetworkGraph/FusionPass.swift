import Ops

extension Network {
  /// The same network with fewer passes over memory. Parameters keep their indices and names.
  ///
  ///     convolution ─ ReLU                      ⇒  convolution + ReLU
  ///     batch norm ─ ReLU                       ⇒  batch norm + ReLU
  ///     nearest ×2 ─ convolution (stride 1)     ⇒  nearest ×2 + convolution
  ///     concatenation ─ convolutions only       ⇒  the convolutions read the parts where they stand
  ///     convolution ─ batch norm (inference)    ⇒  convolution with folded weights
  ///     convolution + ReLU ─ drop-out           ⇒  convolution + ReLU + drop-out
  ///     drop-out (inference)                    ⇒  nothing
  ///
  /// - Parameter fuse: false keeps every operation apart (the yardstick of the fused network in tests); drop-out is
  ///   removed from inference all the same.
  public func lowered(training: Bool, fuse: Bool = true) -> Network {
    var network = self
    if !training { network.bypass { $0 is Dropout } }
    if fuse {
      network.inlineConcatenations()
      if !training { network.foldBatchNorms() }
      network.absorbReLUs()
      network.absorbNearest2()
    }
    network.numberDropouts()
    if fuse { network.absorbDropouts() }
    return network
  }

  /// The network as other programs run it: without drop-out; every other operation apart, but for batch norms where they are to be
  /// folded into the convolutions before them. Parameters keep their indices and names.
  public func forExchange(foldingBatchNorms: Bool) -> Network {
    var network = lowered(training: false, fuse: false)
    if foldingBatchNorms { network.foldBatchNorms() }
    return network
  }

  /// Removes one-input operations that do nothing: their consumers read their input.
  private mutating func bypass(_ isIdentity: (any Operation) -> Bool) {
    var standsFor = Array(shapes.indices)
    nodes = nodes.compactMap { node in
      var node = node
      node.inputs = node.inputs.map { standsFor[$0] }
      guard isIdentity(node.operation) else { return node }
      standsFor[node.output] = node.inputs[0]
      return nil
    }
    logits = standsFor[logits]
  }

  private mutating func inlineConcatenations() {
    let readers = consumers()
    var parts: [Int: [Int]] = [:]
    nodes = nodes.compactMap { node in
      var node = node
      // Only convolutions, and enlargements that a convolution will absorb, read several parts.
      if node.operation is Convolution { node.inputs = node.inputs.flatMap { parts[$0] ?? [$0] } }
      if node.operation is Nearest2, let inlined = parts[node.inputs[0]] { node.inputs = inlined }
      guard node.operation is Concatenation, node.output != logits else { return node }
      let inlinable = readers[node.output].allSatisfy { reader in
        let consumer = self.nodes[reader]
        return consumer.operation is Convolution || (consumer.operation is Nearest2 && self.absorbingConvolution(of: consumer, readers) != nil)
      }
      guard inlinable else { return node }
      parts[node.output] = node.inputs
      return nil
    }
  }

  /// Follows `first ─ second` pairs where `second` is the only reader, and replaces them by one node.
  private mutating func merge(_ combine: (_ first: Node, _ second: Node) -> Node?) {
    let readers = consumers()
    var replaced = Set<Int>()
    var producer: [Int: Int] = [:]
    for (index, node) in nodes.enumerated() { producer[node.output] = index }
    for index in nodes.indices {
      guard nodes[index].inputs.count == 1, let before = producer[nodes[index].inputs[0]] else { continue }
      guard readers[nodes[before].output].count == 1, let merged = combine(nodes[before], nodes[index]) else { continue }
      nodes[index] = merged
      replaced.insert(before)
    }
    nodes = nodes.enumerated().filter { !replaced.contains($0.offset) }.map(\.element)
  }

  private mutating func foldBatchNorms() {
    merge { convolution, norm in
      guard var operation = convolution.operation as? Convolution, let batchNorm = norm.operation as? BatchNormalization,
        !operation.relu, !operation.foldsBatchNorm
      else { return nil }
      operation.foldsBatchNorm = true
      operation.relu = batchNorm.relu
      return Node(
        name: convolution.name, operation: operation, inputs: convolution.inputs, output: norm.output,
        parameters: convolution.parameters + norm.parameters)
    }
  }

  private mutating func absorbReLUs() {
    merge { first, relu in
      guard relu.operation is ReLU else { return nil }
      var merged = first
      merged.output = relu.output
      if var operation = first.operation as? Convolution, !operation.relu {
        operation.relu = true
        merged.operation = operation
      } else if var operation = first.operation as? BatchNormalization, !operation.relu {
        operation.relu = true
        merged.operation = operation
      } else {
        return nil
      }
      return merged
    }
  }

  /// Gives every drop-out its place as its number. Committed trainings depend on it: nothing that comes after this may number anew.
  private mutating func numberDropouts() {
    for index in nodes.indices {
      guard var operation = nodes[index].operation as? Dropout else { continue }
      operation.layer = index
      nodes[index].operation = operation
    }
  }

  private mutating func absorbDropouts() {
    merge { convolution, node in
      guard let dropout = node.operation as? Dropout, var operation = convolution.operation as? Convolution, operation.relu, operation.dropout == nil
      else { return nil }
      operation.dropout = dropout
      var merged = convolution
      merged.operation = operation
      merged.output = node.output
      return merged
    }
  }

  /// The convolution that will take over this enlargement, if any.
  private func absorbingConvolution(of enlargement: Node, _ readers: [[Int]]) -> Convolution? {
    guard readers[enlargement.output].count == 1, let convolution = nodes[readers[enlargement.output][0]].operation as? Convolution,
      nodes[readers[enlargement.output][0]].inputs.count == 1, convolution.form == .plain, convolution.stride == 1,
      (2...3).contains(convolution.kernel)
    else { return nil }
    return convolution
  }

  private mutating func absorbNearest2() {
    merge { enlargement, node in
      guard enlargement.operation is Nearest2, var operation = node.operation as? Convolution,
        operation.form == .plain, operation.stride == 1, (2...3).contains(operation.kernel)
      else { return nil }
      operation.form = .afterNearest2
      var merged = node
      merged.operation = operation
      merged.inputs = enlargement.inputs
      return merged
    }
  }
}
