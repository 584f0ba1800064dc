/// The axes that losses are drawn in: a frame on the sheet, in pixels, epochs to the right and losses upwards.
struct LossAxes {
  let left: Double, right: Double, top: Double, bottom: Double
  let x: Axis, y: Axis

  init(_ figure: LossFigure, left: Double, right: Double, top: Double, bottom: Double) {
    (self.left, self.right, self.top, self.bottom) = (left, right, top, bottom)
    (x, y) = (.epochs(figure.epochs, start: left, end: right), .losses(figure.losses, start: bottom, end: top))
  }

  /// Behind fine-tuning.
  static let shade = "#f3f0e6"

  /// Nil for a loss that is not a number.
  func place(_ epoch: Int, _ loss: Double) -> (x: Double, y: Double)? { loss.isFinite ? (x.place(Double(epoch)), y.place(loss)) : nil }

  /// The fine-tuning phase, from its first epoch on; nil where there is none.
  func shade(_ sheet: inout SVG, from epoch: Int?) {
    guard let epoch else { return }
    let start = x.place(Double(epoch) - 0.5)
    sheet.rectangle(start, top, right - start, bottom - top, fill: Self.shade)
  }

  /// What the shade is, where no legend says it: on a patch of it, over the frame's lines.
  func nameShade(_ sheet: inout SVG, from epoch: Int?) {
    guard let epoch else { return }
    let start = x.place(Double(epoch) - 0.5), middle = (start + right) / 2, patch = min(64, right - start)
    sheet.rectangle(middle - patch / 2, top + 5, patch, 15, fill: Self.shade)
    sheet.label("fine-tuning", middle, top + 16, size: 12, anchor: .middle, fill: "#6b6240")
  }

  /// Lines, ticks and the border; the numbers only where they are asked for.
  func frame(_ sheet: inout SVG, across: Bool = true, along: Bool = true, size: Double = 13) {
    for (tick, label) in zip(y.ticks, y.labels) {
      sheet.line(left, y.place(tick), right, y.place(tick), stroke: "#dddddd")
      guard along else { continue }
      sheet.line(left - 5, y.place(tick), left, y.place(tick), stroke: "#333333")
      sheet.label(label, left - 9, y.place(tick) + 4.5, size: size, anchor: .end)
    }
    for (tick, label) in zip(x.ticks, x.labels) {
      sheet.line(x.place(tick), top, x.place(tick), bottom, stroke: "#eeeeee")
      guard across else { continue }
      sheet.line(x.place(tick), bottom, x.place(tick), bottom + 5, stroke: "#333333")
      sheet.label(label, x.place(tick), bottom + 20, size: size, anchor: .middle)
    }
    sheet.rectangle(left, top, right - left, bottom - top, fill: "none", stroke: "#333333")
  }

  /// What the axes show, at the middle of each.
  func names(_ sheet: inout SVG, across middle: Double, bottom: Double, along centre: Double, left: Double) {
    sheet.label("epoch", middle, bottom, size: 14, anchor: .middle)
    sheet.label("loss: BCE − log Dice (nats\(y.logarithmic ? "; log scale" : ""))", left, centre, size: 14, anchor: .middle, rotated: true)
  }
}
