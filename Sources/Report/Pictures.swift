import Imaging

/// Fig. 2 of the paper: test images, their truth, and each network's mask coloured by what is right and wrong in it.
public struct SegmentationFigure: Sendable {
  /// Lines of `label` are parted by `\n`; image, truth and predictions `[H, W]` of one size, predictions in the order of `columns`.
  public var rows: [(label: String, image: GrayImage, truth: Mask, predictions: [Mask])]
  /// The networks' names.
  public var columns: [String]

  public init(rows: [(label: String, image: GrayImage, truth: Mask, predictions: [Mask])], columns: [String]) {
    for row in rows {
      precondition(row.predictions.count == columns.count, "\(row.label): \(row.predictions.count) predictions for \(columns.count) columns")
      for mask in [row.truth] + row.predictions {
        precondition(
          mask.width == row.image.width && mask.height == row.image.height,
          "\(row.label): a mask of \(mask.width) × \(mask.height) on an image of \(row.image.width) × \(row.image.height)")
      }
    }
    (self.rows, self.columns) = (rows, columns)
  }

  static let correct = RGB(255, 255, 255), missed = RGB(220, 38, 38), false_ = RGB(37, 99, 235), background = RGB(0, 0, 0)

  /// White where truth and prediction agree on foreground, red where truth alone has it (FN), blue where the prediction alone has it (FP).
  static func overlay(truth: Mask, prediction: Mask) -> RGBImage {
    RGBImage(
      width: truth.width, height: truth.height,
      pixels: zip(truth.pixels, prediction.pixels).map { truth, prediction in
        switch (truth != 0, prediction != 0) {
        case (true, true): correct
        case (true, false): missed
        case (false, true): false_
        case (false, false): background
        }
      })
  }

  /// The image's own range drawn out to [0, 1], the top half per cent cut off: some test images are nearly black.
  static func stretched(_ image: GrayImage) -> GrayImage {
    let sorted = image.pixels.sorted()
    guard let low = sorted.first, case let high = sorted[(sorted.count - 1) * 995 / 1000], high > low else { return image }
    return image.map { ($0 - low) / (high - low) }
  }

  public func rendered() -> RGBImage {
    TileSheet(
      columns: ["image", "truth"] + columns, repeated: 2,
      rows: rows.map { row in
        let size = TileSheet.tileSize(width: row.image.width, height: row.image.height)
        let masks = [Self.overlay(truth: row.truth, prediction: row.truth)] + row.predictions.map { Self.overlay(truth: row.truth, prediction: $0) }
        return TileSheet.Row(
          label: row.label.split(separator: "\n").map(String.init),
          tiles: [TileSheet.tile(Self.stretched(row.image))] + masks.map { Scaling.nearest($0, width: size.width, height: size.height) })
      },
      legend: [
        (Self.correct, "correct"), (Self.missed, "missed (FN)"), (Self.false_, "false (FP)"), (Self.background, "background"),
      ]
    ).rendered()
  }
}

/// Fig. 4 of the paper: what preprocessing makes of an image, and the patches it is cut into.
public struct PreprocessingFigure: Sendable {
  /// Images `[H, W]` of one size, grey values in [0, 1]; `patches` are the grid's upper left corners.
  public var rows: [(label: String, image: GrayImage, equalized: GrayImage, denoised: GrayImage, patches: [(y: Int, x: Int)])]
  /// Side of a patch, pixels.
  public var patchSize: Int

  public init(rows: [(label: String, image: GrayImage, equalized: GrayImage, denoised: GrayImage, patches: [(y: Int, x: Int)])], patchSize: Int) {
    (self.rows, self.patchSize) = (rows, patchSize)
  }

  static let frames = [RGB(230, 159, 0), RGB(86, 180, 233)]

  public func rendered() -> RGBImage {
    TileSheet(
      columns: ["image", "(a) CLAHE", "(b) TV de-noised", "(c) patches"],
      rows: rows.map { row in
        TileSheet.Row(
          label: row.label.split(separator: "\n").map(String.init),
          tiles: [row.image, row.equalized, row.denoised].map(TileSheet.tile) + [patched(row.denoised, row.patches)])
      }
    ).rendered()
  }

