import NetworkGraph

/// Fig. 5 of the paper: a network's blocks by level (down) and by what must be computed before them (to the right), with what each reads.
public struct NetworkFigure: Sendable {
  public var title: String
  public var graph: BlockGraph

  public init(title: String, graph: BlockGraph) { (self.title, self.graph) = (title, graph) }

  private static let block = (width: 78.0, height: 42.0), step = (x: 118.0, y: 104.0)
  private static let left = 92.0

  private struct Look {
    var fill: String, stroke: String, what: String
  }

  private static func look(_ role: BlockGraph.Role) -> Look {
    switch role {
    case .image: Look(fill: "#f2f2f2", stroke: "#777777", what: "image")
    case .level: Look(fill: "#dcebf7", stroke: "#0072B2", what: "same size")
    case .down: Look(fill: "#fbe3cf", stroke: "#D55E00", what: "half the side")
    case .up: Look(fill: "#d6f0e6", stroke: "#009E73", what: "twice the side")
    case .head: Look(fill: "#f5e1ee", stroke: "#CC79A7", what: "logits")
    }
  }

  public var svg: String {
    let corners = graph.blocks.map(corner), levels = graph.blocks.map(\.level)
    let width = (corners.map(\.x).max() ?? 0) + Self.step.x, bottom = (corners.map(\.y).max() ?? 0) + Self.block.height
    let legend = legendLines
    var sheet = SVG(width: max(width, 560), height: bottom + 44 + 22 * Double(legend.count))
    sheet.label(title, 16, 30, size: 18, bold: true)
    for level in (levels.min() ?? 1)...(levels.max() ?? 1) {
      let y = top + Double(level - (levels.min() ?? 1)) * Self.step.y + Self.block.height / 2
      // Where only blocks that stand higher come out at this level, there is none to show.
      guard y < bottom, let side = graph.blocks.first(where: { $0.level == level })?.output else { continue }
      sheet.line(Self.left - 14, y, width, y, stroke: "#ececec", width: Self.block.height)
      sheet.label("level \(level)", 16, y - 1, size: 12, fill: "#444444", bold: true)
      sheet.label("\(side.height) × \(side.width)", 16, y + 14, size: 11, fill: "#666666")
    }
    for arrow in graph.arrows { draw(arrow, &sheet) }
    for block in graph.blocks { draw(block, &sheet) }
    var y = bottom + 42
    for line in legend {
      let look = Self.look(line.role)
      sheet.rectangle(16, y - 11, 22, 14, fill: look.fill, stroke: look.stroke, radius: 4)
      sheet.label(line.text, 46, y, size: 12.5, fill: "#333333")
      y += 22
    }
    return sheet.text
  }

  /// Where blocks that halve would stand on others, all of them stand half a level higher: between the levels they join.
  private var halvesBetween: Bool {
    graph.blocks.contains { a in a.role == .down && graph.blocks.contains { $0.role != .down && $0.level == a.level && $0.column == a.column } }
  }

  /// Below the title, and below what goes over the blocks of the highest level.
  private var top: Double {
    let highest = graph.blocks.map(\.level).min()
    let over = graph.arrows.filter { graph.blocks[$0.from].level == highest && goesOver($0) }.map(rise).max() ?? 0
    return 56 + over * 0.8
  }

  private func corner(_ block: BlockGraph.Block) -> (x: Double, y: Double) {
    let first = graph.blocks.map(\.column).min() ?? 0
    return (Self.left + Double(block.column - first) * Self.step.x, top + row(block) * Self.step.y)
  }

  /// In levels below the highest.
  private func row(_ block: BlockGraph.Block) -> Double {
    Double(block.level - (graph.blocks.map(\.level).min() ?? 1)) - (block.role == .down && halvesBetween ? 0.5 : 0)
  }

  /// Whether a block stands between the two on their common row.
  private func goesOver(_ arrow: BlockGraph.Arrow) -> Bool {
    let (from, to) = (graph.blocks[arrow.from], graph.blocks[arrow.to])
    return row(from) == row(to) && graph.blocks.contains { row($0) == row(from) && $0.column > from.column && $0.column < to.column }
  }

  /// How far an arrow over other blocks bends away from them.
  private func rise(_ arrow: BlockGraph.Arrow) -> Double { 16 + 9 * Double(graph.blocks[arrow.to].column - graph.blocks[arrow.from].column) }

