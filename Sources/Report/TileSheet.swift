import Imaging

/// Rows of tiles under column headers, a label before each row, a legend below: the layout of the pictures. Columns that would not be
/// readable side by side on a page are laid out in bands, one below the other.
struct TileSheet {
  struct Row {
    /// Lines of the label.
    var label: [String]
    var tiles: [RGBImage]
  }

  var columns: [String]
  /// The first columns, which stand in every band.
  var repeated = 0
  var rows: [Row]
  var legend: [(color: RGB, text: String)] = []

  static let paper = RGB(255, 255, 255), ink = RGB(34, 34, 34), edge = RGB(136, 136, 136)
  /// The most columns of a band.
  private static let most = 8
  private static let gap = 8
  private static let line = (BitmapFont.height + 3) * Canvas.letterScale

  func rendered() -> RGBImage {
    let (gap, line) = (Self.gap, Self.line)
    let labelWidth = rows.flatMap(\.label).map { Canvas.width(of: $0) }.max() ?? 0
    let bands = bands
    // Of each place in a band, so that bands stand in line.
    let widths = bands[0].indices.map { place in
      bands.compactMap { place < $0.count ? $0[place] : nil }
        .map { column in max(rows.map { $0.tiles[column].width }.max() ?? 0, Canvas.width(of: columns[column]) + gap) }.max()!
    }
    let heights = rows.map { row in max(row.tiles.map(\.height).max() ?? 0, row.label.count * line) }
    let left = gap + labelWidth + (labelWidth > 0 ? gap : 0)
    let bandHeight = line + 2 + heights.reduce(gap) { $0 + $1 + gap }
    let legendWidth = legend.reduce(0) { $0 + 16 + 8 + Canvas.width(of: $1.text) + 28 }
    let width = max(left + widths.reduce(0) { $0 + $1 + gap }, left + legendWidth)
    let bottom = bands.count * bandHeight
    var canvas = Canvas(width: width, height: bottom + (legend.isEmpty ? 0 : line + gap), fill: Self.paper)

    for (band, shown) in bands.enumerated() {
      let head = band * bandHeight + gap, top = head + line + 2
      var x = left
      for (column, width) in zip(shown, widths) {
        let name = columns[column]
        canvas.write(name, x: x + (width - Canvas.width(of: name)) / 2, y: head, Self.ink)
        var y = top
        for (row, height) in zip(rows, heights) {
          let tile = row.tiles[column]
          let tileX = x + (width - tile.width) / 2, tileY = y + (height - tile.height) / 2
          canvas.place(tile, x: tileX, y: tileY)
          canvas.outline(x: tileX, y: tileY, width: tile.width, height: tile.height, Self.edge)
          y += height + gap
        }
        x += width + gap
      }
      var y = top
      for (row, height) in zip(rows, heights) {
        for (index, text) in row.label.enumerated() {
          canvas.write(text, x: gap, y: y + (height - row.label.count * line) / 2 + index * line, Self.ink)
        }
        y += height + gap
      }
    }
    var x = left
    for entry in legend {
      canvas.fill(x: x, y: bottom, width: 16, height: 16, entry.color)
      canvas.outline(x: x, y: bottom, width: 16, height: 16, Self.edge)
      canvas.write(entry.text, x: x + 24, y: bottom + 1, Self.ink)
      x += 24 + Canvas.width(of: entry.text) + 28
    }
    return canvas.picture
  }

  /// The columns of each band: the repeated ones, and an even share of the others.
  private var bands: [[Int]] {
    let own = columns.indices.dropFirst(repeated), most = Self.most - repeated
    let count = max(1, (own.count + most - 1) / most), share = max(1, (own.count + count - 1) / count)
    return (0..<count).map { Array(columns.indices.prefix(repeated)) + own.dropFirst($0 * share).prefix(share) }
  }

  /// The size of a tile for an image: 256 pixels high, or less where it would be more than 384 wide.
  static func tileSize(width: Int, height: Int) -> (width: Int, height: Int) {
    let scale = min(256 / Double(height), 384 / Double(width))
    return (max(1, Int((Double(width) * scale).rounded())), max(1, Int((Double(height) * scale).rounded())))
  }

  /// Grey values [0, 1] as a tile.
  static func tile(_ image: GrayImage) -> RGBImage {
    let size = tileSize(width: image.width, height: image.height)
    return Scaling.smooth(image, width: size.width, height: size.height).map { value in
      let level = UInt8((255 * min(1, max(0, value.isNaN ? 0 : value))).rounded())
      return RGB(level, level, level)
    }
  }
}
