import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// An SVG picture read back.
struct Drawing {
  struct Element {
    var name: String
    var attributes: [String: String]
    var text = ""
    func number(_ attribute: String) -> Double { attributes[attribute].flatMap(Double.init) ?? .nan }
  }
  struct Box {
    var left, top, right, bottom: Double
    /// False also where a side is no number.
    func isWithin(_ other: Box) -> Bool { left >= other.left && top >= other.top && right <= other.right && bottom <= other.bottom }
    func overlaps(_ other: Box) -> Bool { left < other.right && other.left < right && top < other.bottom && other.top < bottom }
  }

  let elements: [Element]

  init(_ svg: String) throws {
    let reader = Reader(), parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = reader
    try #require(parser.parse(), "\(String(describing: parser.parserError))")
    elements = reader.elements
  }

  func count(_ name: String) -> Int { elements.count { $0.name == name } }
  var text: String { elements.map(\.text).joined() }
  var sheet: Box { Box(left: 0, top: 0, right: elements[0].number("width"), bottom: elements[0].number("height")) }

  /// Texts and the room they take, with letters half as wide as they are high (Helvetica's mean is a little more).
  var labels: [(text: String, box: Box)] {
    elements.filter { $0.name == "text" }.map { label in
      let (x, y, size) = (label.number("x"), label.number("y"), label.number("font-size")), length = 0.5 * size * Double(label.text.count)
      let before = switch label.attributes["text-anchor"] { case "middle": length / 2; case "end": length; default: 0.0 }
      // Turned by −90°, a text runs upwards.
      return label.attributes["transform"] == nil
        ? (label.text, Box(left: x - before, top: y - 0.75 * size, right: x - before + length, bottom: y))
        : (label.text, Box(left: x - 0.75 * size, top: y + before - length, right: x, bottom: y + before))
    }
  }

  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [Element] = []
    func parser(_ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?, attributes: [String: String]) {
      elements.append(Element(name: name, attributes: attributes))
    }
    func parser(_ parser: XMLParser, foundCharacters string: String) { elements[elements.count - 1].text += string }
  }
}