  private func draw(_ block: BlockGraph.Block, _ sheet: inout SVG) {
    let (x, y) = corner(block), look = Self.look(block.role)
    sheet.rectangle(x, y, Self.block.width, Self.block.height, fill: look.fill, stroke: look.stroke, strokeWidth: 1.4, radius: 7)
    sheet.label(block.name, x + Self.block.width / 2, y + 18, size: 14, anchor: .middle, bold: true)
    sheet.label("\(block.output.channels) ch", x + Self.block.width / 2, y + 33, size: 11, anchor: .middle, fill: "#555555")
  }

  /// From the right side of one block to the left side of another, or over what stands between them.
  private func draw(_ arrow: BlockGraph.Arrow, _ sheet: inout SVG) {
    let from = graph.blocks[arrow.from], to = graph.blocks[arrow.to]
    let start = corner(from), end = corner(to), size = Self.block
    let color = Self.look(end.y > start.y ? .down : end.y < start.y ? .up : .level).stroke
    if goesOver(arrow) {
      let span = Double(to.column - from.column), rise = rise(arrow)
      let (x1, x2) = (start.x + size.width * 0.62, end.x + size.width * (0.38 - 0.05 * min(max(span - 2, 0), 4)))
      sheet.arrow((x1, start.y), (x1 + 12, start.y - rise), (x2 - 12, end.y - rise), (x2, end.y), stroke: color)
      return
    }
    let b = (x: end.x, y: end.y + size.height * entry(arrow)), isBeside = graph.blocks.contains { row($0) == row(from) && $0.column == from.column + 1 }
    if end.y < start.y, isBeside, to.column > from.column + 1 {
      // Upwards past a neighbour: steeply, so as not to go behind it.
      let a = (x: start.x + size.width, y: start.y + size.height * 0.2)
      sheet.arrow(a, (a.x + 22, a.y - 52), (b.x - 46, b.y), b, stroke: color)
      return
    }
    let a = (x: start.x + size.width, y: start.y + size.height / 2), bend = min(46, (b.x - a.x) / 2)
    sheet.arrow(a, (a.x + bend, a.y), (b.x - bend, b.y), b, stroke: color)
  }

  /// How far down a block's left side an arrow enters: what comes along its row in the middle, what comes from above or below spread beside it.
  private func entry(_ arrow: BlockGraph.Arrow) -> Double {
    let place = row(graph.blocks[arrow.to])
    func side(_ arrow: BlockGraph.Arrow) -> Double { row(graph.blocks[arrow.from]) - place }
    let here = side(arrow)
    if here == 0 { return 0.5 }
    let all = graph.arrows.filter { $0.to == arrow.to && !goesOver($0) }
    let others = all.filter { side($0) * here > 0 }.sorted { side($0) < side($1) }
    let share = Double(others.firstIndex(of: arrow)! + 1) / Double(others.count + 1)
    if others.count == all.count { return share }
    return here < 0 ? 0.5 * share : 0.5 + 0.5 * share
  }

  /// What the blocks of each role do, each way once, and which blocks do it.
  private var legendLines: [(role: BlockGraph.Role, text: String)] {
    BlockGraph.Role.allCases.flatMap { role in
      let blocks = graph.blocks.filter { $0.role == role && !$0.steps.isEmpty }
      return blocks.map { Self.summary($0.steps) }.uniqued.map { steps in
        let names = blocks.filter { Self.summary($0.steps) == steps }.map(\.name)
        let shown = names.count > 4 ? "\(names[0]), \(names[1]) … \(names.last!)" : names.joined(separator: ", ")
        return (role, "\(shown): \(steps) (\(Self.look(role).what))")
      }
    }
  }

  /// "2 × (convolution 3×3, ReLU)": runs of the same steps are told once.
  static func summary(_ steps: [String]) -> String {
    var parts: [String] = [], index = 0
    while index < steps.count {
      var run = (length: 1, times: 1)
      for length in 1...max(1, (steps.count - index) / 2) {
        var times = 1
        while index + length * (times + 1) <= steps.count,
          steps[index..<(index + length)].elementsEqual(steps[(index + length * times)..<(index + length * (times + 1))]) { times += 1 }
        if times > 1, length * times > run.length * run.times { run = (length, times) }
      }
      let text = steps[index..<(index + run.length)].joined(separator: ", ")
      parts.append(run.times == 1 ? text : "\(run.times) × (\(text))")
      index += run.length * run.times
    }
    return parts.joined(separator: ", ")
  }
}
