import Datasets
import Diagnostics
import Foundation
import Imaging
import Metrics
import Report

/// `evaluate --json`: means over the images, fractions.
struct ScoreSummary: Encodable {
  var images: Int
  var average_iou: Double
  var average_iou_sd: Double
  var iou_at_050: Double
  var iou_at_050_sd: Double
  var average_precision: Double
  var contest_score: Double
  /// The same with one true object per annotated nucleus, and the contest's score by connected regions.
  var annotated_average_iou: Double
  var annotated_iou_at_050: Double
  var annotated_average_precision: Double
  var contest_score_by_regions: Double
  /// Images with neither truth nor prediction, left out of the means.
  var images_empty: Int

  /// nil where no image counts.
  init?(_ scores: [ImageScore]) {
    let counted = scores.filter { !$0.empty }
    func spread(_ score: (ImageScore) -> Double) -> Spread? { Spread(counted.map(score)) }
    guard let iou = spread(\.averageIoU), let half = spread(\.iouAt050), let precision = spread(\.averagePrecision), let contest = spread(\.contestScore),
      let annotated = spread(\.annotatedAverageIoU), let annotatedHalf = spread(\.annotatedIoUAt050),
      let annotatedPrecision = spread(\.annotatedAveragePrecision), let byRegions = spread(\.contestScoreByRegions)
    else { return nil }
    (images, images_empty) = (counted.count, scores.count - counted.count)
    (average_iou, average_iou_sd, iou_at_050, iou_at_050_sd) = (iou.mean, iou.standardDeviation, half.mean, half.standardDeviation)
    (average_precision, contest_score) = (precision.mean, contest.mean)
    (annotated_average_iou, annotated_iou_at_050) = (annotated.mean, annotatedHalf.mean)
    (annotated_average_precision, contest_score_by_regions) = (annotatedPrecision.mean, byRegions.mean)
  }
}

extension Runner {
  /// The metrics on anyone's masks: every image of `predictions` is scored against its truth.
  public static func evaluate(predictions: String, truth: String, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    let console = surroundings.console
    let ours = try Annotations(predictions), theirs = try Annotations(truth)
    let known = Set(theirs.ids)
    // `predict` writes <name>_mask.png beside other pictures of the image.
    let suffix = "_mask"
    let pairs: [(prediction: String, image: String)] = ours.ids.compactMap { id in
      if known.contains(id) { return (id, id) }
      if id.hasSuffix(suffix), known.contains(String(id.dropLast(suffix.count))) { return (id, String(id.dropLast(suffix.count))) }
      return nil
    }
    let unknown = ours.ids.count - pairs.count
    guard !pairs.isEmpty else {
      throw UserError(
        "\(predictions): none of its \(ours.ids.count) masks has a truth of its name in \(truth)", exitCode: .inputOrOutputFailed,
        hints: ["masks are called <image>.png or <image>_mask.png; the first truth is of image \(theirs.ids.first ?? "…")"])
    }
    if unknown > 0 { console.show([Diagnostic(.warning, "\(unknown) masks of \(predictions) have no truth in \(truth)")]) }
    if pairs.count < theirs.ids.count {
      let count = theirs.ids.count
      console.show([Diagnostic(.warning, "\(count - pairs.count) of the \(count) images of \(truth) have no mask in \(predictions); they do not count")])
    }
    let scores = try pairs.map { pair in
      let (prediction, truth) = (try ours.truth(pair.prediction), try theirs.truth(pair.image))
      guard prediction.mask.width == truth.mask.width, prediction.mask.height == truth.mask.height else {
        throw UserError(
          "\(pair.prediction).png: \(prediction.mask.width) × \(prediction.mask.height) pixels; its truth has \(truth.mask.width) × \(truth.mask.height)",
          exitCode: .damagedData)
      }
      return ImageScore(
        image: pair.image, mask: prediction.mask, objects: prediction.labels, truth: truth.mask, nuclei: truth.labels, connectivity: 8)
    }
    guard let summary = ScoreSummary(scores) else {
      throw UserError("neither truth nor predictions have an object in any image", exitCode: .inputOrOutputFailed)
    }
    if json {
      console.put(try jsonText(summary))
    } else {
      func line(_ name: String, _ mean: Double, _ sd: Double? = nil) -> String {
        name.padding(toLength: 36, withPad: " ", startingAt: 0) + ProgressText.fixed(mean, 4) + (sd.map { " ± " + ProgressText.fixed($0, 4) } ?? "")
      }
      console.print("\(summary.images) images, true objects by connected regions (the paper's way)")
      console.print(line("  average IoU", summary.average_iou, summary.average_iou_sd))
      console.print(line("  IoU at 0.5", summary.iou_at_050, summary.iou_at_050_sd))
      console.print(line("  average precision", summary.average_precision))
      console.print(line("  contest score", summary.contest_score_by_regions))
      console.print("true objects by annotated nucleus (the contest's way)")
      console.print(line("  average IoU", summary.annotated_average_iou))
      console.print(line("  IoU at 0.5", summary.annotated_iou_at_050))
      console.print(line("  average precision", summary.annotated_average_precision))
      console.print(line("  contest score", summary.contest_score))
      if summary.images_empty > 0 { console.print("\(summary.images_empty) images with neither truth nor prediction are left out") }
    }
    return .done
  }

  /// One object, its names in alphabetic order, and a line break.
  static func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }
}
