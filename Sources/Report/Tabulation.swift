import Foundation
import ExperimentSpec

/// Records into the rows of the CSV files, in the order of the expected trials, test images by name.
enum Tabulation {
  static func trials(_ inputs: ReportInputs) -> [TrialRow] {
    inputs.expected.map { expected in
      guard let record = inputs.record(of: expected) else {
        return TrialRow(trial: expected.trial, seed: expected.seed, status: "missing")
      }
      // In the order of images.csv: a sum's last bit depends on it.
      let scored = record.failure == nil ? record.images.filter { !$0.empty }.sorted { $0.image < $1.image } : []
      func mean(_ score: (ImageScore) -> Double) -> Double? { scored.map(score).mean }
      let isNetwork = ModelSettings.Architecture(rawValue: record.architecture)?.isNetwork ?? true
      return TrialRow(
        trial: record.trial, seed: record.seed, architecture: record.architecture, baseFilters: isNetwork ? record.baseFilters : nil,
        depth: isNetwork ? record.depth : nil, l2: isNetwork ? record.l2 : nil, upsampling: record.upsampling, parameters: record.parameters,
        averageIoU: mean(\.averageIoU), averageIoUDeviation: scored.map(\.averageIoU).populationDeviation,
        iouAt050: mean(\.iouAt050), averagePrecision: mean(\.averagePrecision), contestScore: mean(\.contestScore),
        bestEpoch: record.isTrained ? record.bestEpoch : nil, validationLoss: record.isTrained ? record.validationLoss : nil,
        status: record.failure == nil ? "done" : "failed",
        annotatedAverageIoU: mean(\.annotatedAverageIoU), annotatedIoUAt050: mean(\.annotatedIoUAt050),
        annotatedAveragePrecision: mean(\.annotatedAveragePrecision), contestScoreByRegions: mean(\.contestScoreByRegions),
        images: scored.count, imagesEmpty: record.images.count { $0.empty },
        trainableParameters: record.trainableParameters, multiplyAdds: record.multiplyAdds, trainingPatches: record.trainingPatches,
        validationPatches: record.validationPatches, epochs: record.losses.count, fingerprint: record.fingerprint,
        failure: record.failure ?? "", mainValidationLoss: record.isTrained ? record.lowestMainLoss() : nil, lateFall: record.isTrained ? record.lateFall : nil)
    }
  }

  static func images(_ inputs: ReportInputs) -> [ImageRow] {
    inputs.expected.compactMap(inputs.record(of:)).filter { $0.failure == nil }.flatMap { record in
      record.images.sorted { $0.image < $1.image }.map { ImageRow(trial: record.trial, seed: record.seed, score: $0) }
    }
  }

  static func losses(_ inputs: ReportInputs) -> [LossRow] {
    inputs.expected.compactMap(inputs.record(of:)).flatMap { record in
      record.losses.map { LossRow(trial: record.trial, seed: record.seed, loss: $0) }
    }
  }

  static func timings(_ inputs: ReportInputs) -> [TimingRow] {
    inputs.expected.flatMap { expected in
      inputs.timings.filter { $0.trial == expected.trial && $0.seed == expected.seed }
        .sorted { ($0.threads, $0.precision) < ($1.threads, $1.precision) }.map { TimingRow(timing: $0) }
    }
  }
}

extension TrialRecord {
  /// Whether it is a training that ended: a baseline without weights has none.
  fileprivate var isTrained: Bool { failure == nil && !losses.isEmpty }

  /// The lowest validation loss of the main phase, or of its first `share`.
  fileprivate func lowestMainLoss(of share: Double = 1) -> Double? {
    let main = losses.filter { $0.phase == "train" }
    return main.prefix(Int((share * Double(main.count)).rounded(.up))).map(\.validationLoss).filter(\.isFinite).min()
  }

  /// By what share the last quarter of the main phase's epochs lowered the lowest validation loss: near 0 where training had come to rest.
  fileprivate var lateFall: Double? {
    guard let before = lowestMainLoss(of: 0.75), let end = lowestMainLoss() else { return nil }
    return 1 - end / before
  }
}

extension ReportInputs {
  fileprivate func record(of expected: ExpectedTrial) -> TrialRecord? {
    records.first { $0.trial == expected.trial && $0.seed == expected.seed }
  }
}

/// One metric of one trial over its seeds.
struct Statistic: Equatable {
  var mean: Double?
  var imagesDeviation: Double?
  var seedsDeviation: Double?
  var seeds: Int
}

/// What the CSV files of a results folder say; every number of the report and its figures comes from here.
struct ReportData {
  var trials: [TrialRow]
  var images: [ImageRow]
  var losses: [LossRow]
  var timings: [TimingRow]

