/// An SVG picture in pixels; coordinates with two decimals, so that the same numbers give the same bytes.
struct SVG {
  private var body = ""
  let width: Double, height: Double

  init(width: Double, height: Double) { (self.width, self.height) = (width, height) }

  enum Anchor: String { case start, middle, end }

  /// A white sheet under everything: viewers with a dark page would else show dark text on it.
  var text: String {
    """
    <?xml version="1.0" encoding="UTF-8"?>
    <svg xmlns="http://www.w3.org/2000/svg" width="\(n(width))" height="\(n(height))" viewBox="0 0 \(n(width)) \(n(height))" \
    font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif">
    <rect width="100%" height="100%" fill="#ffffff"/>
    \(body)</svg>

    """
  }

  mutating func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, fill: String, stroke: String = "none", strokeWidth: Double = 1, radius: Double = 0
  ) {
    body += "<rect x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(width))\" height=\"\(n(height))\" fill=\"\(fill)\" stroke=\"\(stroke)\""
    if strokeWidth != 1 { body += " stroke-width=\"\(n(strokeWidth))\"" }
    body += radius > 0 ? " rx=\"\(n(radius))\"/>\n" : "/>\n"
  }

  mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, stroke: String, width: Double = 1, dash: String? = nil) {
    body += "<line x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\" stroke=\"\(stroke)\" stroke-width=\"\(n(width))\"\(dashes(dash))/>\n"
  }

  /// Joined straight lines, broken where a point is nil (a loss that is not a number).
  mutating func polyline(_ points: [(x: Double, y: Double)?], stroke: String, width: Double, dash: String? = nil, opacity: Double = 1) {
    for run in points.split(whereSeparator: { $0 == nil }) where run.count > 1 {
      let text = run.map { "\(n($0!.x)),\(n($0!.y))" }.joined(separator: " ")
      body += """
        <polyline points="\(text)" fill="none" stroke="\(stroke)" stroke-width="\(n(width))" stroke-linejoin="round" \
        stroke-linecap="round"\(opacity == 1 ? "" : " stroke-opacity=\"\(n(opacity))\"")\(dashes(dash))/>

        """
    }
  }

  /// A cubic curve that ends in a head, 7 long.
  mutating func arrow(
    _ start: (x: Double, y: Double), _ control: (x: Double, y: Double), _ otherControl: (x: Double, y: Double), _ end: (x: Double, y: Double), stroke: String
  ) {
    let (dx, dy) = (end.x - otherControl.x, end.y - otherControl.y), length = (dx * dx + dy * dy).squareRoot()
    let (ux, uy) = length > 0 ? (dx / length, dy / length) : (1, 0), neck = (x: end.x - 6 * ux, y: end.y - 6 * uy)
    body += """
      <path d="M\(n(start.x)),\(n(start.y)) C\(n(control.x)),\(n(control.y)) \(n(otherControl.x)),\(n(otherControl.y)) \(n(neck.x)),\(n(neck.y))" \
      fill="none" stroke="\(stroke)" stroke-width="1.3" stroke-opacity="0.75"/>

      """
    polygon([end, (end.x - 7 * ux - 3.2 * uy, end.y - 7 * uy + 3.2 * ux), (end.x - 7 * ux + 3.2 * uy, end.y - 7 * uy - 3.2 * ux)], fill: stroke, stroke: "none")
  }

  /// The outline through `points`, closed and filled.
  mutating func polygon(_ points: [(x: Double, y: Double)], fill: String, stroke: String) {
    let text = points.map { "\(n($0.x)),\(n($0.y))" }.joined(separator: " ")
    body += "<polygon points=\"\(text)\" fill=\"\(fill)\" stroke=\"\(stroke)\"/>\n"
  }

  mutating func circle(_ x: Double, _ y: Double, _ radius: Double, fill: String, stroke: String, width: Double = 1) {
    body += "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"\(n(radius))\" fill=\"\(fill)\" stroke=\"\(stroke)\" stroke-width=\"\(n(width))\"/>\n"
  }

  mutating func label(
    _ text: String, _ x: Double, _ y: Double, size: Double = 13, anchor: Anchor = .start, fill: String = "#222222", bold: Bool = false, rotated: Bool = false
  ) {
    let turn = rotated ? " transform=\"rotate(-90 \(n(x)) \(n(y)))\"" : ""
    body += """
      <text x="\(n(x))" y="\(n(y))" font-size="\(n(size))" text-anchor="\(anchor.rawValue)" fill="\(fill)"\
      \(bold ? " font-weight=\"bold\"" : "")\(turn)>\(Self.escaped(text))</text>

      """
  }

  static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      // XML has no way to write the other control characters.
      case _ where scalar.value < 32 && scalar != "\t": escaped += " "
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private func dashes(_ dash: String?) -> String { dash.map { " stroke-dasharray=\"\($0)\"" } ?? "" }

  private func n(_ value: Double) -> String {
    let hundredths = (value * 100).rounded()
    precondition(abs(hundredths) < 1e9, "\(value) is no place on a sheet")
    return Numbers.shortest(hundredths / 100)
  }
}
