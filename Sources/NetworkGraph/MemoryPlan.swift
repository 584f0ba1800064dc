import Ops
import TensorCore

/// Where every value and gradient of a program stands in one arena, decided before the first step.
///
/// Time runs forward 0 … F−1, the loss at F, backward F+1 … 2F. A value that is recomputed lives twice: in forward until its last
/// reader, and in backward from its first reader to its last. Buffers whose lives do not overlap share memory: largest
/// first, each at the lowest free offset (greedy by size, Pisarchyk & Lee 2020).
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
  public init(_ network: Network, images: Int, training: Bool) {
    let count = network.nodes.count, lossTime = count
    func backwardTime(_ node: Int) -> Int { 2 * count - node }
    var values = [Buffer?](repeating: nil, count: network.shapes.count)
    var gradients = values, recomputed = values
    func floats(_ value: Int) -> Int { (images * network.shapes[value].count + 15) / 16 * 16 }

    values[0] = Buffer(floats: floats(0), life: 0...0)
    for (time, node) in network.nodes.enumerated() {
      values[node.output] = Buffer(floats: floats(node.output), life: time...time)
    }
    func extend(_ value: Int, to time: Int) {
      guard let buffer = values[value] else { return }
      values[value]!.life = buffer.life.lowerBound...max(buffer.life.upperBound, time)
    }
    extend(network.logits, to: lossTime)
    if training {
      let readers = network.consumers()
      for node in network.nodes where node.operation.isRecomputed && !node.operation.savedForBackward.contains(.output) {
        let uses = readers[node.output].filter { network.nodes[$0].operation.savedForBackward.contains(.inputs) }
        guard let first = uses.max(), let last = uses.min(), node.inputs.allSatisfy({ recomputed[$0] == nil }) else { continue }
        recomputed[node.output] = Buffer(floats: floats(node.output), life: backwardTime(first)...backwardTime(last))
        for input in node.inputs { extend(input, to: backwardTime(first)) }
      }
    }
    for (time, node) in network.nodes.enumerated() {
      for input in node.inputs { extend(input, to: time) }
      guard training else { continue }
      if node.operation.savedForBackward.contains(.inputs) {
        for input in node.inputs where recomputed[input] == nil { extend(input, to: backwardTime(time)) }
      }
      if node.operation.savedForBackward.contains(.output) { extend(node.output, to: backwardTime(time)) }
    }
    if training {
      gradients[network.logits] = Buffer(floats: floats(network.logits), life: lossTime...lossTime)
      for (time, node) in network.nodes.enumerated().reversed() {
        for input in node.inputs where input != 0 && gradients[input] == nil {
          gradients[input] = Buffer(floats: floats(input), life: backwardTime(time)...backwardTime(time))
        }
      }
      for (time, node) in network.nodes.enumerated() {
        guard let buffer = gradients[node.output] else { continue }
        gradients[node.output]!.life = buffer.life.lowerBound...backwardTime(time)
      }
    }
    (self.values, self.gradients, self.recomputed) = (values, gradients, recomputed)
    place()
  }

  /// Every buffer, to be placed.
  private enum Place: CaseIterable {
    case values, recomputed, gradients
    var path: WritableKeyPath<MemoryPlan, [Buffer?]> {
      switch self {
      case .values: \.values
      case .recomputed: \.recomputed
      case .gradients: \.gradients
      }
    }
  }

  private mutating func place() {
    var order = Place.allCases.flatMap { place in self[keyPath: place.path].indices.compactMap { value in
      self[keyPath: place.path][value].map { (place: place, value: value, floats: $0.floats) }
    } }
    // Stable among equals: by kind, then by value, as listed.
    order = order.enumerated().sorted { ($1.element.floats, $0.offset) < ($0.element.floats, $1.offset) }.map(\.element)
    var placed: [Buffer] = []  // sorted by offset
    for key in order {
      var item = self[keyPath: key.place.path][key.value]!, offset = 0
      for other in placed where other.life.overlaps(item.life) {
        if offset + item.floats <= other.offset { break }
        offset = max(offset, other.offset + other.floats)
      }
      item.offset = offset
      placed.insert(item, at: placed.firstIndex { $0.offset > offset } ?? placed.count)
      arena = max(arena, offset + item.floats)
      self[keyPath: key.place.path][key.value] = item
    }
  }
}
