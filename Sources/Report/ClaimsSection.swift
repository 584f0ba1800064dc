import ExperimentSpec
import OrderedCollections

/// "Claims": each sentence, what was measured, how it was judged, and the verdict.
struct ClaimsSection {
  /// Those that do not depend on the clock, and those that do.
  var claims: [ClaimRow]
  var clockClaims: [ClaimRow]
  var scored: ScoredImages
  var hasImagesWithoutNuclei: Bool
  /// Trials are missing, or failed: what is said may change.
  var isInterim: Bool

  func text() -> String {
    guard !claims.isEmpty || !clockClaims.isEmpty else { return "" }
    let header = ["claim", "metric", "measured", "asked for", "difference", "95 % interval", "p, Holm", "judged by", "verdict"]
    let rows = claims.filter(\.isMeasured).map { line($0, "") } + clockClaims.filter(\.isMeasured).map { line($0, " " + Markdown.clock) }
    var text = "## Claims\n\n"
    if !claims.isEmpty { text += tally(claims, "on scores, losses and weights") + "\n" }
    if !clockClaims.isEmpty { text += tally(clockClaims, "on times") + " \(Markdown.clock)\n" }
    if !rows.isEmpty { text += "\n" + Markdown.table(header, rows, numeric: false) }
    return text + "\n" + methods()
  }

  private func tally(_ rows: [ClaimRow], _ what: String) -> String {
    let counts = [ClaimRow.Verdict.holds, .doesNotHold, .open].map { verdict in rows.count { $0.verdict == verdict.rawValue } }
    let compared = Set(rows.map { [$0.metric] + [$0.trial, $0.reference].sorted() }).count
    let shared = compared < rows.count ? ", which rest on \(Markdown.count(compared, "comparison"))" : ""
    return "Of \(Markdown.count(rows.count, "claim")) \(what)\(shared): \(counts[0]) hold\(counts[0] == 1 ? "s" : ""), \(counts[1]) do\(counts[1] == 1 ? "es" : "") not hold, "
      + "\(counts[2]) cannot be told\(wanting(rows)).\(alone(rows))"
  }

  /// How many verdicts are of these trainings, and may be others of other trainings.
  private func alone(_ rows: [ClaimRow]) -> String {
    let count = rows.count(where: \.isOfItsTrainingsAlone)
    return count == 0 ? "" : " Of the verdicts, \(count) \(count == 1 ? "is" : "are") for these trainings only: they compare one training a side."
  }

  /// What keeps claims out of the table.
  private func wanting(_ rows: [ClaimRow]) -> String {
    let open = rows.filter { !$0.isMeasured }
    if open.isEmpty { return "" }
    let trials = open.flatMap { row in [row.trialMean == nil ? row.trial : nil, row.referenceMean == nil ? row.reference : nil].compactMap { $0 } }
    let names = OrderedSet(trials).map(Markdown.plain).joined(separator: "; ")
    return ", of which \(open.count) lack\(open.count == 1 ? "s" : "") a measurement and \(open.count == 1 ? "is" : "are") not in the table (\(names))"
  }

  private func line(_ row: ClaimRow, _ mark: String) -> [String] {
    let metric = Metric.all.first { $0.key == row.metric }!
    let isLevel = Double(row.reference) != nil
    var measured = "\(Markdown.plain(row.trial)): \(metric.print(row.trialMean))"
    if !isLevel { measured += "<br>\(Markdown.plain(row.reference)): \(metric.print(row.referenceMean))" }
    let interval =
      if let low = row.low, let high = row.high {
        if let level = level(row) { "\(metric.print(level + low)) … \(metric.print(level + high))" } else { "\(number(low, row, metric)) … \(amount(high, row, metric))" }
      } else { "–" }
    return [
      Markdown.plain(row.claim) + mark, metric.label, measured, asked(row, metric), row.difference == nil || level(row) != nil ? "–" : amount(row.difference, row, metric), interval,
      pValue(row.pHolm), judgedBy(row), "**\(row.verdict)**\(row.isOfItsTrainingsAlone ? ", for these trainings" : "")",
    ]
  }

  /// A difference in the claim's unit.
  private func amount(_ value: Double?, _ row: ClaimRow, _ metric: Metric) -> String { number(value, row, metric) + unit(row) }

  private func number(_ value: Double?, _ row: ClaimRow, _ metric: Metric) -> String {
    row.unit == Claim.Margin.Unit.absolute.rawValue ? metric.printDifference(value) : Numbers.signed(value, 1)
  }

  private func unit(_ row: ClaimRow) -> String {
    switch Claim.Margin.Unit(rawValue: row.unit) {
    case .points: " points"
    case .perCent: " %"
    case .absolute, nil: ""
    }
  }

