import Testing

@testable import ExperimentSpec

@Suite struct ScalarTests {
  /// YAML 1.2.2, §10.3.2, and what YAML 1.1 took for something else.
  @Test(arguments: [
    ("5", .integer(5)), ("+5", .integer(5)), ("-0", .integer(0)), ("007", .integer(7)), ("0x1F", .integer(31)), ("0o17", .integer(15)),
    ("1e-4", .number(1e-4)), ("1E+4", .number(1e4)), ("2.", .number(2)), (".5", .number(0.5)), ("-.5e1", .number(-5)), ("2.e3", .number(2000)),
    ("1.941e6", .number(1.941e6)), ("99999999999999999999", .number(1e20)), ("-99999999999999999999", .number(-1e20)),
    (".inf", .number(.infinity)), ("-.INF", .number(-.infinity)), ("true", .boolean(true)), ("False", .boolean(false)),
    ("", .null), ("~", .null), ("Null", .null), ("no", .text("no")), ("yes", .text("yes")), ("on", .text("on")), ("1_000", .text("1_000")),
    ("12:30", .text("12:30")), ("0b11", .text("0b11")), ("1e", .text("1e")), (".", .text(".")), ("+", .text("+")), ("-.e1", .text("-.e1")),
    ("0x", .text("0x")), ("0o8", .text("0o8")), ("nan", .text("nan")), ("1 ", .text("1 ")), ("٣", .text("٣")),
  ] as [(String, Scalar.Typed)])
  func coreSchema(_ text: String, _ typed: Scalar.Typed) { #expect(Scalar(text).typed == typed) }

  @Test func onlyPlainScalarsAreTyped() {
    #expect(Scalar("5", style: .quoted).typed == .text("5"))
    #expect(Scalar("true", style: .block).typed == .text("true"))
  }

  @Test(arguments: [
    (1e-4, "1e-4"), (5e-4, "5e-4"), (1.5e-7, "1.5e-7"), (0.001, "0.001"), (0.1, "0.1"), (20, "20"), (0, "0"), (-2.5, "-2.5"), (1.941e6, "1941000"),
    (1e7, "1e7"), (1.25e21, "1.25e21"), (-3e-5, "-3e-5"), (.leastNonzeroMagnitude, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e308"), (0.1 + 0.2, "0.30000000000000004"),
    (123456789.5, "1.234567895e8"), (0.00012345, "1.2345e-4"),
  ] as [(Double, String)])
  func canonicalNumber(_ value: Double, _ text: String) {
    #expect(canonicalText(value) == text)
    #expect(Scalar(text).typed == .number(value) || Scalar(text).typed == .integer(Int(value)))
  }

  @Test(arguments: [
    "U-Net", "U-Net+ (T.C.)", "B = 16, λ = 0", "a: b", "# c", "true", "5", "", " x", "x ", "- a", "\"q\" \\", "two\nlines\ttab", "\u{7F}\u{85}\u{2028}", "\u{FFFE}\u{FFFF}", "[a]", "*a", "null", "No",
  ]) func writtenTextReadsBack(_ text: String) throws {
    let file = try SourceFile(path: "x", bytes: Array("- {k: \(yamlText(text)), l: [\(yamlText(text))]}".utf8))
    let entries = try #require(try YAMLReader.read(file).root.sequence?.first?.mapping)
    #expect(entries[0].value.scalar?.typed == .text(text))
    #expect(entries[1].value.sequence?.first?.scalar?.typed == .text(text))
  }
}
