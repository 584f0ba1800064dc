import Diagnostics
import Files
import Foundation
import Imaging
import Metrics

/// What `predict` writes for each image, and the tables of all of them.
struct PredictionFiles: Sendable {
  let folder: String
  /// Side of a pixel, micrometres; nil: tables are in pixels.
  var pixelSize: Double?
  var withProbabilities: Bool

  /// What is added to an image's name.
  static let endings = ["_mask.png", "_labels.png", "_labels.tif", "_overlay.png", "_probability.npy"]

  /// The largest label of a 16-bit image; beyond it labels go to a 32-bit TIFF.
  static let mostLabels = 65_535

  /// One image's lines of the tables.
  struct Rows: Sendable {
    var objects: String
    var count: String
    /// Of the contest's run-length table.
    var runs: String
  }

  /// Writes an image's pictures; where one cannot be written, none is left behind.
  ///
  /// - Parameter image: as it was read, grey in [0, 1].
  /// - Throws: `UserError` (exit 5).
  func write(_ found: Segmentation, of image: GrayImage, name: String) throws {
    let base = "\(folder)/\(name)", labels = base + (found.count > Self.mostLabels ? "_labels.tif" : "_labels.png")
    var pictures: [(path: String, write: () throws -> Void)] = [
      ("\(base)_mask.png", { try PNG.write(found.mask, to: "\(base)_mask.png", .fast) }),
      (labels, { found.count > Self.mostLabels ? try TIFF.write(found.labels, to: labels) : try PNG.write(found.labels, to: labels, .fast) }),
      ("\(base)_overlay.png", { try PNG.write(image.outlined(found.labels), to: "\(base)_overlay.png", .fast) }),
    ]
    if withProbabilities { pictures.append(("\(base)_probability.npy", { try NumPyFile.write(found.probabilities, to: "\(base)_probability.npy") })) }
    do { for picture in pictures { try picture.write() } } catch {
      for picture in pictures { try? FileManager.default.removeItem(atPath: picture.path) }
      throw error
    }
  }

  static let runsHeader = "ImageId,EncodedPixels,Height,Width"

  private var unit: String { pixelSize == nil ? "px" : "um" }

  var objectsHeader: String {
    "image,label,centroid_x,centroid_y,box_x,box_y,box_width,box_height,area,perimeter,eccentricity,solidity,mean_intensity,integrated_intensity,unit"
  }
  var countsHeader: String { "image,height,width,objects,foreground,mean_area,unit" }

  /// - Parameters:
  ///   - image: as it was read, grey in [0, 1].
  ///   - fullScale: what 1 stands for in the file (255 or 65,535): intensities are measured in the file's own units.
  func rows(_ found: Segmentation, of image: GrayImage, fullScale: Double, name: String, withRuns: Bool) -> Rows {
    let scale = pixelSize ?? 1, quoted = MaskRuns.quoted(name)
    // Intensities are read as 32-bit fractions: more digits would be their rounding.
    func text(_ value: Double) -> String { String(format: "%.7g", value) }
    let measured = ObjectMeasurements.measure(found.labels, count: found.count, on: image)
    let objects = measured.map { object in
      let lengths = [object.centroid.x, object.centroid.y] + [object.box.x, object.box.y, object.box.width, object.box.height].map(Double.init)
      let values = lengths.map { $0 * scale } + [Double(object.area) * scale * scale, object.perimeter * scale, object.eccentricity, object.solidity]
        + [object.meanIntensity * fullScale, object.integratedIntensity * fullScale]
      return "\(quoted),\(object.label)," + values.map(text).joined(separator: ",") + ",\(unit)\n"
    }
    let area = measured.reduce(0) { $0 + $1.area }
    let count = [quoted, "\(image.height)", "\(image.width)", "\(found.count)", text(Double(area) / Double(image.pixels.count))]
      + [found.count > 0 ? text(Double(area) / Double(found.count) * scale * scale) : "", unit]
    var runs = ""
    if withRuns {
      // An image without objects has one row without runs.
      let texts = found.count > 0 ? RunLength.encode(found.labels, count: found.count) : [""]
      runs = texts.map { "\(quoted),\($0),\(image.height),\(image.width)\n" }.joined()
    }
    return Rows(objects: objects.joined(), count: count.joined(separator: ",") + "\n", runs: runs)
  }

  /// Writes `objects.csv`, `counts.csv` and, where asked for, the run-length table. Throws `UserError` (exit 5).
  func writeTables(_ rows: [Rows], runs: String?) throws {
    try DurableFile.write(objectsHeader + "\n" + rows.map(\.objects).joined(), to: "\(folder)/objects.csv")
    try DurableFile.write(countsHeader + "\n" + rows.map(\.count).joined(), to: "\(folder)/counts.csv")
    if let runs { try DurableFile.write(Self.runsHeader + "\n" + rows.map(\.runs).joined(), to: runs) }
  }
}
