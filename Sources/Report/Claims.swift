import Diagnostics
import ExperimentSpec
import TensorCore

/// A paired bootstrap over test images (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, §13.3 and §15).
///
/// Both trials are scored on the same images, so the images are drawn, not the trials' scores apart: how hard an image
/// is then cancels. It says how the result would vary with other test images, not with other seeds.
struct PairedBootstrap: Equatable {
  /// Mean of `a − b`, and the percentile interval that holds 95 % of the resampled means.
  var difference: Double, low: Double, high: Double
  /// Two-sided: twice the smaller share of resampled means on either side of zero, at most 1, never 0.
  var p: Double

  static let resamples = 10_000
  /// With fewer images a percentile interval is far too narrow to be shown.
  static let fewestImages = 6

  /// - Parameter differences: `a − b` of each image; at least one.
  init(differences: [Double]) {
    let count = differences.count
    // One stream for every claim: claims over the same images see the same draws.
    var random = CounterRandom(seed: 0, purpose: .bootstrap)
    var means: [Double] = []
    means.reserveCapacity(Self.resamples)
    var below = 0, above = 0
    for _ in 0..<Self.resamples {
      var sum = 0.0
      for _ in 0..<count { sum += differences[random.below(count)] }
      means.append(sum / Double(count))
      if sum <= 0 { below += 1 }
      if sum >= 0 { above += 1 }
    }
    means.sort()
    difference = differences.reduce(0, +) / Double(count)
    low = means[Self.resamples / 40]
    high = means[Self.resamples - 1 - Self.resamples / 40]
    p = min(1, 2 * Double(min(below, above) + 1) / Double(Self.resamples + 1))
  }
}

/// Holm's step-down correction (Holm, "A simple sequentially rejective multiple test procedure", 1979): adjusted p in the order given.
func holmAdjusted(_ p: [Double]) -> [Double] {
  var adjusted = p, largest = 0.0
  for (rank, index) in p.indices.sorted(by: { (p[$0], $0) < (p[$1], $1) }).enumerated() {
    largest = max(largest, min(1, Double(p.count - rank) * p[index]))
    adjusted[index] = largest
  }
  return adjusted
}

extension ReportData {
  /// Each claim of the spec held against the measurement; those on the clock only where `clock` is set, the others only where it is not.
  /// A trial that is not among those reported leaves the claim open.
  /// - Throws: `UserError` (exit 2) for a claim that does not name two trials, a metric and a known test.
  func claims(_ settings: ReportSettings, clock: Bool) throws -> [ClaimRow] {
    var rows: [ClaimRow] = []
    for claim in settings.claims {
      guard claim.greater.count == 2 else {
        throw UserError("the claim \"\(claim.claim)\" compares \(claim.greater)", exitCode: .badCommandOrSpec, hints: ["`greater` names two trials"])
      }
      guard ReportSettings.tests.contains(claim.test) else {
        throw UserError(
          "the claim \"\(claim.claim)\" asks for the test `\(claim.test)`", exitCode: .badCommandOrSpec,
          hints: ["tests: " + ReportSettings.tests.joined(separator: ", ")])
      }
      let metric = try Metric.named(claim.metric)
      if metric.isClock == clock { rows.append(judged(claim, metric)) }
    }
    let tested = rows.indices.filter { rows[$0].p != nil }
    for (index, p) in zip(tested, holmAdjusted(tested.map { rows[$0].p! })) {
      rows[index].pHolm = p
      rows[index].verdict = p >= 0.05 ? "cannot be told" : rows[index].difference! > 0 ? "holds" : "does not hold"
    }
    return rows
  }

  private func judged(_ claim: ReportSettings.Claim, _ metric: Metric) -> ClaimRow {
    let (a, b) = (claim.greater[0], claim.greater[1])
    var row = ClaimRow(
      claim: claim.claim, metric: metric.key, greater: a, lesser: b, greaterMean: statistic(metric, of: a).mean,
      lesserMean: statistic(metric, of: b).mean, verdict: "cannot be told")
    switch metric.source {
    case .image(let score) where claim.test == "paired_bootstrap":
      let ours = scores(of: a, score), theirs = scores(of: b, score)
      let differences = ours.keys.filter { theirs[$0] != nil }.sorted().map { ours[$0]! - theirs[$0]! }
      row.images = differences.count
      row.difference = differences.mean
      row.test = "paired_bootstrap"
      guard differences.count >= PairedBootstrap.fewestImages else { break }
      let bootstrap = PairedBootstrap(differences: differences)
      (row.difference, row.low, row.high, row.p) = (bootstrap.difference, bootstrap.low, bootstrap.high, bootstrap.p)
    case .image, .trial:
      guard let ours = row.greaterMean, let theirs = row.lesserMean else { break }
      row.difference = ours - theirs
      row.test = "exact"
      row.verdict = ours > theirs ? "holds" : "does not hold"
    case .clock:
      guard let ours = row.greaterMean, let theirs = row.lesserMean else { break }
      row.difference = ours - theirs
      row.test = "every_pass"
      // Five passes against five: if all of one side lie above all of the other, chance has 1 in 126 for it (rank test, two-sided).
      let passes = [a, b].map { name in timings.filter { $0.timing.trial == name }.flatMap(\.timing.passes) }
      guard metric.key == "ms_per_patch", passes.allSatisfy({ $0.count >= 4 }) else { break }
      if passes[0].min()! > passes[1].max()! { row.verdict = "holds" }
      if passes[0].max()! < passes[1].min()! { row.verdict = "does not hold" }
    }
    return row
  }
}