  /// - Throws: `UserError` (exit 5) where a file cannot be read or a field is not of its column's type.
  static func read(_ folder: URL) throws -> ReportData {
    ReportData(
      trials: try CSVFile.read(in: folder), images: try CSVFile.read(in: folder), losses: try CSVFile.read(in: folder),
      timings: try CSVFile.read(in: folder))
  }

  /// Names of the report's columns: trials that differ only in seed share one.
  var names: [String] { trials.map(\.trial).uniqued }

  func seeds(of trial: String) -> [Int] { trials.filter { $0.trial == trial && $0.status == "done" }.map(\.seed) }

  /// Of a trial's times those that stand for it, one a seed: in its own precision, with as many threads as most trials were timed with, so that
  /// times side by side are of one kind; with its own number where they were not taken so.
  func mainTimings(of trial: String) -> [TimingRecord] {
    let threads = mainThreads
    return timings.filter { $0.timing.trial == trial && $0.isMain }.map { own in
      timings.first { $0.timing.isOf(own.timing) && $0.timing.threads == threads && $0.timing.precision == own.timing.precision }?.timing ?? own.timing
    }
  }

  /// The number of threads that most trials' own times have; of two the larger.
  private var mainThreads: Int? {
    Dictionary(grouping: timings.filter(\.isMain), by: \.timing.threads).max { ($0.value.count, $0.key) < ($1.value.count, $1.key) }?.key
  }

  /// - Parameter compared: the seeds that count; nil for all.
  func statistic(_ metric: Metric, of trial: String, at compared: Set<Int>? = nil) -> Statistic {
    func counts(_ seed: Int) -> Bool { compared?.contains(seed) ?? true }
    switch metric.source {
    case .image(let score):
      let bySeed = seeds(of: trial).filter(counts).map { seed in
        images.filter { $0.trial == trial && $0.seed == seed && !$0.score.empty }.map { score($0.score) }
      }.filter { !$0.isEmpty }
      let means = bySeed.compactMap(\.mean)
      return Statistic(
        mean: means.mean, imagesDeviation: bySeed.compactMap(\.populationDeviation).mean, seedsDeviation: means.sampleDeviation, seeds: means.count)
    case .structure(let value), .training(let value):
      let values = trials.filter { $0.trial == trial && $0.status == "done" && counts($0.seed) }.compactMap(value)
      return Statistic(mean: values.mean, seedsDeviation: values.sampleDeviation, seeds: values.count)
    case .clock(let value):
      let values = mainTimings(of: trial).filter { counts($0.seed) }.map(value).filter(\.isFinite)
      return Statistic(mean: values.mean, seedsDeviation: values.sampleDeviation, seeds: values.count)
    }
  }

  /// One metric of one trial beside what was published of it.
  func row(_ metric: Metric, of trial: String, _ settings: ReportSettings) -> TableRow {
    let statistic = statistic(metric, of: trial)
    let published = settings.published.last { $0.trial == trial && $0.values[metric.key] != nil }
    let value = published?.values[metric.key], tolerance = published?.tolerance[metric.key]
    let difference = statistic.mean.flatMap { ours in value.map { ours - $0 } }
    let verdict = tolerance.map { limit in
      // Half a unit in the twelfth place: 0.563 − 0.533 is not to fail a tolerance of 0.03 by its rounding.
      difference.map { abs($0) <= limit + 5e-13 * max(1, abs(value!)) ? "within" : "outside" } ?? "missing"
    }
    return TableRow(
      trial: trial, metric: metric.key, mean: statistic.mean, imagesDeviation: statistic.imagesDeviation,
      seedsDeviation: statistic.seedsDeviation, seeds: statistic.seeds, published: value, difference: difference, verdict: verdict ?? "",
      publishedDeviation: published?.values[metric.key + "_sd"], tolerance: tolerance)
  }

  /// The rows of `table.csv`: every trial and every metric that does not depend on the clock.
  func table(_ settings: ReportSettings) -> [TableRow] {
    names.flatMap { name in Metric.all.filter { !$0.isClock }.map { row($0, of: name, settings) } }
  }
}

extension Sequence where Element: Hashable {
  /// Each element once, where it first stands.
  var uniqued: [Element] {
    var seen = Set<Element>()
    return filter { seen.insert($0).inserted }
  }
}

extension TimingRecord {
  /// Whether both are of one trial and seed, taken in one turn.
  fileprivate func isOf(_ other: TimingRecord) -> Bool { trial == other.trial && seed == other.seed && turn == other.turn }
}
