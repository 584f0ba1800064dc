import ExperimentSpec
import Foundation

/// `report.md`: words and settings from the inputs, every number from the rows read back from the CSV files.
struct ReportPage {
  var inputs: ReportInputs
  var data: ReportData
  var table: [TableRow]
  var claims: [ClaimRow]
  var clockClaims: [ClaimRow]
  /// The figures that stand in the folder, by file name.
  var figures: Set<String>

  func text() throws -> String {
    var sections = [heading(), try comparison(), claimsText(), further()]
    sections += [BeyondSection(inputs: inputs, data: data).text(), times(), training(), curves(), segmentation(), examples(), preprocessing(), networks()]
    sections += [settings("Settings", inputs.settings), notStated(), dataSummary(), provenance()]
    return sections.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private func claimsText() -> String {
    ClaimsSection(claims: claims, clockClaims: clockClaims, scored: inputs.scored, hasImagesWithoutNuclei: data.images.contains { $0.score.nuclei == 0 }, isInterim: data.trials.contains { $0.status != "done" }).text()
  }

  private func heading() -> String {
    var text = "# \(Markdown.plain(inputs.title))\n"
    if !inputs.report.remark.isEmpty {
      text += "\n" + inputs.report.remark.split(whereSeparator: \.isNewline).map { "> \($0)\n" }.joined(separator: ">\n")
    }
    let open = data.trials.filter { $0.status != "done" }
    text += "\n\(data.trials.count - open.count) of \(Markdown.count(data.trials.count, "trial")) done."
    if !open.isEmpty {
      text += " Not in the numbers below: " + open.map { trial in
        "\(Markdown.plain(trial.trial)), seed \(trial.seed) (\(trial.status)\(trial.failure.isEmpty ? "" : ": \(Markdown.plain(trial.failure))"))"
      }.joined(separator: "; ") + "."
    }
    if !inputs.scored.warning.isEmpty { text += "\n\n\(inputs.scored.warning)" }
    return text + "\n"
  }

  // MARK: Ours beside the published

  private func comparison() throws -> String {
    let metrics = try inputs.report.rows.map(Metric.named)
    guard !metrics.isEmpty else { return "" }
    var text = "## Results\(inputs.report.published.isEmpty ? "" : ", beside the published")\n\n" + metricTable(metrics)
    text += "\n" + conventions()
    return text
  }

  /// Trials across and metrics down, as in the paper; the other way round where the trials would not fit across.
  private func metricTable(_ metrics: [Metric]) -> String {
    let names = data.names
    let cells = metrics.map { metric in names.map { cell(metric, $0) } }
    if names.count > 6 && !metrics.contains(where: \.isClock) {
      return Markdown.table([""] + metrics.map(\.label), names.indices.map { column in
        [Markdown.plain(names[column])] + metrics.indices.map { cells[$0][column] }
      })
    }
    return Markdown.table([""] + names.map(Markdown.plain), zip(metrics, cells).map { [rowLabel($0)] + $1 })
  }

  private func rowLabel(_ metric: Metric) -> String {
    guard metric.isClock else { return metric.label }
    return metric.key.hasPrefix("ms_") ? "Inference time (ms/patch; \(processors), \(threads)) \(Markdown.clock)" : "\(metric.label) \(Markdown.clock)"
  }

  private var threads: String {
    let kinds = data.names.flatMap(data.mainTimings(of:)).map { "\(Markdown.count($0.threads, "thread")), \($0.precision)" }.uniqued
    return kinds.isEmpty ? "not timed" : kinds.joined(separator: " / ")
  }

  /// What the times were taken on, as far as it was noted.
  private var processors: String {
    let named = data.names.flatMap(data.mainTimings(of:)).map(\.processor).uniqued
    return named.isEmpty ? "this processor" : named.map { $0.map(Markdown.plain) ?? "a processor not noted" }.joined(separator: " / ")
  }

  private func cell(_ metric: Metric, _ name: String) -> String {
    let row = metric.isClock
      ? data.row(metric, of: name, inputs.report)
      : table.first { $0.trial == name && $0.metric == metric.key } ?? TableRow(trial: name, metric: metric.key)
    var text = metric.print(row.mean)
    if row.mean == nil, data.seeds(of: name).isEmpty, let trial = data.trials.first(where: { $0.trial == name }) { text = trial.status }
    if metric.printsSpread, row.mean != nil { text += " ± " + metric.print(row.imagesDeviation) }
    if let seeds = row.seedsDeviation, seeds > 0 { text += " (seeds ± \(metric.print(seeds)), n = \(row.seeds))" }
    guard let published = row.published else { return text + gpuTime(metric, name, row.mean) }
    text += "<br>published \(metric.print(published))"
    if let spread = row.publishedDeviation { text += " ± " + metric.print(spread) }
    if row.difference != nil { text += "; Δ \(metric.printDifference(row.difference))" }
    if row.verdict == "outside" { text += ", **outside ± \(metric.print(row.tolerance))**" }
    return text
  }

  /// The paper's time on its own processor, for the row of ours.
  private func gpuTime(_ metric: Metric, _ name: String, _ ours: Double?) -> String {
    guard metric.key == "ms_per_patch", let time = inputs.report.published.last(where: { $0.trial == name && $0.values["gpu_ms_per_patch"] != nil })?.values["gpu_ms_per_patch"] else { return "" }
    return "<br>published \(metric.print(time)) (GPU)" + (ours.map { "; Δ \(metric.printDifference($0 - time))" } ?? "")
  }

  private func conventions() -> String {
    let done = data.trials.filter { $0.status == "done" }
    let counts = done.compactMap(\.images).uniqued.sorted(), empty = done.compactMap(\.imagesEmpty).max() ?? 0
    let number = counts.isEmpty ? "" : counts.first == counts.last ? "\(counts[0]) " : "\(counts.first!)–\(counts.last!) "
    let images = number + (counts == [1] ? String(inputs.scored.name.dropLast()) : inputs.scored.name)
    let several = done.map(\.seed).uniqued.count > 1
    var text = "Scores are means over the \(images)\(several ? ", then over seeds" : ""); "
    text += "± is the standard deviation over these images (divisor n"
    text += several ? ", averaged over seeds; \"seeds ±\" is the one over seeds, divisor n − 1)." : ")."
    if !several && !done.isEmpty { text += " One seed, so there is no spread over seeds." }
    text += empty == 0 ? " No image was left out." : " Left out: \(Markdown.count(empty, "image")) with neither truth nor prediction."
    text += " Objects are connected regions, and IOU and precision are averaged over the thresholds 0.50, 0.55 … 0.95."
    if !inputs.report.published.isEmpty {
      let sources = inputs.report.published.map(\.source).filter { !$0.isEmpty }.uniqued
      text += " Δ is ours less the published value"
      text += sources.isEmpty ? "." : " (\(sources.map(Markdown.plain).joined(separator: "; ")))."
      if inputs.report.rows.contains("ms_per_patch"), inputs.report.published.contains(where: { $0.values["gpu_ms_per_patch"] != nil }) { text += " Published times were taken on the authors' GPU, ours on a processor's cores." }
    }
    text += " Per trial and seed: [trials.csv](trials.csv); per image: [images.csv](images.csv); this table unrounded: [table.csv](table.csv).\n"
    return text
  }

  /// Metrics with a table of their own.
  private static let ofTraining = ["val_loss", "main_val_loss", "late_fall", "best_epoch"]

  private func further() -> String {
    let metrics = Metric.all.filter { metric in
      !metric.isClock && !inputs.report.rows.contains(metric.key) && !Self.ofTraining.contains(metric.key)
    }
    guard !metrics.isEmpty else { return "" }
    return "## Further metrics\n\n" + metricTable(metrics)
      + "\n\"By annotated nucleus\" takes one truth object for each annotated nucleus, \"by regions\" the connected regions of their union.\n"
  }

  private func times() -> String {
    guard !data.timings.isEmpty else { return "" }
    let turns = data.timings.compactMap(\.timing.turn).uniqued.sorted()
    let rows = data.timings.map { row in
      let timing = row.timing, turn = timing.turn.flatMap(turns.firstIndex).map { "\($0 + 1)" } ?? "–"
      return [
        "\(Markdown.plain(timing.trial)) \(Markdown.clock)", "\(timing.seed)", turn, "\(timing.threads)", timing.precision,
        Numbers.fixed(timing.millisecondsPerPatchMedian, 1), Numbers.fixed(timing.millisecondsPerPatchMinimum, 1),
        Numbers.fixed(timing.passes.sampleDeviation, 2), "\(timing.passes.count)", Numbers.fixed(timing.trainSeconds / 60, 1),
        Numbers.fixed(timing.peakRSSMegabytes, 0),
      ]
    }
    let header = ["", "seed", "turn", "threads", "precision", "ms/patch, median", "fastest pass", "sd over passes", "passes", "training (min)", "peak memory (MB)"]
    return "## Times of each trial\n\n" + Markdown.table(header, rows) + timesNotes()
  }

  /// What the times were taken on, where that was noted, and which were taken without the trained weights.
  private func timesNotes() -> String {
    func listed(_ timings: [TimingRecord]) -> String { timings.map { "\(Markdown.plain($0.trial)), seed \($0.seed)" }.uniqued.joined(separator: "; ") }
    let timings = data.timings.map(\.timing), places = timings.compactMap(\.processor).uniqued
    guard !places.isEmpty else { return "" }
    let whose = timings.allSatisfy { $0.processor == places[0] } ? [Markdown.plain(places[0])] : places.map { place in
      "\(Markdown.plain(place)) (\(listed(timings.filter { $0.processor == place })))"
    }
    let madeUp = timings.filter { $0.isOfTrainedWeights == false }
    // Times from before there were turns are each of one of their own.
    let turns = Set(timings.map { $0.turn ?? listed([$0]) }).count
    // One line: on another machine no unmarked one may come or go.
    return "\nTimes of a patch were taken on \(whose.joined(separator: " and "))"
      + (timings.allSatisfy { $0.processor != nil } ? "" : "; of the others it was not noted") + "; trainings ran where Provenance says."
      + (turns > 1 ? " They are of \(turns) turns, one after the other: between turns the machine may have changed, so only times of one turn compare." : "")
      + (madeUp.isEmpty ? "" : " With made-up weights, because the trained ones were not at hand: \(listed(madeUp)). What a network takes does not depend on its weights' values.")
      + " \(Markdown.clock)\n"
  }

  // MARK: Training

  private func training() -> String {
    let rows = data.trials.map { trial -> [String] in
      let losses = data.losses.filter { $0.trial == trial.trial && $0.seed == trial.seed }.map(\.loss).sorted { $0.epoch < $1.epoch }
      let kept = losses.first { $0.epoch == trial.bestEpoch }, tuning = losses.count { $0.phase == "fine-tune" }
      return [
        Markdown.plain(trial.trial), "\(trial.seed)", trial.status, tuning == 0 ? "\(losses.count)" : "\(losses.count - tuning) + \(tuning)",
        losses.first.map { Numbers.fixed($0.validationLoss, 4) } ?? "–", trial.bestEpoch.map(String.init) ?? "–",
        Numbers.fixed(trial.validationLoss, 4), Numbers.fixed(kept?.trainLoss, 4), Numbers.fixed(kept?.penalty, 4),
      ]
    }
    let header = ["", "seed", "state", "epochs", "val. loss, epoch 1", "kept epoch", "val. loss, kept", "train. loss, kept", "L2 penalty, kept"]
    var text = "## Training\n\n" + Markdown.table(header, rows)
    let done = data.trials.filter { $0.status == "done" }
    let patches = done.compactMap { trial -> String? in
      guard let training = trial.trainingPatches, let validation = trial.validationPatches, training > 0 else { return nil }
      return "\(Numbers.grouped(training)) training and \(Numbers.grouped(validation)) validation patches"
    }
    text += "\nThe loss is BCE − log Dice without the L2 penalty λ·Σ‖w‖², which stands in a column of its own (Keras's `val_loss` would include it). "
    text += "The weights with the lowest validation loss are kept; a sum of epochs is training and fine-tuning."
    if !patches.isEmpty { text += " Trained on " + patches.uniqued.joined(separator: "; ") + "." }
    return text + " Every epoch: [losses.csv](losses.csv).\n"
  }

  private func curves() -> String {
    guard figures.contains("losses.svg"), let figure = LossFigure(data) else { return "" }
    let shared = figure.curves.contains { $0.others > 0 } ? " Trials that share a training share its curves." : ""
    let means = figure.curves.contains { $0.seeds.count > 1 } ? ": the mean over seeds, which need be no training's; each seed thin behind it" : ""
    return """
      ## Loss curves

      ![Loss against epoch, one \(figure.hasPanels ? "panel" : "colour") a trial](figures/losses.svg)

      Validation loss against epoch (thick\(means)), training loss dashed; the paper's Fig. 1.\(shared)

      """
  }

  private func segmentation() -> String {
    guard figures.contains("segmentation.png") else { return "" }
    let images = inputs.scored.capitalizedName
    let seeds = Set(data.trials.map(\.seed)).count > 1 ? " Of a trial with several seeds the first is shown." : ""
    let chosen = " The images are chosen by rule before any network has seen them: the dimmest, the one with the most nuclei, "
      + "the one with the largest, and ones from the middle in all three."
    return """
      ## Segmentation

      ![\(images), truth and each network's mask](figures/segmentation.png)

      \(images), their truth and each network's mask; the paper's Fig. 2. White: correct; red: missed (FN); blue: false (FP); black: background. \
      Each image is stretched to its own range for display.\(seeds)\(inputs.report.figureImages.isEmpty ? chosen : "")

      """
  }

  private func examples() -> String {
    guard figures.contains("examples.png") else { return "" }
    return """
      ## The images

      ![\(inputs.scored.capitalizedName) that differ in appearance of the cells, illumination and magnification](figures/examples.png)

      \(inputs.scored.capitalizedName), pixel by pixel; the paper's Fig. 3. Chosen by rule: (a) by how much the intensity varies within the nuclei, (b) by mean intensity, \
      (c) by the nuclei's mean area. In (a) and (c) each is stretched to its own range for display, in (b) it is as it was taken.

      """
  }

  private func preprocessing() -> String {
    guard figures.contains("preprocessing.png") else { return "" }
    return """
      ## Preprocessing

      ![An image after each step of the preprocessing](figures/preprocessing.png)

      An image, (a) after CLAHE, (b) after total-variation de-noising as well, and (c) the patches it is cut into, outlined in two colours in turn; the paper's Fig. 4.

      """
  }

  private func networks() -> String {
    guard !inputs.networks.isEmpty else { return "" }
    return "## The networks\n\n"
      + inputs.networks.map { "![\(Markdown.plain($0.figure.title))](figures/\($0.file).svg)\n\n" }.joined()
      + "Drawn from the networks themselves; the paper's Fig. 5. A block's number is its channels; arrows say what it reads, several what it concatenates.\n"
  }

  // MARK: What it rests on

  private func settings(_ title: String, _ rows: [SettingRow]) -> String {
    guard !rows.isEmpty else { return "" }
    return "## \(title)\n\n"
      + Markdown.table(["key", "value", "what it is"], rows.map { [Markdown.code($0.key), Markdown.code($0.value), Markdown.plain($0.doc)] }, numeric: false)
  }

  private func notStated() -> String {
    let table = settings("Not stated in the paper", inputs.notStated)
    return table.isEmpty || inputs.withoutKey.isEmpty ? table : table + "\nNor are these, which have no key: \(inputs.withoutKey)\n"
  }

  private func dataSummary() -> String {
    guard !inputs.data.isEmpty else { return "" }
    return "## Data\n\n" + Markdown.table(["", ""], inputs.data.map { [Markdown.plain($0.key), Markdown.plain($0.value)] }, numeric: false)
  }

  private func provenance() -> String {
    guard !inputs.provenance.isEmpty else { return "" }
    let rows = inputs.provenance.map { row in
      [Markdown.plain(row.key.replacingOccurrences(of: "_", with: " ")) + (row.clock ? " " + Markdown.clock : ""), Markdown.plain(row.value)]
    }
    return "## Provenance\n\n" + Markdown.table(["", ""], rows, numeric: false)
  }
}
