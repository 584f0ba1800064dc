import Diagnostics
import ExperimentSpec

/// Holm's step-down correction (Holm, "A simple sequentially rejective multiple test procedure", 1979): adjusted p in the order given.
func holmAdjusted(_ p: [Double]) -> [Double] {
  var adjusted = p, largest = 0.0
  for (rank, index) in p.indices.sorted(by: { (p[$0], $0) < (p[$1], $1) }).enumerated() {
    largest = max(largest, min(1, Double(p.count - rank) * p[index]))
    adjusted[index] = largest
  }
  return adjusted
}

extension Claim {
  func isMet(by quantity: Double) -> Bool { quantity > range.low && quantity < range.high }

  /// p of the opposite of what was measured: that the quantity lies outside the claim's range where it was found inside (then both ends
  /// are to be told from it: the larger p counts), or inside where it was found outside (the nearer end).
  func p(measured quantity: Double, at value: (Double) -> Double) -> Double {
    if isMet(by: quantity) { return [range.low, range.high].filter(\.isFinite).map(value).max()! }
    return value(quantity <= range.low ? range.low : range.high)
  }

  /// The verdict where the quantity is known to lie between `low` and `high`.
  func verdict(low: Double, high: Double) -> ClaimRow.Verdict {
    if low > range.low && high < range.high { return .holds }
    return high <= range.low || low >= range.high ? .doesNotHold : .open
  }
}

extension ReportData {
  /// Each claim of the spec held against the measurement; those on the clock only where `clock` is set, the others only where it is not.
  /// A trial that is not among those reported leaves the claim open.
  /// - Throws: `UserError` (exit 2) for a metric or a test there is not.
  func claims(_ settings: ReportSettings, clock: Bool) throws -> [ClaimRow] {
    var rows: [ClaimRow] = []
    for claim in settings.claims {
      let metric = try Metric.named(claim.metric), tests = ReportSettings.tests(of: claim.metric)
      guard tests.contains(claim.test) else {
        throw UserError(
          "the claim \"\(claim.claim)\" asks for the test `\(claim.test)`", exitCode: .badCommandOrSpec,
          hints: ["tests of \(claim.metric): " + tests.joined(separator: ", ")])
      }
      if metric.isClock == clock { rows.append(judged(claim, metric)) }
    }
    let tested = rows.indices.filter { rows[$0].p != nil }
    for (index, p) in zip(tested, holmAdjusted(tested.map { rows[$0].p! })) {
      rows[index].pHolm = p
      if p >= 0.05 { rows[index].verdict = ClaimRow.Verdict.open.rawValue }
    }
    return rows
  }

  /// The claim by itself, before it is corrected for the others.
  private func judged(_ claim: Claim, _ metric: Metric) -> ClaimRow {
    let seeds = comparedSeeds(claim, metric)
    var row = ClaimRow(claim, trialMean: statistic(metric, of: claim.trial, at: seeds).mean, referenceMean: mean(metric, of: claim.reference, at: seeds))
    func tested(_ quantity: Double, _ low: Double, _ high: Double, _ p: (Double) -> Double) {
      (row.difference, row.low, row.high) = (quantity, low, high)
      row.p = claim.p(measured: quantity, at: p)
      row.verdict = (claim.isMet(by: quantity) ? ClaimRow.Verdict.holds : .doesNotHold).rawValue
    }
    guard let ours = row.trialMean, let theirs = row.referenceMean else { return row }
    row.difference = claim.quantity(ours, theirs)
    switch (claim.test, metric.source) {
    case ("paired_bootstrap", .image(let score)):
      let (sides, images) = scores(claim, score, at: seeds)
      let trainings = names(claim).map { hasSeeds($0) ? means(of: $0, score) : [] }
      row.images = images
      row.seeds = zip(sides, trainings).filter { !$1.isEmpty }.map(\.0.count).min()
      row.seedDegrees = trainings.map { max(0, $0.count - 1) }.reduce(0, +)
      guard images >= Bootstrap.fewestImages else { break }
      let bootstrap = Bootstrap(sides, trainings: trainings) { claim.quantity($0[0], $0.count > 1 ? $0[1] : theirs) }
      tested(bootstrap.quantity, bootstrap.low, bootstrap.high, bootstrap.p(at:))
    case ("over_seeds", .training(let value)):
      let quantities = quantitiesBySeed(claim, value)
      row.seeds = quantities.count
      guard let t = StudentT(quantities) else { break }
      tested(t.mean, t.low, t.high, t.p(at:))
    case ("rank_sum", .clock):
      guard areOfOneTurn(claim) else { break }
      let passes = names(claim).map(passes(of:))
      let ranks = passes.count > 1 ? RankSum(passes[0], passes[1], quantity: claim.quantity) : RankSum(passes[0]) { claim.quantity($0, theirs) }
      guard let ranks else { break }
      row.leastP = ranks.leastP
      tested(ranks.estimate, ranks.low, ranks.high, ranks.p(at:))
    default:
      row.verdict = claim.verdict(low: row.difference!, high: row.difference!).rawValue
    }
    return row
  }

