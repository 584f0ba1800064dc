/// A panel a trial, all with the same axes, the other trials' means in grey behind it.
extension LossFigure {
  private static let columns = 3
  private static let others = "#cfcfcf"

  var panels: String {
    let (width, height, gap, head) = (270.0, 170.0, 16.0, 32.0)
    let left = 70.0, rows = (curves.count + Self.columns - 1) / Self.columns
    let right = left + Double(Self.columns) * (width + gap) - gap
    let bottom = Double(rows) * (height + head) + 6
    var samples = samples(in: Self.palette[0]) + [Sample(text: "the other trials") { $0.line($1, $2, $1 + 30, $2, stroke: Self.others, width: 1.1) }]
    if curves.contains(where: { $0.fineTuning != nil }) {
      samples.append(Sample(text: "fine-tuning") { $0.rectangle($1, $2 - 7, 30, 14, fill: LossAxes.shade) })
    }
    var sheet = SVG(width: right + 20, height: bottom + 64 + 22 * Double((samples.count + Self.columns - 1) / Self.columns))
    for (index, var curve) in curves.enumerated() {
      let (row, column) = index.quotientAndRemainder(dividingBy: Self.columns)
      let x = left + Double(column) * (width + gap), y = Double(row) * (height + head) + head
      let axes = LossAxes(self, left: x, right: x + width, top: y, bottom: y + height)
      axes.shade(&sheet, from: curve.fineTuning)
      // The last of a column has the numbers, also where the row below it is not full.
      axes.frame(&sheet, across: index + Self.columns >= curves.count, along: column == 0, size: 11)
      for other in curves where other.trial != curve.trial {
        sheet.polyline(other.mean(\.validationLoss).map { axes.place($0.epoch, $0.loss) }, stroke: Self.others, width: 1.1)
      }
      (curve.color, curve.mark) = (Self.palette[0], 0)
      draw(curve, &sheet, axes, marks: epochs <= Self.marked)
      sheet.label(curve.name, x + 2, y - 7, size: min(13, 1.7 * width / Double(curve.name.count)), bold: true)
    }
    let whole = LossAxes(self, left: left, right: right, top: head, bottom: bottom)
    whole.names(&sheet, across: (left + right) / 2, bottom: bottom + 42, along: (head + bottom) / 2, left: 20)
    for (index, sample) in samples.enumerated() {
      let (row, column) = index.quotientAndRemainder(dividingBy: Self.columns)
      let x = left + Double(column) * (width + gap), y = bottom + 72 + 22 * Double(row)
      sample.draw(&sheet, x, y)
      sheet.label(sample.text, x + 38, y + 4.5, size: 12, fill: "#444444")
    }
    return sheet.text
  }
}
