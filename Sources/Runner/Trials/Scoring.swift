import Datasets
import Diagnostics
import Files
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

/// `evaluate --json`: the means' names, and `per_image`.
private struct EvaluationAnswer: Encodable {
  var summary: ScoreSummary
  var images: [ScoredImage]
  private enum Names: CodingKey { case per_image }

  func encode(to encoder: Encoder) throws {
    try summary.encode(to: encoder)
    var container = encoder.container(keyedBy: Names.self)
    try container.encode(images, forKey: .per_image)
  }
}

/// One image's scores: an element of `per_image` in `evaluate --json`, and a line of `evaluate --csv`.
private struct ScoredImage: Encodable {
  var image: String
  var nuclei, objects: Int
  var average_iou, iou_at_050, average_precision, contest_score: Double
  var annotated_nuclei: Int
  var annotated_average_iou, annotated_iou_at_050, annotated_average_precision, contest_score_by_regions: Double
  /// Neither truth nor prediction: left out of the means.
  var empty: Bool

  init(_ score: ImageScore) {
    (image, nuclei, objects, empty) = (score.image, score.nuclei, score.objects, score.empty)
    (average_iou, iou_at_050, average_precision, contest_score) = (score.averageIoU, score.iouAt050, score.averagePrecision, score.contestScore)
    (annotated_nuclei, annotated_average_iou, annotated_iou_at_050) = (score.annotatedNuclei, score.annotatedAverageIoU, score.annotatedIoUAt050)
    (annotated_average_precision, contest_score_by_regions) = (score.annotatedAveragePrecision, score.contestScoreByRegions)
  }

  static let csvHeader =
    "image,nuclei,objects,average_iou,iou_at_050,average_precision,contest_score,annotated_nuclei,annotated_average_iou,annotated_iou_at_050,"
    + "annotated_average_precision,contest_score_by_regions,empty"
  var csvLine: String {
    let scores = ["\(average_iou)", "\(iou_at_050)", "\(average_precision)", "\(contest_score)", "\(annotated_nuclei)"]
      + [annotated_average_iou, annotated_iou_at_050, annotated_average_precision, contest_score_by_regions].map { "\($0)" }
    return ([MaskRuns.quoted(image), "\(nuclei)", "\(objects)"] + scores + [empty ? "1" : "0"]).joined(separator: ",")
  }
}

extension Runner {
  /// The metrics on anyone's masks or label images: every image of `predictions` is scored against its truth.
  ///
  /// - Parameters:
  ///   - json: one JSON object on standard output, the images under `per_image`.
  ///   - csv: a file for the scores of each image.
  public static func evaluate(predictions: String, truth: String, json: Bool, csv: String? = nil, _ surroundings: Surroundings) throws -> ExitCode {
    let console = surroundings.console
    let ours = try Annotations(predictions), theirs = try Annotations(truth)
    let pairs = pair(ours.ids, with: theirs.ids)
    guard !pairs.isEmpty else {
      throw UserError(
        "\(predictions): none of its \(ours.ids.count) masks has a truth of its name in \(truth)", exitCode: .inputOrOutputFailed,
        hints: ["masks are called as their image, or <image>_labels or <image>_mask; the first truth is of image \(theirs.ids.first ?? "…")"])
    }
    // What `predict` made of one image counts once.
    let meant = Set(pairs.flatMap { pair in ([""] + ownSuffixes).map { pair.image + $0 } })
    let unknown = Set(ours.ids.filter { !meant.contains($0) }.map { id in ownSuffixes.first(where: id.hasSuffix).map { String(id.dropLast($0.count)) } ?? id })
    if !unknown.isEmpty {
      console.show([Diagnostic(.warning, "\(predictions): no truth in \(truth) for the masks of \(counted(unknown.count)), e.g. \(unknown.min()!)")])
    }
    if pairs.count < theirs.ids.count {
      let known = Set(pairs.map(\.image)), without = theirs.ids.filter { !known.contains($0) }
      console.show([
        Diagnostic(.warning, "\(predictions): no mask for \(without.count) of \(counted(theirs.ids.count)) of \(truth), e.g. \(without[0]); they do not count")
      ])
    }
    let scores = try pairs.map { pair in
      let (prediction, truth) = (try ours.truth(pair.prediction), try theirs.truth(pair.image))
      guard prediction.mask.width == truth.mask.width, prediction.mask.height == truth.mask.height else {
        throw UserError(
          "\(predictions): the mask \(pair.prediction) has \(prediction.mask.width) × \(prediction.mask.height) pixels; its truth has \(truth.mask.width) × \(truth.mask.height)",
          exitCode: .damagedData)
      }
      return ImageScore(
        image: pair.image, mask: prediction.mask, objects: prediction.labels, truth: truth.mask, nuclei: truth.labels, connectivity: 8)
    }
    guard let summary = ScoreSummary(scores) else {
      throw UserError("neither truth nor predictions have an object in any image", exitCode: .inputOrOutputFailed)
    }
    let images = scores.map(ScoredImage.init)
    if let csv { try DurableFile.write(([ScoredImage.csvHeader] + images.map(\.csvLine)).joined(separator: "\n") + "\n", to: csv) }
    if json {
      console.put(try jsonText(EvaluationAnswer(summary: summary, images: images)))
    } else {
      func line(_ name: String, _ mean: Double, _ sd: Double? = nil) -> String {
        name.padding(toLength: 36, withPad: " ", startingAt: 0) + ProgressText.fixed(mean, 4) + (sd.map { " ± " + ProgressText.fixed($0, 4) } ?? "")
      }
      console.print("\(counted(summary.images)), true objects by connected regions (the paper's way)")
      console.print(line("  average IoU", summary.average_iou, summary.average_iou_sd))
      console.print(line("  IoU at 0.5", summary.iou_at_050, summary.iou_at_050_sd))
      console.print(line("  average precision", summary.average_precision))
      console.print(line("  contest score", summary.contest_score_by_regions))
      console.print("true objects by annotated nucleus (the contest's way)")
      console.print(line("  average IoU", summary.annotated_average_iou))
      console.print(line("  IoU at 0.5", summary.annotated_iou_at_050))
      console.print(line("  average precision", summary.annotated_average_precision))
      console.print(line("  contest score", summary.contest_score))
      if summary.images_empty > 0 { console.print("left out: \(counted(summary.images_empty)) with neither truth nor prediction") }
    }
    return .done
  }

  private static func counted(_ images: Int) -> String { "\(images) image\(images == 1 ? "" : "s")" }

  /// What `predict` adds to an image's name; of these pictures the labels say most, and the outlines nothing.
  private static let ownSuffixes = ["_labels", "_mask", "_overlay"]

  /// Each image of `truths` with the prediction that says most of it: one of its own name, its labels, its mask.
  private static func pair(_ predictions: [String], with truths: [String]) -> [(prediction: String, image: String)] {
    let known = Set(predictions)
    return truths.compactMap { image in
      ["", "_labels", "_mask"].map { image + $0 }.first(where: known.contains).map { (prediction: $0, image: image) }
    }
  }

  /// One object, its names in alphabetic order, and a line break.
  static func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }
}
