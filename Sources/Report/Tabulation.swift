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
      return TrialRow(
        trial: record.trial, seed: record.seed, architecture: record.architecture, baseFilters: record.baseFilters, depth: record.depth,
        l2: record.l2, upsampling: record.upsampling, parameters: record.parameters,
        averageIoU: mean(\.averageIoU), averageIoUDeviation: scored.map(\.averageIoU).populationDeviation,
        iouAt050: mean(\.iouAt050), averagePrecision: mean(\.averagePrecision), contestScore: mean(\.contestScore),
        bestEpoch: record.failure == nil ? record.bestEpoch : nil, validationLoss: record.failure == nil ? record.validationLoss : nil,
        status: record.failure == nil ? "done" : "failed",
        annotatedAverageIoU: mean(\.annotatedAverageIoU), annotatedIoUAt050: mean(\.annotatedIoUAt050),
        annotatedAveragePrecision: mean(\.annotatedAveragePrecision), contestScoreByRegions: mean(\.contestScoreByRegions),
        images: scored.count, imagesEmpty: record.images.count { $0.empty },
        trainableParameters: record.trainableParameters, multiplyAdds: record.multiplyAdds, trainingPatches: record.trainingPatches,
        validationPatches: record.validationPatches, epochs: record.losses.count, fingerprint: record.fingerprint,
        failure: record.failure ?? "")
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

  /// The score of each test image that is not empty, averaged over the seeds in which it is not.
  func scores(of trial: String, _ score: (ImageScore) -> Double) -> [String: Double] {
    Dictionary(grouping: images.filter { $0.trial == trial && !$0.score.empty }, by: \.score.image)
      .mapValues { $0.map { score($0.score) }.mean! }
  }

  func statistic(_ metric: Metric, of trial: String) -> Statistic {
    switch metric.source {
    case .image(let score):
      let bySeed = seeds(of: trial).map { seed in
        images.filter { $0.trial == trial && $0.seed == seed && !$0.score.empty }.map { score($0.score) }
      }.filter { !$0.isEmpty }
      let means = bySeed.compactMap(\.mean)
      return Statistic(
        mean: means.mean, imagesDeviation: bySeed.compactMap(\.populationDeviation).mean, seedsDeviation: means.sampleDeviation, seeds: means.count)
    case .trial(let value):
      let values = trials.filter { $0.trial == trial && $0.status == "done" }.compactMap(value)
      return Statistic(mean: values.mean, seedsDeviation: values.sampleDeviation, seeds: values.count)
    case .clock(let value):
      let values = timings.map(\.timing).filter { $0.trial == trial }.map(value).filter(\.isFinite)
      return Statistic(mean: values.mean, seedsDeviation: values.sampleDeviation, seeds: values.count)
    }
  }

  /// One metric of one trial beside what was published of it.
  func row(_ metric: Metric, of trial: String, _ settings: ReportSettings) -> TableRow {
    let statistic = statistic(metric, of: trial)
    // A later entry for the same trial wins where both give the metric.
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
