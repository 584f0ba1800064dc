/// Fig. 1 of the paper: loss against epoch. Validation as a thick line (the mean over seeds, each seed thin behind it),
/// training dashed, the fine-tuning phase shaded, a ring at the epoch whose weights were kept.
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
  }

  var curves: [Curve]

  /// The trials that are done (a failed one's curve ends somewhere, and would bend the mean); nil where there is none.
  init?(_ data: ReportData) {
    let done = Set(data.trials.filter { $0.status == "done" }.map { ExpectedTrial(trial: $0.trial, seed: $0.seed) })
    curves = data.names.enumerated().compactMap { index, name in
      let rows = data.losses.filter { $0.trial == name && done.contains(ExpectedTrial(trial: $0.trial, seed: $0.seed)) }
      let seeds = rows.map(\.seed).uniqued.map { seed in rows.filter { $0.seed == seed }.map(\.loss).sorted { $0.epoch < $1.epoch } }
      guard !seeds.isEmpty else { return nil }
      let best = seeds.count == 1 ? data.trials.first { $0.trial == name && $0.seed == rows[0].seed }?.bestEpoch : nil
      return Curve(trial: name, color: Self.palette[index % Self.palette.count], mark: index, seeds: seeds, best: best)
    }
    guard curves.contains(where: { $0.seeds.contains { $0.contains { $0.validationLoss.isFinite } } }) else { return nil }
  }

  private static let marked = 40

  var svg: String {
    let legendWidth = 60 + 7.4 * Double(curves.map(\.trial.count).max()!)
    let left = 70.0, right = left + 520, top = 24.0, bottom = top + 350
    // A legend of many trials reaches further down than the axes do.
    var sheet = SVG(width: right + 20 + max(legendWidth, 220), height: max(bottom + 62, top + 8 + Self.legendHeight(curves.count)))
    let epochs = curves.flatMap { $0.seeds.flatMap { $0.map(\.epoch) } }.max()!
    let losses = curves.flatMap { $0.seeds.flatMap { $0.flatMap { [$0.trainLoss, $0.validationLoss] } } }.filter(\.isFinite)
    let x = Axis.epochs(epochs, start: left, end: right), y = Axis.losses(losses, start: bottom, end: top)

    if let first = curves.flatMap({ $0.seeds.flatMap { $0.filter { $0.phase == "fine-tune" }.map(\.epoch) } }).min() {
      let start = x.place(Double(first) - 0.5)
      sheet.rectangle(start, top, right - start, bottom - top, fill: "#f3f0e6")
      sheet.label("fine-tuning", (start + right) / 2, top + 16, size: 12, anchor: .middle, fill: "#6b6240")
    }
    frame(&sheet, x, y, left: left, right: right, top: top, bottom: bottom)
    for curve in curves { draw(curve, &sheet, x, y, marks: epochs <= Self.marked) }
    legend(&sheet, at: right + 20, top: top + 8, marks: epochs <= Self.marked)
    return sheet.text
  }

  private func frame(_ sheet: inout SVG, _ x: Axis, _ y: Axis, left: Double, right: Double, top: Double, bottom: Double) {
    for (tick, label) in zip(y.ticks, y.labels) {
      sheet.line(left, y.place(tick), right, y.place(tick), stroke: "#dddddd")
      sheet.line(left - 5, y.place(tick), left, y.place(tick), stroke: "#333333")
      sheet.label(label, left - 9, y.place(tick) + 4.5, anchor: .end)
    }
    for (tick, label) in zip(x.ticks, x.labels) {
      sheet.line(x.place(tick), top, x.place(tick), bottom, stroke: "#eeeeee")
      sheet.line(x.place(tick), bottom, x.place(tick), bottom + 5, stroke: "#333333")
      sheet.label(label, x.place(tick), bottom + 20, anchor: .middle)
    }
    sheet.rectangle(left, top, right - left, bottom - top, fill: "none", stroke: "#333333")
    sheet.label("epoch", (left + right) / 2, bottom + 46, size: 14, anchor: .middle)
    sheet.label(
      "loss: BCE − log Dice (nats\(y.logarithmic ? "; log scale" : ""))", 20, (top + bottom) / 2, size: 14, anchor: .middle, rotated: true)
  }

  private func draw(_ curve: Curve, _ sheet: inout SVG, _ x: Axis, _ y: Axis, marks: Bool) {
    func place(_ epoch: Int, _ loss: Double) -> (x: Double, y: Double)? { loss.isFinite ? (x.place(Double(epoch)), y.place(loss)) : nil }
    func mean(_ loss: (EpochLoss) -> Double) -> [(epoch: Int, loss: Double)] {
      let rows = curve.seeds.joined()
      return Set(rows.map(\.epoch)).sorted().map { epoch in (epoch, rows.filter { $0.epoch == epoch }.map(loss).mean!) }
    }
    if curve.seeds.count > 1 {
      for seed in curve.seeds {
        sheet.polyline(seed.map { place($0.epoch, $0.validationLoss) }, stroke: curve.color, width: 0.9, opacity: 0.45)
      }
    }
    sheet.polyline(mean(\.trainLoss).map { place($0.epoch, $0.loss) }, stroke: curve.color, width: 1.1, dash: "4 3", opacity: 0.8)
    if let only = curve.seeds.first?.first, curve.seeds.allSatisfy({ $0.count == 1 }), let spot = place(only.epoch, mean(\.trainLoss)[0].loss) {
      sheet.circle(spot.x, spot.y, 3.2, fill: "#ffffff", stroke: curve.color, width: 1.1)
    }
    let validation = mean(\.validationLoss)
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
      sheet.label(curve.trial, x + 38, y + 4.5)
      y += 22
    }
    y += 10
    let several = curves.contains { $0.seeds.count > 1 }
    let (grey, text) = ("#555555", "#444444")
    sheet.line(x, y, x + 30, y, stroke: grey, width: 2.2)
    sheet.label(several ? "validation, mean over seeds" : "validation", x + 38, y + 4.5, size: 12, fill: text)
    y += 20
    if several {
      sheet.line(x, y, x + 30, y, stroke: "#aaaaaa", width: 0.9)
      sheet.label("validation, each seed", x + 38, y + 4.5, size: 12, fill: text)
      y += 20
    }
    sheet.line(x, y, x + 30, y, stroke: grey, width: 1.1, dash: "4 3")
    sheet.label(several ? "training, mean over seeds" : "training", x + 38, y + 4.5, size: 12, fill: text)
    y += 20
    if curves.contains(where: { $0.best != nil }) {
      sheet.circle(x + 15, y, 7, fill: "none", stroke: grey, width: 1.5)
      sheet.label("weights kept", x + 38, y + 4.5, size: 12, fill: text)
    }
  }
}
