import ExperimentSpec

/// One row of `trials.csv`: one trial and seed. The scores are means over the test images that are not empty.
struct TrialRow: CSVRow, Equatable {
  var trial = "", seed = 0
  var architecture = "", baseFilters: Int?, depth: Int?, l2: Double?, upsampling = ""
  var parameters: Int?
  var averageIoU: Double?, averageIoUDeviation: Double?
  var iouAt050: Double?, averagePrecision: Double?, contestScore: Double?
  var bestEpoch: Int?, validationLoss: Double?
  /// `done`, `failed`, or `missing` where the experiment asks for the trial and there is no record of it.
  var status = ""
  var annotatedAverageIoU: Double?, annotatedIoUAt050: Double?, annotatedAveragePrecision: Double?, contestScoreByRegions: Double?
  var images: Int?, imagesEmpty: Int?
  var trainableParameters: Int?, multiplyAdds: Int?, trainingPatches: Int?, validationPatches: Int?, epochs: Int?
  var fingerprint = "", failure = ""
  /// The lowest before fine-tuning, and by what share the last quarter of the main phase lowered it.
  var mainValidationLoss: Double?, lateFall: Double?

  static let file = "trials.csv"
  static var columns: [Column<TrialRow>] {
    [
      .text("trial", \.trial), .integer("seed", \.seed), .text("architecture", \.architecture), .integer("base_filters", \.baseFilters),
      .integer("depth", \.depth), .number("l2", \.l2), .text("upsampling", \.upsampling), .integer("parameters", \.parameters),
      .number("average_iou", \.averageIoU), .number("average_iou_sd", \.averageIoUDeviation), .number("iou_at_050", \.iouAt050),
      .number("average_precision", \.averagePrecision), .number("contest_score", \.contestScore), .integer("best_epoch", \.bestEpoch),
      .number("val_loss", \.validationLoss),
      .text("status", \.status), .number("annotated_average_iou", \.annotatedAverageIoU), .number("annotated_iou_at_050", \.annotatedIoUAt050),
      .number("annotated_average_precision", \.annotatedAveragePrecision), .number("contest_score_by_regions", \.contestScoreByRegions),
      .integer("images", \.images), .integer("images_empty", \.imagesEmpty), .integer("trainable_parameters", \.trainableParameters),
      .integer("multiply_adds", \.multiplyAdds), .integer("training_patches", \.trainingPatches),
      .integer("validation_patches", \.validationPatches), .integer("epochs", \.epochs), .text("fingerprint", \.fingerprint),
      .text("failure", \.failure), .number("main_val_loss", \.mainValidationLoss), .number("late_fall", \.lateFall),
    ]
  }
}

/// One row of `images.csv`: one trial, seed and test image.
struct ImageRow: CSVRow {
  var trial = "", seed = 0
  var score = ImageScore(
    image: "", nuclei: 0, objects: 0, averageIoU: .nan, iouAt050: .nan, averagePrecision: .nan, contestScore: .nan, annotatedNuclei: 0,
    annotatedAverageIoU: .nan, annotatedIoUAt050: .nan, annotatedAveragePrecision: .nan, contestScoreByRegions: .nan, empty: false)

  static let file = "images.csv"
  static var columns: [Column<ImageRow>] {
    [
      .text("trial", \.trial), .integer("seed", \.seed), .text("image", \.score.image), .integer("nuclei", \.score.nuclei),
      .integer("objects", \.score.objects), .number("average_iou", \.score.averageIoU), .number("iou_at_050", \.score.iouAt050),
      .number("average_precision", \.score.averagePrecision), .number("contest_score", \.score.contestScore),
      .integer("annotated_nuclei", \.score.annotatedNuclei), .number("annotated_average_iou", \.score.annotatedAverageIoU),
      .number("annotated_iou_at_050", \.score.annotatedIoUAt050), .number("annotated_average_precision", \.score.annotatedAveragePrecision),
      .number("contest_score_by_regions", \.score.contestScoreByRegions), .flag("empty", \.score.empty),
    ]
  }
}

/// One row of `losses.csv`: one trial, seed and epoch.
struct LossRow: CSVRow, Equatable {
  var trial = "", seed = 0
  var loss = EpochLoss(phase: "", epoch: 0, trainLoss: .nan, validationLoss: .nan, penalty: .nan, learningRate: .nan)

  static let file = "losses.csv"
  static var columns: [Column<LossRow>] {
    [
      .text("trial", \.trial), .integer("seed", \.seed), .text("phase", \.loss.phase), .integer("epoch", \.loss.epoch),
      .number("train_loss", \.loss.trainLoss), .number("val_loss", \.loss.validationLoss), .number("penalty", \.loss.penalty),
      .number("learning_rate", \.loss.learningRate),
    ]
  }
}

