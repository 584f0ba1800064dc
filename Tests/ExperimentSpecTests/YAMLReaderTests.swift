import Diagnostics
import Testing

@testable import ExperimentSpec

@Suite struct YAMLReaderTests {
  private func read(_ text: String) throws -> Node { try YAMLReader.read(SourceFile(path: "x", bytes: Array(text.utf8))).root }

  /// A node as text, for comparison: `{a=1,b=[x,y]}`.
  private func flat(_ node: Node) -> String {
    switch node.content {
    case .scalar(let scalar): scalar.text
    case .sequence(let items): "[\(items.map(flat).joined(separator: ","))]"
    case .mapping(let entries): "{\(entries.map { "\($0.key)=\(flat($0.value))" }.joined(separator: ","))}"
    }
  }

  @Test func nodesKnowTheirPlace() throws {
    let root = try read("\u{FEFF}näme: x\r\nmodel:\r\n  - [a, 'b\n      c']\n")
    let entries = try #require(root.mapping)
    #expect(entries[0].value.location == SourceLocation(file: "x", line: 1, column: 7))
    #expect(entries[1].keyLocation == SourceLocation(file: "x", line: 2, column: 1))
    let item = try #require(entries[1].value.sequence?[0].sequence?[1])
    #expect(item.location == SourceLocation(file: "x", line: 3, column: 9))
    #expect(item.scalar == Scalar("b c", style: .quoted))
  }

  @Test(arguments: [
    ("a: &x {k: 1}\nb: *x", "{a={k=1},b={k=1}}"),
    ("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", "{a={k=1,l=2},b={k=3,l=2}}"),
    ("a: &x {k: 1}\nb: &y {k: 2, m: 4}\nc: {<<: [*x, *y]}", "{a={k=1},b={k=2,m=4},c={k=1,m=4}}"),
    ("a: {k: 1, <<: {k: 2, l: 5}}", "{a={k=1,l=5}}"),
    ("a: &x 1\nb: &x 2\nc: *x", "{a=1,b=2,c=2}"),
    ("a: {\"<<\": 5}", "{a={<<=5}}"),
    ("? a\n: b", "{a=b}"),
  ]) func aliasesAndMerges(_ text: String, _ expected: String) throws { #expect(flat(try read(text)) == expected) }

  @Test func tags() throws {
    #expect(try read("!!str 5").scalar?.typed == .text("5"))
    #expect(try read("! 5").scalar?.typed == .text("5"))
    #expect(try read("!!int '5'").scalar?.typed == .integer(5))
    #expect(try read("!!null ''").scalar?.typed == .null)
    for wrong in ["!!int foo", "!!int 5.5", "!!float 5", "!!bool 1", "!!null 0"] { #expect(throws: UserError.self, "\(wrong)") { try read(wrong) } }
    #expect(throws: UserError.self) { try read("!!binary aGk=") }
    #expect(throws: UserError.self) { try read("!!set {a}") }
  }

  @Test func duplicatesAreReportedAndTheFirstStays() throws {
    let (root, duplicates) = try YAMLReader.read(SourceFile(path: "x", bytes: Array("{a: 1, a: 2, b: {c: 1, c: 1}}".utf8)))
    #expect(flat(root) == "{a=1,b={c=1}}")
    #expect(duplicates.map { $0.location?.column } == [8, 24])
  }

  @Test func bounds() throws {
    func nested(_ levels: Int) -> String { String(repeating: "[", count: levels) + String(repeating: "]", count: levels) }
    #expect(throws: Never.self) { try read(nested(YAMLReader.maximumDepth)) }
    #expect(throws: UserError.self) { try read(nested(YAMLReader.maximumDepth + 1)) }
    let many = "[" + String(repeating: "a,", count: YAMLReader.maximumNodes - 1) + "]"
    #expect(throws: Never.self) { try read(many) }
    #expect(throws: UserError.self) { try read("[a," + many.dropFirst()) }
  }

  /// Long files, by what is wrong with them.
  private static let huge: [String: String] = [
    "open lists": String(repeating: "[", count: 1 << 18),
    "open mappings": String(repeating: "{a: ", count: 1 << 16),
    "unknown aliases": String(repeating: "k: *a\n", count: 1 << 15),
    "unknown keys": (0..<20_000).map { "k\($0): 1\n" }.joined(),
    "a long text, ten times": "a: &a " + String(repeating: "x", count: 1 << 18) + "\n" + (0..<10).map { "b\($0): *a\n" }.joined(),
    "a long key": String(repeating: "x", count: 1000) + ": 1\n",
    "trials out of range": "name: a\ntrials:\n" + String(repeating: "- {name: a, model.depth: 9}\n", count: 4_000),
    "a long list": "name: a\nmodel.architecture: unet\nsweep.grid.seed: \(Array(0..<60_000))\n",
    "a sweep in a sweep": "name: a\nmodel.architecture: unet\nsweep:\n  grid.seed: {from: 1, to: 9000}\n  when: [{if: {model.depth: 5}, set: {model.l2: {from: 1, to: 9000, step: 1}}}]\n",
    "many exclusions": "name: a\nmodel.architecture: unet\nsweep:\n  grid.seed: {from: 1, to: 1000}\n  exclude:\n" + String(repeating: "  - {trial: b}\n", count: 200),
    "trials of one name": "name: a\nmodel.architecture: unet\ntrials:\n" + String(repeating: "- {name: a}\n", count: 2_000),
  ]

  /// They are read within the bounds, in a time that does not grow with the square of their length, and told in no more errors than can be read.
  @Test(.timeLimit(.minutes(1)), arguments: huge.keys.sorted()) func hugeFiles(_ name: String) throws {
    let error = try #require(throws: UserError.self) { try SpecFolder(["a.yaml": Self.huge[name]!]).load() }
    #expect((1...Findings.mostErrors + 1).contains(error.diagnostics.count))
    #expect(error.rendered().utf8.count < 1 << 18)
    if name == "many exclusions" { #expect(error.rendered().contains("the sweep has too many points")) }
  }
}