  /// Of two trials, the seeds that both have: at one seed they train and validate on the same patches, so that what is compared is the networks.
  /// nil, all there are, where they share none, where one is a threshold, which no seed changes, and for times, which are compared by their turn.
  private func comparedSeeds(_ claim: Claim, _ metric: Metric) -> Set<Int>? {
    guard case .trial(let name) = claim.reference, !metric.isClock, hasSeeds(claim.trial), hasSeeds(name) else { return nil }
    let shared = Set(seeds(of: claim.trial)).intersection(seeds(of: name))
    return shared.isEmpty ? nil : shared
  }

  /// The trials it compares: two, or one with a number.
  private func names(_ claim: Claim) -> [String] {
    if case .trial(let name) = claim.reference { [claim.trial, name] } else { [claim.trial] }
  }

  /// Whether its seeds differ: a threshold is not trained, and of test images its one trial stands for all.
  private func hasSeeds(_ trial: String) -> Bool {
    seeds(of: trial).count > 1 || (trials.first { $0.trial == trial }.flatMap { ModelSettings.Architecture(rawValue: $0.architecture) }?.isNetwork ?? true)
  }

  private func mean(_ metric: Metric, of reference: Claim.Reference, at seeds: Set<Int>?) -> Double? {
    switch reference {
    case .trial(let name): statistic(metric, of: name, at: seeds).mean
    case .number(let number): number
    }
  }

  /// For the trial and, where it is one, the reference: `[seed][image]`, and the number of images. Two trials are paired by seed and image, for on
  /// validation images each seed has its own; where they have no seeds in common, by image.
  private func scores(_ claim: Claim, _ score: (ImageScore) -> Double, at compared: Set<Int>?) -> (sides: [[[Double?]]], images: Int) {
    let compares = names(claim)
    var tables = compares.map { byImage($0, score, among: compares) }
    if let compared {
      tables = tables.map { $0.filter { compared.contains($0.seed) } }
      for place in tables[0].indices {
        let images = tables.map { Set($0[place].scores.keys) }.reduce(Set(tables[0][place].scores.keys)) { $0.intersection($1) }
        for side in tables.indices { tables[side][place].scores = tables[side][place].scores.filter { images.contains($0.key) } }
      }
    } else if compares.count > 1 {
      let images = tables.joined().map { Set($0.scores.keys) }
      let shared = images.dropFirst().reduce(images[0]) { $0.intersection($1) }
      for side in tables.indices { for place in tables[side].indices { tables[side][place].scores = tables[side][place].scores.filter { shared.contains($0.key) } } }
    }
    let images = Set(tables.joined().flatMap(\.scores.keys)).sorted()
    return (tables.map { $0.map { table in images.map { table.scores[$0] } } }, images.count)
  }

  /// The mean score of each training of a trial, over its images.
  private func means(of trial: String, _ score: (ImageScore) -> Double) -> [Double] {
    byImage(trial, score, among: [trial]).compactMap { $0.scores.sorted { $0.key < $1.key }.map(\.value).mean }
  }

  /// A trial's scores by seed and image. One without nuclei in which nothing was found has none, and counts as 1 where another of `trials` found something there:
  /// who is silent there is right.
  private func byImage(_ trial: String, _ score: (ImageScore) -> Double, among trials: [String]) -> [(seed: Int, scores: [String: Double])] {
    let counted = Set(images.filter { trials.contains($0.trial) && !$0.score.empty }.map(\.score.image))
    return seeds(of: trial).sorted().map { seed in
      let rows = images.filter { $0.trial == trial && $0.seed == seed && counted.contains($0.score.image) }
      return (seed, Dictionary(rows.map { ($0.score.image, $0.score.empty ? 1 : score($0.score)) }, uniquingKeysWith: { $1 }))
    }
  }

  /// The claim's quantity, one a seed that both sides have.
  private func quantitiesBySeed(_ claim: Claim, _ value: (TrialRow) -> Double?) -> [Double] {
    func bySeed(_ name: String) -> [Int: Double] {
      Dictionary(trials.filter { $0.trial == name && $0.status == "done" }.compactMap { row in value(row).map { (row.seed, $0) } }, uniquingKeysWith: { $1 })
    }
    let ours = bySeed(claim.trial)
    switch claim.reference {
    case .number(let number): return ours.sorted { $0.key < $1.key }.map { claim.quantity($0.value, number) }
    case .trial(let name):
      let theirs = bySeed(name)
      return ours.sorted { $0.key < $1.key }.compactMap { seed, value in theirs[seed].map { claim.quantity(value, $0) } }
    }
  }

  /// Whether the times of both sides were taken in turn, with as many threads: else the machine may have changed between them.
  private func areOfOneTurn(_ claim: Claim) -> Bool {
    guard case .trial(let name) = claim.reference else { return true }
    let timings = mainTimings(of: claim.trial) + mainTimings(of: name)
    return Set(timings.map(\.turn)).count == 1 && timings[0].turn != nil && Set(timings.map(\.threads)).count == 1
  }

  /// One a round of the turn: the median of the trainings of a trial, which are one network to the clock. They follow each other in a round, so that what
  /// held up one held up the next: they are not passes of their own.
  private func passes(of trial: String) -> [Double] {
    let timings = mainTimings(of: trial)
    return (0..<(timings.map(\.passes.count).min() ?? 0)).map { round in timings.map { $0.passes[round] }.median! }
  }
}
