import Testing

@testable import Diagnostics

@Suite struct RenderingTests {
  private func located(_ line: String, _ column: Int, hints: [String] = []) -> Diagnostic {
    Diagnostic(.error, "wrong", at: SourceLocation(file: "a.yaml", line: 3, column: column), sourceLine: line, hints: hints)
  }

  @Test func locatedErrorShowsLineCaretAndHints() {
    let text = located("depth: 9", 8, hints: ["accepted: an integer from 2 to 7", "did you mean '7'?"]).rendered()
    #expect(
      text == """
        a.yaml:3:8: error: wrong
          depth: 9
                 ^
          accepted: an integer from 2 to 7
          did you mean '7'?
        """)
  }

  @Test func errorWithoutAPlaceNamesTheProgram() {
    #expect(Diagnostic(.warning, "wrong").rendered() == "runner: warning: wrong")
    #expect(UserError("wrong", exitCode: .locked, hints: ["wait"]).rendered(program: "x") == "x: error: wrong\n  wait")
  }

  @Test func placeWithoutASourceLineHasNoCaret() {
    let diagnostic = Diagnostic(.note, "odd", at: SourceLocation(file: "a.yaml", line: 1, column: 1))
    #expect(diagnostic.rendered() == "a.yaml:1:1: note: odd")
  }

  @Test(arguments: [
    ("\tk: x", 5, "\t   ^"),  // a tab stays a tab
    ("名前: x", 5, "      ^"),  // wide characters take two cells
    ("e\u{301}a: x", 5, "   ^"),  // a combining mark takes none
    ("abc", 4, "   ^"),  // just behind the line's end
    ("abc", 99, "   ^"),  // further behind it
  ])
  func caretStandsUnderThePlace(_ line: String, _ column: Int, _ caret: String) {
    #expect(located(line, column).rendered().split(separator: "\n")[2] == "  " + caret)
  }

  @Test func longLineIsCutAroundThePlace() {
    let line = String(repeating: "a", count: 5000) + "!" + String(repeating: "b", count: 5000)
    let lines = located(line, 5001).rendered().split(separator: "\n")
    #expect(lines[1].count < 200 && lines[1].hasPrefix("  …a") && lines[1].hasSuffix("b…"))
    #expect(lines[1].distance(from: lines[1].startIndex, to: lines[1].firstIndex(of: "!")!) == lines[2].count - 1)
    #expect(lines[2].last == "^")
  }

  @Test func colorOnlyWhereAsked() {
    let diagnostic = located("x", 1)
    #expect(!diagnostic.rendered().contains("\u{1B}"))
    #expect(diagnostic.rendered(color: true).contains("\u{1B}[1;31merror:\u{1B}[0m"))
  }

  @Test func controlCharactersOfTheInputNeverReachTheTerminal() {
    let diagnostic = Diagnostic(.error, "no '\u{1B}[2J'", at: SourceLocation(file: "a\u{1B}c", line: 1, column: 1), sourceLine: "\u{9B}x", hints: ["\u{7}"])
    #expect(diagnostic.rendered().unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
  }
}

@Suite struct NearestNameTests {
  static let known = ["model.depth", "model.base_filters", "train.epochs", "train.fine_tune.epochs", "seed"]

  @Test(arguments: [
    ("model.dpeth", "model.depth"), ("model.Depth", "model.depth"), ("sed", "seed"), ("depth", "model.depth"), ("epochs", "train.epochs"),
    ("model.base_filter", "model.base_filters"), ("zzz", nil), ("", nil), (String(repeating: "a", count: 81), nil),
  ])
  func nearest(_ name: String, _ expected: String?) { #expect(nearestName(to: name, in: Self.known) == expected) }

  @Test(arguments: [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("unet+", "unet++", 1)])
  func distance(_ a: String, _ b: String, _ expected: Int) { #expect(editDistance(a, b) == expected) }
}
