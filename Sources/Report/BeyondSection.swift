import ExperimentSpec

/// "Beyond the paper": what its authors leave for later, as far as it was measured: times on few threads and in low precision, sizes,
/// where the time goes, and what the whole experiment cost. Nearly all of it depends on the machine.
struct BeyondSection {
  var inputs: ReportInputs
  var data: ReportData

  func text() -> String {
    let networks = data.timedNetworks
    guard !networks.isEmpty else { return "" }
    return "## Beyond the paper\n\n" + small(networks) + "\n" + operations(networks) + cost()
  }

  // MARK: On a small processor

  private func small(_ networks: [TimedNetwork]) -> String {
    let kinds = data.timings.map { Kind(threads: $0.timing.threads, precision: $0.timing.precision) }
    // One and two threads in both precisions are always shown, so that what was not measured is seen to be missing.
    let shown = Set(kinds + [1, 2].flatMap { threads in ["f32", "bf16"].map { Kind(threads: threads, precision: $0) } }).sorted()
    func line(_ label: String, isClock: Bool = true, _ cell: (TimedNetwork) -> String) -> [String] {
      [label + (isClock ? " \(Markdown.clock)" : "")] + networks.map(cell)
    }
    var rows: [[String]] = []
    if inputs.report.published.contains(where: { $0.values["gpu_ms_per_patch"] != nil }) { rows.append(line("the paper's GPU (ms/patch)", published)) }
    rows += shown.map { kind in line("\(kind.precision), \(Markdown.count(kind.threads, "thread")) (ms/patch)") { time($0, kind) } }
    for key in ["size_mb", "multiply_adds", "peak_rss_mb"] {
      let metric = Metric.all.first { $0.key == key }!
      rows.append(line(metric.label, isClock: metric.isClock) { metric.print(data.statistic(metric, of: $0.names[0]).mean) })
    }
    let shared = networks.filter { $0.names.count > 1 }.map { "\(Markdown.plain($0.names[0])) (also \($0.names.dropFirst().map(Markdown.plain).joined(separator: "; ")))" }
    return Markdown.table([""] + networks.map { Markdown.plain($0.names[0]) }, rows)
      + "\nOne patch at a time; medians of the passes over the patches of all \(inputs.scored.name), averaged over seeds; – was not measured. "
      + (shared.isEmpty ? "" : "Trials of one network share a column, with the times of the last turn that any of them was in and the memory of the first: \(shared.joined(separator: ", ")). ")
      + "Memory is the process's, from a trial's preparation to its scores, with the patches' file as far as it is mapped, which the system takes back where it needs room: two trainings of one network "
      + "may differ by that file.\n"
  }

  private struct Kind: Hashable, Comparable {
    var threads: Int
    var precision: String
    static func < (a: Kind, b: Kind) -> Bool { (b.precision, a.threads) < (a.precision, b.threads) }
  }

  private func time(_ network: TimedNetwork, _ kind: Kind) -> String {
    let timings = network.timings.filter { $0.threads == kind.threads && $0.precision == kind.precision }
    return Numbers.fixed(timings.map(\.millisecondsPerPatchMedian).mean, 1)
  }

  private func published(_ network: TimedNetwork) -> String {
    Numbers.fixed(inputs.report.published.last { network.names.contains($0.trial) && $0.values["gpu_ms_per_patch"] != nil }?.values["gpu_ms_per_patch"], 1)
  }

  // MARK: Is it the concatenations?

  private func operations(_ networks: [TimedNetwork]) -> String {
    // Of each network that of the last turn, where it was looked at then.
    let found = networks.compactMap { network -> (name: String, precision: String, profile: OperationProfile)? in
      let ofTurn = inputs.profiles.first { profile in network.timings.contains { $0.trial == profile.trial } }
      guard let profile = (ofTurn ?? inputs.profiles.first { network.names.contains($0.trial) })?.profile else { return nil }
      return (Markdown.plain(network.names[0]), network.precision, profile)
    }
    guard !found.isEmpty else { return "" }
    func line(_ label: String, _ cell: (OperationProfile) -> String) -> [String] { ["\(label) \(Markdown.clock)"] + found.map { cell($0.profile) } }
    var rows = found.flatMap { $0.profile.operations.map(\.operation) }.uniqued.sorted().map { name in
      line(name) { profile in Numbers.fixed(profile.operations.filter { $0.operation == name }.map(\.milliseconds).reduce(0, +), 2) }
    }
    rows.append(line("all layers") { Numbers.fixed($0.total, 2) })
    rows.append(line("ns per 1000 multiply–adds") { Numbers.fixed(1e9 * $0.total / Double($0.multiplyAdds), 1) })
    rows.append(line("concatenations, were they copies") { Numbers.fixed($0.concatenationAsCopies, 2) })
    rows.append(["taken with \(Markdown.clock)"] + found.map { "\(Markdown.count($0.profile.threads, "thread")), \($0.precision)" })
    let shares = found.map { "\($0.name) \($0.profile.share) %" }
    let question = data.trials.contains { $0.architecture == ModelSettings.Architecture.unetPlus.rawValue }
      ? "**Is it the concatenations that slow U-Net+ down?** (the paper's open question)" : "**What do the concatenations cost?**"
    return """
      \(question) Here a concatenation is no operation: the convolutions that read one read \
      its parts where they stand, so what it costs is the multiply–adds of the channels it adds. The time of one patch by operation, in milliseconds:

      \(Markdown.table([""] + found.map(\.name), rows))
      As copies, which is how frameworks run them, the concatenations would add: \(shares.joined(separator: "; ")) to the time of all layers\(found.contains { $0.profile.leastShare != nil } ? " (from the least to the largest of the rounds)" : ""). \(Markdown.clock)

      """ + "\n"
  }

  // MARK: What it cost

  private func cost() -> String {
    func losses(of trial: String, _ seed: Int) -> [EpochLoss] { data.losses.filter { $0.trial == trial && $0.seed == seed }.map(\.loss) }
    let known = data.names.flatMap { name in data.mainTimings(of: name) }.filter { $0.trainSeconds > 0 }
    guard !known.isEmpty else { return "" }
    let hours = known.reduce(0) { $0 + $1.trainSeconds * Double($1.trainThreads ?? $1.threads) } / 3600
    // Trials that share a training have the very same losses; one of them has its time.
    let trained = Set(data.trials.filter { $0.status == "done" && ($0.epochs ?? 0) > 0 }.map { losses(of: $0.trial, $0.seed) }).count
    let told = Set(known.map { losses(of: $0.trial, $0.seed) }).count
    let whose = told < trained ? ", in the \(told) of \(trained) trainings whose time is known" : " in all"
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
