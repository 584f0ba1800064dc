import Ops
import TensorCore

/// Where every value and gradient of a program stands in one arena, decided before the first step.
///
/// Time runs forward 0 … F−1, the loss at F, backward F+1 … 2F. A value that is recomputed lives twice: in forward until its last
/// reader, and in backward from its first reader to its last. Buffers whose lives do not overlap share memory: largest
/// first, each at the lowest free offset (greedy by size, Pisarchyk & Lee 2020). A gradient that may replace what its step has
/// read stands in the same place, although both live at that step.
public struct MemoryPlan: Sendable {
  public struct Buffer: Sendable {
    public var floats: Int
    public var life: ClosedRange<Int>
    public var offset = 0
  }
  /// By value; nil for values nobody keeps.
  public private(set) var values: [Buffer?]
  /// By value; the second life of values that backward computes again.
  public private(set) var recomputed: [Buffer?]
  /// By value; nil where no gradient is wanted.
  public private(set) var gradients: [Buffer?]
  /// Floats.
  public private(set) var arena = 0

  /// - Parameters:
  ///   - network: lowered.
  ///   - images: images of one slice.
  ///   - paired: values and gradients that take half the room.
  init(_ network: Network, images: Int, training: Bool, paired: Paired = .nothing) {
    let nothing = [Buffer?](repeating: nil, count: network.shapes.count)
    (values, recomputed, gradients) = (nothing, nothing, nothing)
    func room(_ value: Int, among paired: Set<Int>) -> Int { (images * network.shapes[value].count / (paired.contains(value) ? 2 : 1) + 15) / 16 * 16 }
    func floats(_ value: Int) -> Int { room(value, among: paired.values) }

    values[0] = Buffer(floats: floats(0), life: 0...0)
    for (time, node) in network.nodes.enumerated() {
      values[node.output] = Buffer(floats: floats(node.output), life: time...time)
      for input in node.inputs { extend(input, to: time) }
    }
    extend(network.logits, to: network.nodes.count)
    if training {
      liveInBackward(network, floats)
      gradientsLive(network) { room($0, among: paired.gradients) }
    }
    place(training ? replacements(network) : [])
  }

  /// When a node's backward runs.
  private static func backwardTime(_ node: Int, of network: Network) -> Int { 2 * network.nodes.count - node }

  private mutating func extend(_ value: Int, to time: Int) {
    values[value]!.life = values[value]!.life.lowerBound...max(values[value]!.life.upperBound, time)
  }

  /// What backward reads is kept, or computed again; what that takes is read in backward, too. From the last step to the first, so
  /// that all who read a value are known.
  private mutating func liveInBackward(_ network: Network, _ floats: (Int) -> Int) {
    let readers = network.consumers()
    func usesInBackward(_ value: Int) -> [Int] {
      readers[value].flatMap { reader in
        let node = network.nodes[reader]
        return (node.operation.savedForBackward.contains(.inputs) ? [Self.backwardTime(reader, of: network)] : [])
          + (recomputed[node.output].map { [$0.life.lowerBound] } ?? [])
      }
    }
    for (time, node) in network.nodes.enumerated().reversed() {
      let keepsOutput = node.operation.savedForBackward.contains(.output)
      if keepsOutput { extend(node.output, to: Self.backwardTime(time, of: network)) }
      let uses = usesInBackward(node.output)
      guard let first = uses.min(), let last = uses.max() else { continue }
      // What the last step reads is still there when backward begins.
      let isStillThere = values[node.output]!.life.upperBound >= network.nodes.count - 1
      if !keepsOutput, !isStillThere, node.operation.isRecomputed(node.inputs.map { network.shapes[$0] }) {
        recomputed[node.output] = Buffer(floats: floats(node.output), life: first...last)
      } else {
        extend(node.output, to: last)
      }
    }
    if let last = usesInBackward(0).max() { extend(0, to: last) }
  }