  /// The patches' outlines in turn in two colours, so that overlapping ones can be followed.
  private func patched(_ image: GrayImage, _ patches: [(y: Int, x: Int)]) -> RGBImage {
    let tile = TileSheet.tile(image)
    var canvas = Canvas(width: tile.width, height: tile.height, fill: TileSheet.paper)
    canvas.place(tile, x: 0, y: 0)
    func down(_ y: Int) -> Int { y * tile.height / image.height }
    func across(_ x: Int) -> Int { x * tile.width / image.width }
    for (index, patch) in patches.enumerated() {
      let bottom = min(image.height, patch.y + patchSize), right = min(image.width, patch.x + patchSize)
      canvas.outline(
        x: across(patch.x), y: down(patch.y), width: across(right) - across(patch.x), height: down(bottom) - down(patch.y), thickness: 2,
        Self.frames[index % 2])
    }
    return canvas.picture
  }
}

/// A test image that could be shown in the segmentation figure.
public struct FigureCandidate: Sendable, Hashable {
  public var image: String
  /// Of the raw image, in [0, 1].
  public var meanIntensity: Double
  public var nuclei: Int
  public var foregroundPixels: Int
  /// Standard deviation of the intensity within the nuclei, by its mean.
  public var grain: Double
  public init(image: String, meanIntensity: Double, nuclei: Int, foregroundPixels: Int, grain: Double = 0) {
    (self.image, self.meanIntensity, self.nuclei) = (image, meanIntensity, nuclei)
    (self.foregroundPixels, self.grain) = (foregroundPixels, grain)
  }
}

/// A chosen image and why: `dim`, `crowded`, `large` or `medium`.
public struct FigureChoice: Sendable, Hashable {
  public var image: String
  public var kind: String
  public init(image: String, kind: String) { (self.image, self.kind) = (image, kind) }
  /// The row's label: the kind, and enough of the image's name to find it.
  public var label: String { "\(kind)\n\(image.count > 14 ? String(image.prefix(8)) : image)" }
}

/// The images of the segmentation figure by rule, before any network has seen them: the dimmest, the one with the most nuclei,
/// the one with the largest (by mean area), then those nearest the middle in all three. Ties go to the smaller name.
public func chooseFigureImages(_ candidates: [FigureCandidate], count: Int = 5) -> [FigureChoice] {
  var rest = candidates.filter { $0.nuclei > 0 }.sorted { $0.image < $1.image }
  func area(_ candidate: FigureCandidate) -> Double { Double(candidate.foregroundPixels) / Double(candidate.nuclei) }
  let total = rest.count
  func distances(_ value: (FigureCandidate) -> Double) -> [String: Int] {
    let order = rest.sorted { (value($0), $0.image) < (value($1), $1.image) }
    return Dictionary(order.enumerated().map { ($1.image, abs(2 * $0 - (total - 1))) }, uniquingKeysWith: { first, _ in first })
  }
  let fromMiddle = [distances(\.meanIntensity), distances { Double($0.nuclei) }, distances(area)]
  let kinds: [(String, (FigureCandidate) -> Double)] = [
    ("dim", \.meanIntensity), ("crowded", { -Double($0.nuclei) }), ("large", { -area($0) }),
  ]
  var chosen: [FigureChoice] = []
  for place in 0..<count {
    let (kind, cost) = place < kinds.count ? kinds[place] : ("medium", { c in Double(fromMiddle.reduce(0) { $0 + $1[c.image]! }) })
    // `min` keeps the first of equals, and the names are in order.
    guard let pick = rest.indices.min(by: { cost(rest[$0]) < cost(rest[$1]) }) else { break }
    chosen.append(FigureChoice(image: rest.remove(at: pick).image, kind: kind))
  }
  return chosen
}
