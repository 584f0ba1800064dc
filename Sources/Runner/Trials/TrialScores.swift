import Report

/// What a run says of a trial that is done.
struct TrialScores {
  var averageIoU: Double
  var averagePrecision: Double
  /// nil where nothing was trained.
  var validationLoss: Double?
  var bestEpoch: Int?
  /// nil where it was not timed now.
  var millisecondsPerPatch: Double?

  /// The means are over images with anything in them, as the report's.
  init(_ record: TrialRecord, millisecondsPerPatch: Double? = nil) {
    let scored = record.images.filter { !$0.empty }
    func mean(_ score: (ImageScore) -> Double) -> Double { scored.isEmpty ? 0 : scored.map(score).reduce(0, +) / Double(scored.count) }
    (averageIoU, averagePrecision) = (mean(\.averageIoU), mean(\.averagePrecision))
    if !record.losses.isEmpty { (validationLoss, bestEpoch) = (record.validationLoss, record.bestEpoch) }
    self.millisecondsPerPatch = millisecondsPerPatch
  }

  var text: String {
    "average IoU \(ProgressText.fixed(averageIoU, 3)), average precision \(ProgressText.fixed(averagePrecision, 3))"
      + (bestEpoch.map { ", validation loss \(ProgressText.fixed(validationLoss!, 4)) in epoch \($0)" } ?? "")
      + (millisecondsPerPatch.map { ", \(ProgressText.fixed($0, 1)) ms a patch" } ?? "")
  }

  var fields: [RunEvent.Field] {
    [
      ("average_iou", .init(averageIoU)), ("average_precision", .init(averagePrecision)), ("validation_loss", .init(validationLoss)),
      ("best_epoch", bestEpoch.map(RunEvent.Value.count) ?? RunEvent.Value.none), ("ms_per_patch", .init(millisecondsPerPatch)),
    ]
  }
}
