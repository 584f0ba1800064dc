import Imaging

/// Fig. 3 of the paper: how differently the images look, in appearance of the cells, illumination and magnification.
public struct ExamplesFigure: Sendable {
  /// What varies, and images from the least to the most of it; `stretched` draws each out to its own range.
  public var rows: [(label: String, images: [GrayImage], stretched: Bool)]

  public init(rows: [(label: String, images: [GrayImage], stretched: Bool)]) { self.rows = rows }

  public func rendered() -> RGBImage {
    TileSheet(
      columns: ["least", "middle", "most"],
      rows: rows.map { row in
        TileSheet.Row(
          label: row.label.split(separator: "\n").map(String.init),
          tiles: row.images.map { TileSheet.tile(row.stretched ? SegmentationFigure.stretched($0) : $0) })
      }
    ).rendered()
  }
}

extension FigureCandidate {
  /// What the rows of the examples show: the rule that orders the images, and whether their light is of no account there.
  public enum Variety: CaseIterable, Sendable {
    /// From evenly lit nuclei to grained ones.
    case appearance
    case illumination
    /// From small nuclei to large ones.
    case magnification

    public var label: String {
      switch self {
      case .appearance: "(a) cell\nappearance"
      case .illumination: "(b) illumi-\nnation"
      case .magnification: "(c) magni-\nfication"
      }
    }
  }

  fileprivate func amount(of variety: Variety) -> Double {
    switch variety {
    case .appearance: grain
    case .illumination: meanIntensity
    case .magnification: Double(foregroundPixels) / Double(nuclei)
    }
  }
}

/// For each variety the images with the least, the middle and the most of it, no image twice where there are enough. Ties go to the smaller name.
public func chooseExamples(_ candidates: [FigureCandidate]) -> [(variety: FigureCandidate.Variety, images: [String])] {
  var rest = candidates.filter { $0.nuclei > 0 }
  guard rest.count >= 3 else { return [] }
  return FigureCandidate.Variety.allCases.map { variety in
    if rest.count < 3 { rest = candidates.filter { $0.nuclei > 0 } }
    let order = rest.sorted { ($0.amount(of: variety), $0.image) < ($1.amount(of: variety), $1.image) }.map(\.image)
    let images = [order[0], order[order.count / 2], order[order.count - 1]]
    rest.removeAll { images.contains($0.image) }
    return (variety, images)
  }
}
