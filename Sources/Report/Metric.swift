import Diagnostics

/// What a report can show of a trial: its key in spec and CSV, its name in print, and where its number stands.
struct Metric {
  enum Source {
    /// One number a test image; the trial's is the mean over the images that are not empty.
    case image((ImageScore) -> Double)
    /// One number a trial, whatever its seed: a network's structure.
    case structure((TrialRow) -> Double?)
    /// One number a trial and seed: what came out of one training.
    case training((TrialRow) -> Double?)
    /// One number a trial and seed, depending on the clock or the machine: kept out of `table.csv`.
    case clock((TimingRecord) -> Double)
  }

  var key: String
  var label: String
  /// Printed value = value · scale, with `digits` decimals.
  var scale = 1.0
  var digits = 3
  /// Whether the paper's table prints ± the spread over images behind it.
  var printsSpread = false
  var source: Source

  var isClock: Bool { if case .clock = source { true } else { false } }

  func print(_ value: Double?) -> String { Numbers.fixed(value.map { $0 * scale }, digits) }
  func printDifference(_ value: Double?) -> String { Numbers.signed(value.map { $0 * scale }, digits) }

  /// Every metric, in the order of `table.csv`.
  static var all: [Metric] {
    [
      Metric(key: "average_iou", label: "Ave. IOU (m ± s)", printsSpread: true, source: .image(\.averageIoU)),
      Metric(key: "average_precision", label: "Ave. precision (%)", scale: 100, digits: 1, source: .image(\.averagePrecision)),
      Metric(key: "iou_at_050", label: "IOU at T = 0.5", printsSpread: true, source: .image(\.iouAt050)),
      Metric(key: "contest_score", label: "Contest score, by annotated nucleus", printsSpread: true, source: .image(\.contestScore)),
      Metric(key: "contest_score_by_regions", label: "Contest score, by regions", printsSpread: true, source: .image(\.contestScoreByRegions)),
      Metric(key: "annotated_average_iou", label: "Ave. IOU, by annotated nucleus", printsSpread: true, source: .image(\.annotatedAverageIoU)),
      Metric(key: "annotated_iou_at_050", label: "IOU at T = 0.5, by annotated nucleus", printsSpread: true, source: .image(\.annotatedIoUAt050)),
      Metric(
        key: "annotated_average_precision", label: "Ave. precision, by annotated nucleus (%)", scale: 100, digits: 1,
        source: .image(\.annotatedAveragePrecision)),
      Metric(key: "parameters", label: "No. of weights (M)", scale: 1e-6, source: .structure { $0.parameters.map(Double.init) }),
      Metric(key: "trainable_parameters", label: "Trained weights (M)", scale: 1e-6, source: .structure { $0.trainableParameters.map(Double.init) }),
      Metric(key: "size_mb", label: "Weights as float32 (MB)", digits: 2, source: .structure { $0.parameters.map { 4e-6 * Double($0) } }),
      Metric(key: "multiply_adds", label: "Multiply–adds (10⁹/patch)", scale: 1e-9, digits: 2, source: .structure { $0.multiplyAdds.map(Double.init) }),
      Metric(key: "val_loss", label: "Lowest validation loss", digits: 4, source: .training(\.validationLoss)),
      Metric(key: "main_val_loss", label: "Lowest validation loss before fine-tuning", digits: 4, source: .training(\.mainValidationLoss)),
      Metric(key: "late_fall", label: "Fall of the validation loss in the main phase's last quarter (%)", scale: 100, digits: 1, source: .training(\.lateFall)),
      Metric(key: "best_epoch", label: "Epoch of the kept weights", digits: 1, source: .training { $0.bestEpoch.map(Double.init) }),
      Metric(key: "ms_per_patch", label: "Inference time (ms/patch)", digits: 1, source: .clock(\.millisecondsPerPatchMedian)),
      Metric(key: "ms_per_patch_min", label: "Inference time, fastest pass (ms/patch)", digits: 1, source: .clock(\.millisecondsPerPatchMinimum)),
      Metric(key: "train_seconds", label: "Training time (s)", digits: 0, source: .clock(\.trainSeconds)),
      Metric(key: "peak_rss_mb", label: "Peak resident memory (MB)", digits: 0, source: .clock(\.peakRSSMegabytes)),
    ]
  }

  /// - Throws: `UserError` (exit 2) naming the metrics there are.
  static func named(_ key: String) throws -> Metric {
    guard let metric = all.first(where: { $0.key == key }) else {
      throw UserError("there is no metric `\(key)` to report", exitCode: .badCommandOrSpec, hints: ["metrics: " + all.map(\.key).joined(separator: ", ")])
    }
    return metric
  }
}
