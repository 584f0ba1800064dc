import Architectures
import Foundation
import NetworkGraph
import TensorCore
import Testing

@testable import Report

/// Figures drawn from networks: what stands in them is what the architectures say.
@Suite struct NetworkFigureTests {
  private func graph(_ name: String, depth: Int = 5, upsampling: Upsampling = .transposed) throws -> BlockGraph {
    let options = ArchitectureOptions(baseFilters: 16, depth: depth, upsampling: upsampling, batchNormalization: name == "unet+", dropout: 0.5)
    let type = try #require(architectures.first { $0.name == name })
    return BlockGraph(try type.init(options).network(height: 256, width: 256, options: options))
  }

  private func reads(_ graph: BlockGraph, _ name: String) -> Set<String> {
    Set(graph.arrows.filter { graph.blocks[$0.to].name == name }.map { graph.blocks[$0.from].name })
  }

  private func block(_ graph: BlockGraph, _ name: String) throws -> BlockGraph.Block { try #require(graph.blocks.first { $0.name == name }) }

  /// The text's example route, and the concatenations of Fig. 5a.
  @Test(arguments: [Upsampling.transposed, .nearest]) func uNetPlusIsThePapers(_ upsampling: Upsampling) throws {
    let graph = try graph("unet+", upsampling: upsampling)
    for (from, to) in [("C10", "C11"), ("C11", "C12"), ("C12", "D13"), ("D13", "D23"), ("D23", "U2")] { #expect(reads(graph, to).contains(from), "\(from) → \(to)") }
    #expect(reads(graph, "C22") == ["C21", "D12"] && reads(graph, "D22") == ["C21", "D12"] && reads(graph, "C21") == ["D11"])
    #expect(reads(graph, "U4") == ["D41"] && reads(graph, "U1") == ["U2", "C23", "D14"] && reads(graph, "head") == ["U1", "C14"])
    let d41 = try block(graph, "D41"), c10 = try block(graph, "C10"), u1 = try block(graph, "U1")
    #expect(d41.output == FeatureShape(256, 16, 16) && d41.role == .down && d41.level == 5 && d41.steps.first?.contains("3×3") == true)
    #expect(c10.role == .level && c10.level == 1 && c10.column == 1 && u1.role == .up && u1.output == FeatureShape(16, 256, 256))
    #expect(graph.blocks.count == 1 + 5 + 4 + 3 + 2 + 1 + 3 + 2 + 1 + 4 + 1)  // image; C1…C4, D1…D4 by level; U; head
  }

  @Test func uNetPoolsAndUNetPlusPlusNests() throws {
    let unet = try graph("unet"), nested = try graph("unet++")
    #expect(reads(unet, "up1") == ["up2", "down1"] && reads(unet, "down2") == ["down1"])
    let down2 = try block(unet, "down2"), up1 = try block(unet, "up1")
    #expect(down2.role == .down && down2.steps.first == "max-pool 2×2" && up1.role == .up && up1.level == 1)
    #expect(reads(nested, "X04") == ["X00", "X01", "X02", "X03", "X13"] && reads(nested, "X10") == ["X00"])
    // One skip connection (Fig. 5b): the first row and what it reads from below.
    let skip = nested.level(1)
    #expect(Set(skip.blocks.map(\.name)) == ["image", "X00", "X01", "X02", "X03", "X04", "X10", "X11", "X12", "X13"])
    #expect(skip.arrows.count == 1 + 2 + 3 + 4 + 5)
  }

  /// No block on another, none outside the sheet, whatever the depth; every name is in the drawing.
  @Test(arguments: ["unet", "unet++", "unet+"], [3, 5, 6]) func drawingsHaveEveryBlockInAPlaceOfItsOwn(_ name: String, _ depth: Int) throws {
    let graph = try graph(name, depth: depth), svg = NetworkFigure(title: "A & B", graph: graph).svg
    for block in graph.blocks { #expect(svg.contains(">\(block.name)</text>")) }
    #expect(svg.contains("A &amp; B") && svg.components(separatedBy: "<path").count - 1 == graph.arrows.count)
    let drawing = try Drawing(svg), boxes = drawing.elements.filter { $0.attributes["rx"] == "7" }.map {
      Drawing.Box(left: $0.number("x"), top: $0.number("y"), right: $0.number("x") + $0.number("width"), bottom: $0.number("y") + $0.number("height"))
    }
    #expect(boxes.count == graph.blocks.count)
    for (index, box) in boxes.enumerated() {
      #expect(box.isWithin(drawing.sheet) && !boxes.dropFirst(index + 1).contains { $0.overlaps(box) }, "\(graph.blocks[index].name)")
    }
    for label in drawing.labels { #expect(label.box.isWithin(drawing.sheet), "\(label)") }
  }

  @Test func runsOfStepsAreToldOnce() {
    #expect(NetworkFigure.summary(["a", "b", "a", "b"]) == "2 × (a, b)" && NetworkFigure.summary(["p", "a", "a"]) == "p, 2 × (a)")
    #expect(NetworkFigure.summary(["a"]) == "a" && NetworkFigure.summary([]) == "" && NetworkFigure.summary(["a", "b", "c"]) == "a, b, c")
  }
}