  /// The number that the trial is compared with, where what is asked for is a level rather than a difference from it.
  private func level(_ row: ClaimRow) -> Double? { row.unit == Claim.Margin.Unit.absolute.rawValue ? Double(row.reference) : nil }

  /// The range the difference, or the level itself, is to lie in.
  private func asked(_ row: ClaimRow, _ metric: Metric) -> String {
    let level = level(row), unit = level == nil ? unit(row) : ""
    func end(_ value: Double) -> String {
      if let level { return metric.print(level + value) }
      return value == 0 ? "0" : number(value, row, metric)
    }
    return switch (row.atLeast, row.atMost) {
    case (let low?, let high?): (low == -high && level == nil ? "±\(end(high).dropFirst())" : "\(end(low)) … \(end(high))") + unit
    case (let low?, nil): "&gt; \(end(low))" + unit
    case (nil, let high?): "&lt; \(end(high))" + unit
    case (nil, nil): "–"
    }
  }

  private func judgedBy(_ row: ClaimRow) -> String {
    let counts = [row.images.map { Markdown.count($0, "image") }, row.seeds.map { Markdown.count($0, "seed") }].compactMap { $0 }
    return ([row.test.replacingOccurrences(of: "_", with: " ")] + counts).joined(separator: ", ")
  }

  private func pValue(_ p: Double?) -> String { p.map { $0 < 0.001 ? "&lt; 0.001" : Numbers.fixed($0, 3) } ?? "–" }

  /// How each kind was judged, as far as it was asked for.
  private func methods() -> String {
    func asks(_ test: String) -> Bool { (claims + clockClaims).contains { $0.test == test } }
    var notes: [String] = []
    if asks("paired_bootstrap") {
      let isWithoutSpread = claims.contains { $0.test == "paired_bootstrap" && $0.seedDegrees == 0 }
      notes.append(
        "*Paired bootstrap*: \(Numbers.grouped(Bootstrap.resamples)) resamples; each draws the \(scored.name) with replacement, the same for both sides, and, "
          + "where a side has two trainings or more, moves each side's mean by the seeds' error as Student's t has it, their standard deviation pooled over all trainings of both sides; "
          + "percentile interval, not corrected, and two-sided p. Two trials are compared at the seeds both have (where they have none in common, by image alone, all trainings of each); a threshold, which no seed changes, at all of the other's."
          + (hasImagesWithoutNuclei ? " An image without nuclei counts as 1 for the side that finds none there, where the other finds some." : "")
          + (isWithoutSpread ? " Where each side is one training, interval and verdict say what other \(scored.name) might give of these trainings, not what other trainings would." : ""))
    }
    if asks("over_seeds") {
      notes.append("*Over seeds*: Student's t over trainings that differ in their seed, paired by seed; one training alone tells nothing of others, nor do values all alike. Per cent are averaged over seeds.")
    }
    if asks("rank_sum") {
      notes.append(
        "*Rank sum*: Mann and Whitney's test of the timed rounds of one network against those of the other (against a number: the sign test), two-sided, with the estimate and the interval that belong to it, not corrected; "
          + "of several trainings of a network a round counts once, with their median. Only the order of rounds counts: one that something else on the machine held up is one that came later, however much. "
          + "Only times that were taken in turn, pass by pass, are compared (`--retime` takes them so): from one hour to the next a machine may change more than networks differ.")
    }
    let leastP = clockClaims.compactMap(\.leastP)
    if let least = leastP.max(), least * Double(leastP.count) >= 0.05 {
      notes.append("So few rounds cannot tell so many claims on times, whatever they say: `evaluate.timing_passes` is their number. <!-- clock -->")
    }
    if asks("exact") { notes.append("*Exact*: the numbers themselves; what a network's structure fixes needs no test.") }
    let isOfBothKinds = asks("rank_sum") && claims.contains { $0.p != nil }
    notes.append(
      "A claim holds where the difference, or the level itself, lies in the range asked for and p, Holm-corrected over all tested claims of this report\(isOfBothKinds ? " on times, or over all others" : ""), is below 0.05; it does not hold where it "
        + "lies outside and p is below 0.05; else it cannot be told. Points are hundredths of a score, per cent are of the second value."
        + (claims.isEmpty ? "" : " Unrounded: [claims.csv](claims.csv)."))
    if isInterim { notes.append("Trials are missing: with them, verdicts may change.") }
    return notes.map { "- \($0)\n" }.joined()
  }
}

extension ClaimRow {
  /// Told, of images, from one training a side.
  fileprivate var isOfItsTrainingsAlone: Bool { p != nil && images != nil && seedDegrees == 0 && verdict != Verdict.open.rawValue }

  /// Whether all that it compares is there.
  fileprivate var isMeasured: Bool { trialMean != nil && referenceMean != nil }
}
