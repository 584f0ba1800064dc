import ExperimentSpec

/// "Beyond the paper": what its authors leave for later, as far as it was measured: times on few threads and in low precision, sizes,
/// where the time goes, and what the whole experiment cost. Nearly all of it depends on the machine.
struct BeyondSection {
  var inputs: ReportInputs
  var data: ReportData

  func text() -> String {
    let trials = data.names.filter { !data.mainTimings(of: $0).isEmpty }
    guard !trials.isEmpty else { return "" }
    return "## Beyond the paper\n\n" + small(trials) + "\n" + operations() + cost()
  }

  // MARK: On a small processor

  private func small(_ trials: [String]) -> String {
    let kinds = data.timings.map { Kind(threads: $0.timing.threads, precision: $0.timing.precision) }
    // One and two threads in both precisions are always shown, so that what was not measured is seen to be missing.
    let shown = Set(kinds + [1, 2].flatMap { threads in ["f32", "bf16"].map { Kind(threads: threads, precision: $0) } }).sorted()
    func line(_ label: String, isClock: Bool = true, _ cell: (String) -> String) -> [String] {
      [label + (isClock ? " \(Markdown.clock)" : "")] + trials.map(cell)
    }
    var rows: [[String]] = []
    if inputs.report.published.contains(where: { $0.values["gpu_ms_per_patch"] != nil }) { rows.append(line("the paper's GPU (ms/patch)", published)) }
    rows += shown.map { kind in line("\(kind.precision), \(Markdown.count(kind.threads, "thread")) (ms/patch)") { time($0, kind) } }
    for key in ["size_mb", "multiply_adds", "peak_rss_mb"] {
      let metric = Metric.all.first { $0.key == key }!
      rows.append(line(metric.label, isClock: metric.isClock) { metric.print(data.statistic(metric, of: $0).mean) })
    }
    return Markdown.table([""] + trials.map(Markdown.plain), rows)
      + "\nOne patch at a time; medians of the passes over the patches of all \(inputs.scored.name), averaged over seeds; – was not measured. Memory is the process's, from a trial's "
      + "preparation to its scores, with the patches' file as far as it is mapped, which the system takes back where it needs room: two trainings of one network "
      + "may differ by that file.\n"
  }

  private struct Kind: Hashable, Comparable {
    var threads: Int
    var precision: String
    static func < (a: Kind, b: Kind) -> Bool { (b.precision, a.threads) < (a.precision, b.threads) }
  }

  private func time(_ trial: String, _ kind: Kind) -> String {
    let timings = data.timings.map(\.timing).filter { $0.trial == trial && $0.threads == kind.threads && $0.precision == kind.precision }
    return Numbers.fixed(timings.map(\.millisecondsPerPatchMedian).mean, 1)
  }

  private func published(_ trial: String) -> String {
    Numbers.fixed(inputs.report.published.last { $0.trial == trial }?.values["gpu_ms_per_patch"], 1)
  }

  // MARK: Is it the concatenations?

  private func operations() -> String {
    guard let first = inputs.profiles.first else { return "" }
    let names = inputs.profiles.flatMap { $0.profile.operations.map(\.operation) }.uniqued.sorted()
    var rows = names.map { name in
      ["\(name) \(Markdown.clock)"] + inputs.profiles.map { _, profile in
        Numbers.fixed(profile.operations.filter { $0.operation == name }.map(\.milliseconds).reduce(0, +), 2)
      }
    }
    rows.append(["all layers \(Markdown.clock)"] + inputs.profiles.map { Numbers.fixed($0.profile.total, 2) })
    rows.append(["ns per 1000 multiply–adds \(Markdown.clock)"] + inputs.profiles.map { Numbers.fixed(1e9 * $0.profile.total / Double($0.profile.multiplyAdds), 1) })
    rows.append(["concatenations, were they copies \(Markdown.clock)"] + inputs.profiles.map { Numbers.fixed($0.profile.concatenationAsCopies, 2) })
    let shares = inputs.profiles.map { "\(Markdown.plain($0.trial)) \($0.profile.share) %" }
    let question = data.trials.contains { $0.architecture == ModelSettings.Architecture.unetPlus.rawValue }
      ? "**Is it the concatenations that slow U-Net+ down?** (the paper's open question)" : "**What do the concatenations cost?**"
    return """
      \(question) Here a concatenation is no operation: the convolutions that read one read \
      its parts where they stand, so what it costs is the multiply–adds of the channels it adds. The time of one patch by operation, in milliseconds:

      \(Markdown.table([""] + inputs.profiles.map { Markdown.plain($0.trial) }, rows))
      As copies, which is how frameworks run them, the concatenations would add (\(Markdown.count(first.profile.threads, "thread"))): \(shares.joined(separator: "; ")) to the time of all layers\(inputs.profiles.contains { $0.profile.leastShare != nil } ? " (from the least to the largest of the rounds)" : ""). \(Markdown.clock)

      """ + "\n"
  }

  // MARK: What it cost

  private func cost() -> String {
    let known = data.names.flatMap { name in data.mainTimings(of: name) }.filter { $0.trainSeconds > 0 }
    guard !known.isEmpty else { return "" }
    let hours = known.reduce(0) { $0 + $1.trainSeconds * Double($1.trainThreads ?? $1.threads) } / 3600
    let trained = data.trials.count { $0.status == "done" && ($0.epochs ?? 0) > 0 }
    let whose = known.count < trained ? ", in the \(known.count) of \(trained) trials whose time is known" : " in all"
    return "Training took \(Numbers.fixed(hours, 2)) core-hours (time × threads)\(whose). \(Markdown.clock)\n"
  }
}

extension OperationProfile {
  fileprivate var total: Double { operations.reduce(0) { $0 + $1.milliseconds } }
  /// Per cent that the concatenations would add as copies: its range over rounds, where it was taken in rounds.
  fileprivate var share: String {
    guard let leastShare, let largestShare else { return Numbers.fixed(100 * concatenationAsCopies / total, 0) }
    let ends = [leastShare, largestShare].map { Numbers.fixed(100 * $0, 0) }
    return ends[0] == ends[1] ? ends[0] : ends.joined(separator: "–")
  }
  fileprivate var multiplyAdds: Int { operations.reduce(0) { $0 + $1.multiplyAdds } }
}
