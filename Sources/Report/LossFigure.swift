/// Fig. 1 of the paper: loss against epoch. Validation as a thick line (the mean over seeds, each seed thin behind it),
/// training dashed, the fine-tuning phase shaded, a ring at the epoch whose weights were kept. Many trials have a panel each.
struct LossFigure {
  /// Okabe & Ito's colours ("Color universal design", 2008), told apart with any colour vision, without the yellow that
  /// vanishes on white; with `marks` also in grey print.
  static let palette = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]

  struct Curve {
    var trial: String
    var color: String
    var mark: Int
    /// By seed, in the order of the epochs.
    var seeds: [[EpochLoss]]
    /// Epoch of the kept weights, where there is one seed.
    var best: Int?
    /// How many more trials have these very losses: they share a training, and differ in what is done with it.
    var others = 0

    /// What the legend calls it.
    var name: String { others == 0 ? trial : "\(trial) and \(others) more" }

    /// Over the seeds, by epoch.
    func mean(_ loss: (EpochLoss) -> Double) -> [(epoch: Int, loss: Double)] {
      let rows = seeds.joined()
      return Set(rows.map(\.epoch)).sorted().map { epoch in (epoch, rows.filter { $0.epoch == epoch }.map(loss).mean!) }
    }

    /// The first epoch of fine-tuning, where there is one.
    var fineTuning: Int? { seeds.joined().filter { $0.phase == "fine-tune" }.map(\.epoch).min() }
  }

  var curves: [Curve] = []

  /// The trials that are done (a failed one's curve ends somewhere, and would bend the mean); nil where there is none.
  init?(_ data: ReportData) {
    let done = Set(data.trials.filter { $0.status == "done" }.map { ExpectedTrial(trial: $0.trial, seed: $0.seed) })
    for (index, name) in data.names.enumerated() {
      let rows = data.losses.filter { $0.trial == name && done.contains(ExpectedTrial(trial: $0.trial, seed: $0.seed)) }
      let seeds = rows.map(\.seed).uniqued.map { seed in rows.filter { $0.seed == seed }.map(\.loss).sorted { $0.epoch < $1.epoch } }
      guard !seeds.isEmpty else { continue }
      let best = seeds.count == 1 ? data.trials.first { $0.trial == name && $0.seed == rows[0].seed }?.bestEpoch : nil
      if let same = curves.firstIndex(where: { $0.seeds == seeds && $0.best == best }) {
        curves[same].others += 1
      } else {
        // A trial keeps its colour while others are missing, unless there are so many that colours would repeat.
        let place = data.names.count > Self.palette.count ? curves.count : index
        curves.append(Curve(trial: name, color: Self.palette[place % Self.palette.count], mark: place, seeds: seeds, best: best))
      }
    }
    guard curves.contains(where: { $0.seeds.contains { $0.contains { $0.validationLoss.isFinite } } }) else { return nil }
  }

  /// Up to so many epochs each has a mark.
  static let marked = 40

  /// Up to as many trials as there are colours share one pair of axes; more of them would hide each other, so each has its own.
  var svg: String { hasPanels ? panels : together }

  var hasPanels: Bool { curves.count > Self.palette.count }

  var epochs: Int { curves.flatMap { $0.seeds.flatMap { $0.map(\.epoch) } }.max()! }

  /// Every loss that can be drawn.
  var losses: [Double] { curves.flatMap { $0.seeds.flatMap { $0.flatMap { [$0.trainLoss, $0.validationLoss] } } }.filter(\.isFinite) }

  private var together: String {
    let legendWidth = 60 + 7.4 * Double(curves.map(\.name.count).max()!)
    let left = 70.0, right = left + 520, top = 24.0, bottom = top + 350
    // A legend of many trials reaches further down than the axes do.
    var sheet = SVG(width: right + 20 + max(legendWidth, 220), height: max(bottom + 62, top + 8 + Self.legendHeight(curves.count)))
    let axes = LossAxes(self, left: left, right: right, top: top, bottom: bottom), marks = epochs <= Self.marked
    let fineTuning = curves.compactMap(\.fineTuning).min()
    axes.shade(&sheet, from: fineTuning)
    axes.frame(&sheet)
    axes.nameShade(&sheet, from: fineTuning)
    axes.names(&sheet, across: (left + right) / 2, bottom: bottom + 46, along: (top + bottom) / 2, left: 20)
    for curve in curves { draw(curve, &sheet, axes, marks: marks) }
    legend(&sheet, at: right + 20, top: top + 8, marks: marks)
    return sheet.text
  }

  func draw(_ curve: Curve, _ sheet: inout SVG, _ axes: LossAxes, marks: Bool) {
    let place = axes.place
    if curve.seeds.count > 1 {
      for seed in curve.seeds {
        sheet.polyline(seed.map { place($0.epoch, $0.validationLoss) }, stroke: curve.color, width: 0.9, opacity: 0.45)
      }
    }
    sheet.polyline(curve.mean(\.trainLoss).map { place($0.epoch, $0.loss) }, stroke: curve.color, width: 1.1, dash: "4 3", opacity: 0.8)
    if let only = curve.seeds.first?.first, curve.seeds.allSatisfy({ $0.count == 1 }), let spot = place(only.epoch, curve.mean(\.trainLoss)[0].loss) {
      sheet.circle(spot.x, spot.y, 3.2, fill: "#ffffff", stroke: curve.color, width: 1.1)
    }
    let validation = curve.mean(\.validationLoss)
    sheet.polyline(validation.map { place($0.epoch, $0.loss) }, stroke: curve.color, width: 2.2)
    // A single epoch has no line to show, so it is marked whatever the rule.
    if marks || validation.count == 1 {
      for point in validation { place(point.epoch, point.loss).map { mark(curve.mark, $0.x, $0.y, curve.color, &sheet) } }
    }
    if let best = validation.first(where: { $0.epoch == curve.best }), let spot = place(best.epoch, best.loss) {
      sheet.circle(spot.x, spot.y, 7, fill: "none", stroke: curve.color, width: 1.5)
    }
  }

  private func mark(_ shape: Int, _ x: Double, _ y: Double, _ color: String, _ sheet: inout SVG) {
    switch shape % 4 {
    case 0: sheet.circle(x, y, 3.2, fill: color, stroke: "#ffffff", width: 0.6)
    case 1: sheet.polygon([(x - 3, y - 3), (x + 3, y - 3), (x + 3, y + 3), (x - 3, y + 3)], fill: color, stroke: "#ffffff")
    case 2: sheet.polygon([(x, y - 4.2), (x + 4, y + 3), (x - 4, y + 3)], fill: color, stroke: "#ffffff")
    default: sheet.polygon([(x, y - 4.4), (x + 4.4, y), (x, y + 4.4), (x - 4.4, y)], fill: color, stroke: "#ffffff")
    }
  }

  /// Of so many trials, and the four lines that say what is what.
  private static func legendHeight(_ trials: Int) -> Double { 22 * Double(trials) + 10 + 20 * 4 }

  private func legend(_ sheet: inout SVG, at x: Double, top: Double, marks: Bool) {
    var y = top
    for curve in curves {
      sheet.line(x, y, x + 30, y, stroke: curve.color, width: 2.2)
      if marks { mark(curve.mark, x + 15, y, curve.color, &sheet) }
      sheet.label(curve.name, x + 38, y + 4.5)
      y += 22
    }
    y += 10
    for sample in samples(in: "#555555") {
      sample.draw(&sheet, x, y)
      sheet.label(sample.text, x + 38, y + 4.5, size: 12, fill: "#444444")
      y += 20
    }
  }

  /// A line or ring as the figure draws it, and what it says.
  struct Sample {
    var text: String
    var draw: (inout SVG, Double, Double) -> Void
  }

  /// What the kinds of lines are, without the trials.
  func samples(in color: String) -> [Sample] {
    let several = curves.contains { $0.seeds.count > 1 }
    var samples = [Sample(text: several ? "validation, mean over seeds" : "validation") { $0.line($1, $2, $1 + 30, $2, stroke: color, width: 2.2) }]
    if several {
      samples.append(Sample(text: "validation, each seed") { $0.polyline([($1, $2), ($1 + 30, $2)], stroke: color, width: 0.9, opacity: 0.45) })
    }
    samples.append(
      Sample(text: several ? "training, mean over seeds" : "training") { $0.line($1, $2, $1 + 30, $2, stroke: color, width: 1.1, dash: "4 3") })
    if curves.contains(where: { $0.best != nil }) {
      samples.append(Sample(text: "weights kept") { $0.circle($1 + 15, $2, 7, fill: "none", stroke: color, width: 1.5) })
    }
    return samples
  }
}