/// One row of `timings.csv`: a `TimingRecord`. The only CSV file with what depends on the clock and the machine.
struct TimingRow: CSVRow, Equatable {
  var timing = TimingRecord(
    trial: "", seed: 0, threads: 0, precision: "", millisecondsPerPatchMedian: .nan, millisecondsPerPatchMinimum: .nan, passes: [],
    trainSeconds: .nan, peakRSSMegabytes: .nan)
  var isMain: Bool {
    get { timing.isMain ?? true }
    set { timing.isMain = newValue }
  }
  var turn: String {
    get { timing.turn ?? "" }
    set { timing.turn = newValue.isEmpty ? nil : newValue }
  }
  var processor: String {
    get { timing.processor ?? "" }
    set { timing.processor = newValue.isEmpty ? nil : newValue }
  }
  var isOfTrainedWeights: Bool {
    get { timing.isOfTrainedWeights ?? true }
    set { timing.isOfTrainedWeights = newValue }
  }

  static let file = "timings.csv"
  static var columns: [Column<TimingRow>] {
    [
      .text("trial", \.timing.trial), .integer("seed", \.timing.seed), .integer("threads", \.timing.threads),
      .text("precision", \.timing.precision), .number("ms_per_patch_median", \.timing.millisecondsPerPatchMedian),
      .number("ms_per_patch_min", \.timing.millisecondsPerPatchMinimum), .number("train_seconds", \.timing.trainSeconds),
      .number("peak_rss_mb", \.timing.peakRSSMegabytes), .numbers("ms_per_patch_passes", \.timing.passes),
      .integer("train_threads", \.timing.trainThreads), .flag("main", \.isMain), .text("turn", \.turn),
      .text("processor", \.processor), .flag("trained_weights", \.isOfTrainedWeights),
    ]
  }
}

/// One row of `table.csv`: one trial (over its seeds) and metric.
struct TableRow: CSVRow, Equatable {
  var trial = "", metric = ""
  /// Mean over images, then over seeds.
  var mean: Double?
  /// Population standard deviation over images, averaged over seeds; for metrics taken by image.
  var imagesDeviation: Double?
  /// Sample standard deviation over seeds; from two seeds on.
  var seedsDeviation: Double?
  /// Seeds that are done.
  var seeds = 0
  var published: Double?
  var difference: Double?
  /// `within` or `outside` the tolerance, `missing` where there is a tolerance and nothing to hold against it; else empty.
  var verdict = ""
  var publishedDeviation: Double?
  var tolerance: Double?

  static let file = "table.csv"
  static var columns: [Column<TableRow>] {
    [
      .text("trial", \.trial), .text("metric", \.metric), .number("mean", \.mean), .number("sd_images", \.imagesDeviation),
      .number("sd_seeds", \.seedsDeviation), .integer("seeds", \.seeds), .number("published", \.published),
      .number("difference", \.difference), .text("verdict", \.verdict), .number("published_sd", \.publishedDeviation),
      .number("tolerance", \.tolerance),
    ]
  }
}

/// One row of `claims.csv`: one sentence of the paper held against the measurement.
struct ClaimRow: CSVRow, Equatable {
  enum Verdict: String { case holds, doesNotHold = "does not hold", open = "cannot be told" }

  var claim = "", metric = "", trial = ""
  /// `greater`, `less` or `alike`.
  var relation = ""
  /// A trial's name or a number.
  var reference = ""
  /// `absolute`, `points` or `per_cent`: the unit of all from here to `high`.
  var unit = ""
  /// Where the difference must lie for the claim to hold; nil: no bound.
  var atLeast: Double?, atMost: Double?
  /// The trial's value less the reference's.
  var difference: Double?
  /// Its 95 % interval.
  var low: Double?, high: Double?
  var trialMean: Double?, referenceMean: Double?
  /// Two-sided, and after Holm's correction over all tested claims of the report on times, or over all others.
  var p: Double?, pHolm: Double?
  /// The least that p could have been with so many passes; of times.
  var leastP: Double?
  /// What was resampled, or averaged over.
  var images: Int?, seeds: Int?
  /// Degrees of freedom of the seeds' spread, from all trainings of both sides; of scores.
  var seedDegrees: Int?
  var verdict = Verdict.open.rawValue
  /// One of `ReportSettings.tests`.
  var test = ""

  init() {}

  init(_ claim: Claim, trialMean: Double?, referenceMean: Double?) {
    (self.claim, metric, trial, relation) = (claim.claim, claim.metric, claim.trial, claim.relation.rawValue)
    reference = switch claim.reference {
    case .trial(let name): name
    case .number(let number): Numbers.shortest(number)
    }
    (unit, test) = (claim.margin.unit.rawValue, claim.test)
    let range = claim.range
    (atLeast, atMost) = (range.low.isFinite ? range.low : nil, range.high.isFinite ? range.high : nil)
    (self.trialMean, self.referenceMean) = (trialMean, referenceMean)
  }

  static let file = "claims.csv"
  static var columns: [Column<ClaimRow>] {
    [
      .text("claim", \.claim), .text("metric", \.metric), .text("trial", \.trial), .text("relation", \.relation), .text("reference", \.reference),
      .text("unit", \.unit), .number("at_least", \.atLeast), .number("at_most", \.atMost), .number("difference", \.difference),
      .number("low", \.low), .number("high", \.high), .number("trial_mean", \.trialMean), .number("reference_mean", \.referenceMean),
      .number("p", \.p), .number("p_holm", \.pHolm), .integer("images", \.images), .integer("seeds", \.seeds),
      .text("verdict", \.verdict), .text("test", \.test), .integer("seed_degrees", \.seedDegrees),
    ]
  }
}
