import Engine
@testable import NetworkGraph
import Testing

/// The paper pins its networks by their numbers of weights (Tables 1 and 2).
@Suite struct ArchitectureTests {
  static func configuration(_ architecture: String, _ upsampling: NetworkConfiguration.Upsampling, base: Int, depth: Int = 5) -> NetworkConfiguration {
    NetworkConfiguration(
      architecture: architecture, baseFilters: base, depth: depth, upsampling: upsampling, batchNormalization: architecture == "unet+", dropout: 0.5)
  }
  static let published: [(String, NetworkConfiguration.Upsampling, Int, Int)] = [
    ("unet", .transposed, 16, 1_941_093), ("unet", .transposed, 8, 485_813),
    ("unet++", .transposed, 16, 2_261_601), ("unet++", .transposed, 8, 566_001),
    ("unet+", .transposed, 16, 1_926_065), ("unet+", .transposed, 8, 483_801),
    ("unet+", .nearest, 16, 1_729_985), ("unet+", .nearest, 8, 434_721),
  ]
  @Test(arguments: published) func weightCountsAreThePapers(_ row: (String, NetworkConfiguration.Upsampling, Int, Int)) throws {
    let facts = try NetworkFacts.of(Self.configuration(row.0, row.1, base: row.2), side: 256)
    #expect(facts.parameters == row.3)
  }

  /// PAPER.md's multiply–adds for one 256 × 256 patch, in units of 10⁹ to two digits.
  static let costs: [(String, NetworkConfiguration.Upsampling, Int, Double)] = [
    ("unet", .transposed, 16, 3.43), ("unet++", .transposed, 16, 7.44), ("unet+", .transposed, 16, 4.92), ("unet+", .nearest, 16, 6.58),
    ("unet", .transposed, 8, 0.87), ("unet++", .transposed, 8, 1.86), ("unet+", .transposed, 8, 1.23), ("unet+", .nearest, 8, 1.65),
  ]
  @Test(arguments: costs) func multiplyAddsAreThePapers(_ row: (String, NetworkConfiguration.Upsampling, Int, Double)) throws {
    let facts = try NetworkFacts.of(Self.configuration(row.0, row.1, base: row.2), side: 256)
    #expect(abs(Double(facts.multiplyAdds) / 1e9 - row.3) < 0.0051)
  }

  @Test(arguments: ["unet", "unet++", "unet+"], 2...7) func everyDepthBuilds(_ architecture: String, depth: Int) throws {
    for upsampling in [NetworkConfiguration.Upsampling.transposed, .nearest] {
      let network = try Self.configuration(architecture, upsampling, base: 1, depth: depth).network(height: 64, width: 128)
      #expect(network.shapes[network.logits].description == "[1, 64, 128]")
      #expect(Set(network.parameters.map(\.name)).count == network.parameters.count)
    }
  }

  @Test func sidesThatCannotBeHalvedAreRefused() {
    #expect(throws: (any Error).self) { try Self.configuration("unet", .transposed, base: 2).network(height: 250, width: 256) }
    #expect(throws: (any Error).self) { try Self.configuration("vnet", .transposed, base: 2).network(height: 256, width: 256) }
  }

  /// In float32; `PairedTests` asks the same of pairs.
  @Test(arguments: ["unet", "unet++", "unet+"]) func plannedBuffersNeverCollide(_ architecture: String) throws {
    for training in [true, false] {
      let network = try Self.configuration(architecture, .nearest, base: 4, depth: 4).network(height: 32, width: 32).lowered(training: training)
      Self.expectNoCollision(MemoryPlan(network, images: 3, training: training), of: network)
    }
  }

  /// No buffer of the plan overlaps another that lives at the same time, but for a gradient in the very place of what its step
  /// reads for the last time.
  static func expectNoCollision(_ plan: MemoryPlan, of network: Network, sourceLocation: SourceLocation = #_sourceLocation) {
    let buffers = (plan.values + plan.gradients + plan.recomputed).compactMap { $0 }
    #expect(buffers.count > network.nodes.count, sourceLocation: sourceLocation)
    for (i, a) in buffers.enumerated() {
      #expect(a.offset + a.floats <= plan.arena, sourceLocation: sourceLocation)
      for b in buffers[..<i] where a.life.overlaps(b.life) {
        let (earlier, later) = a.life.lowerBound < b.life.lowerBound ? (a, b) : (b, a)
        let takesOver = earlier.life.upperBound == later.life.lowerBound && (a.offset, a.floats) == (b.offset, b.floats)
        if takesOver && later.life.lowerBound > network.nodes.count { continue }
        #expect(a.offset + a.floats <= b.offset || b.offset + b.floats <= a.offset, sourceLocation: sourceLocation)
      }
    }
  }
}