  /// A gradient lives from the first step of backward that adds to it to the step that made its value.
  private mutating func gradientsLive(_ network: Network, _ floats: (Int) -> Int) {
    let loss = network.nodes.count
    gradients[network.logits] = Buffer(floats: floats(network.logits), life: loss...loss)
    for (index, node) in network.nodes.enumerated().reversed() {
      let time = Self.backwardTime(index, of: network)
      for input in node.inputs where input != 0 && gradients[input] == nil { gradients[input] = Buffer(floats: floats(input), life: time...time) }
    }
    for (index, node) in network.nodes.enumerated() {
      guard let buffer = gradients[node.output] else { continue }
      gradients[node.output]!.life = buffer.life.lowerBound...Self.backwardTime(index, of: network)
    }
  }

  // MARK: Placing

  private struct Key: Hashable {
    enum Kind: CaseIterable { case value, recomputed, gradient }
    var kind: Kind
    var value: Int
  }

  private subscript(key: Key) -> Buffer? {
    get {
      switch key.kind {
      case .value: values[key.value]
      case .recomputed: recomputed[key.value]
      case .gradient: gradients[key.value]
      }
    }
    set {
      switch key.kind {
      case .value: values[key.value] = newValue
      case .recomputed: recomputed[key.value] = newValue
      case .gradient: gradients[key.value] = newValue
      }
    }
  }

  /// Pairs that stand in one place: what a step of backward reads for the last time, and the gradient it is the first to write.
  private func replacements(_ network: Network) -> [(read: Key, written: Key)] {
    network.nodes.enumerated().flatMap { index, node -> [(read: Key, written: Key)] in
      let time = Self.backwardTime(index, of: network)
      return Set(node.inputs).sorted().compactMap { input in
        guard let gradient = gradients[input], gradient.life.lowerBound == time else { return nil }
        let read: Key
        switch node.operation.inputGradientReplaces {
        case .nothing: return nil
        case .outputGradient: read = Key(kind: .gradient, value: node.output)
        case .input: read = Key(kind: recomputed[input] == nil ? .value : .recomputed, value: input)
        }
        guard let before = self[read], before.life.upperBound == time, before.floats == gradient.floats else { return nil }
        return (read, Key(kind: .gradient, value: input))
      }
    }
  }

  private mutating func place(_ replacements: [(read: Key, written: Key)]) {
    let successor = Dictionary(uniqueKeysWithValues: replacements.map { ($0.read, $0.written) }), successors = Set(replacements.map(\.written))
    // Each place's tenants, one after the other. Stable among equals: by kind, then by value.
    let keys = Key.Kind.allCases.flatMap { kind in values.indices.map { Key(kind: kind, value: $0) } }.filter { self[$0] != nil }
    let tenancies = keys.filter { !successors.contains($0) }.map { first in Array(sequence(first: first) { successor[$0] }) }
    let lots = tenancies.map { tenants -> (tenants: [Key], buffer: Buffer) in
      let first = self[tenants.first!]!, last = self[tenants.last!]!
      return (tenants, Buffer(floats: first.floats, life: first.life.lowerBound...last.life.upperBound))
    }
    let order = lots.enumerated().sorted { ($1.element.buffer.floats, $0.offset) < ($0.element.buffer.floats, $1.offset) }.map(\.element)
    var placed: [Buffer] = []  // sorted by offset
    for (tenants, lot) in order {
      var offset = 0
      for other in placed where other.life.overlaps(lot.life) {
        if offset + lot.floats <= other.offset { break }
        offset = max(offset, other.offset + other.floats)
      }
      placed.insert(Buffer(floats: lot.floats, life: lot.life, offset: offset), at: placed.firstIndex { $0.offset > offset } ?? placed.count)
      arena = max(arena, offset + lot.floats)
      for key in tenants { self[key]!.offset = offset }
    }
  }
}
