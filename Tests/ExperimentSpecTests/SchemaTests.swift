import Diagnostics
import Testing

@testable import ExperimentSpec

/// The JSON Schema says of a spec what the parser says, as far as one file by itself can tell.
@Suite struct SchemaTests {
  static let schema = try! YAMLReader.read(SourceFile(path: "schema", bytes: Array(jsonSchema().utf8))).root

  private static func claim(_ text: String) -> String { "report.claims: [{claim: c, metric: average_iou, \(text)}]" }
  private static func published(_ text: String) -> String { "report.published: [{trial: r, average_iou: 0.5, \(text)}]" }

  private static let right = [
    "title: r", "name: 5", "title: 2020", "title: true", "remark: 5", "report.remark: 5.5", "trials: [{name: 16}]", "reuse: [5]", "reuse: []",
    "report.figure_images: [5]", "slurm.partition: 5", published("source: 1"),
    // Keys in groups, whole, and in parts
    "sweep.grid.seed: [1, 2]", "sweep.zip.seed: [1, 2]", "sweep: {grid.seed: [1, 2]}", "sweep.grid: {train.fine_tune: {epochs: [1, 2]}}",
    "sweep: {grid.train.fine_tune: {epochs: [1, 2]}}", "train: {fine_tune.epochs: 1}", "report: {table.rows: [average_iou]}", "report: {columns: trial}",
    "report.columns: trial", "report.table: {rows: [average_iou]}", "report.table.columns: trial", "slurm.cpus: 5", "trials: [{name: r, train.fine_tune: {epochs: 1}}]",
    "sweep.when: [{if.model.architecture: unet, set.seed: [1, 2]}]", "sweep.when: [{if.trial: r, set: {model: {depth: 4}}}]",
    "sweep: {grid.seed: [1, 2], exclude: [{seed: 2, model: {depth: [4, 5]}}]}", published("tolerance.average_iou: 0.1"), claim("greater: [r, 0.5], by.points: 2"),
    "model:", "sweep:", "sweep.grid:", "sweep: {grid: }", "report:", "slurm:",
    // Values
    "train.epochs: 5.0", "train.epochs: 1e2", "evaluate.connectivity: 4.0", "sweep.expect: 1.0", "slurm.cpus: 8.0", "model.l2: 1", "data.root: true", "data.root: \"\"",
    "train.epochs: ${model.depth}", "sweep.grid.seed: {from: 1, to: 3}", "sweep.grid.model.l2: {from: 1, to: 4, factor: 2}", "sweep.include: []",
    claim("greater: [r, 0.5]"), claim("less: [r, 0.5], by: {absolute: [0.1, 0.2]}"), claim("alike: [r, 0.5], within: {per_cent: 5}"), published("tolerance: {}"),
    "slurm.time: 0", "slurm.time: 2-12:30", "slurm.memory: 4G", "slurm.memory: 4000", "slurm.options: [--account=lab, --mem-bind=local]",
  ]

  private static let wrong = [
    "name: \(String(repeating: "a", count: 101))", "name: .a", "name: a/b", "title: \"\"", "title:", "remark: \"\"", "trials: [{name: \"\"}]", "trials: []",
    "trials: [{model.depth: 4}]", "trials: [{name: \(String(repeating: "a", count: 1001))}]", "trials: {}", "reuse: [a/b]", "reuse: a", "titel: r", "model: 5",
    "train.epochs: 5.5", "train.epochs: 0", "train.epochs: \"5\"", "model.dropout: 1", "evaluate.connectivity: 6", "model.upsampling: linear",
    "model.upsampling: ${model.architecture}", "seed: ${sede}", "sweep.grid.seed: 5", "sweep.grid.seed: []", "sweep.grid.seed: [1, 1.0]",
    "sweep.grid.seed: {from: 1, to: 2, step: 1, factor: 2}", "sweep.grid.seed: {from: 1}", "sweep.grid.seed: {from: 1, to: 2, step: 0}",
    "sweep.grid.model.l2: {from: 0, to: 1}", "sweep.grid.model.upsampling: {from: 1, to: 2}", "sweep.exclude: [{}]", "sweep.when: [{if: {seed: 1}, set: {}}]",
    "sweep.when: [{if: {}, set: {seed: 1}}]", "sweep.when: [{set.seed: 1}]", "sweep.when: [{if.seed: 1}]", "sweep.expect: 0", "report.rows: [iou]",
    "report.table.columns: seed", published("tolerance: {average_iou: -1}"), published("tolerance: {average_iou_sd: 0.1}, average_iou_sd: 0.1"),
    published("gpu_ms_per_patch: 15, tolerance.gpu_ms_per_patch: 1"), "report.published: [{trial: r, average_iou: 60}]", "report.published: [{average_iou: 0.6}]",
    claim("test: exact"), claim("greater: [r, 0.5], less: [r, 0.5]"), claim("greater: [r]"), claim("alike: [r, 0.5]"), claim("alike: [r, 0.5], within: {points: 0}"),
    claim("alike: [r, 0.5], by: {points: 1}"), claim("greater: [r, 0.5], within.points: 1"), claim("greater: [r, 0.5], by: {points: 1, absolute: 2}"),
    claim("greater: [r, 0.5], by: {points: -1}"), "report.claims: [{claim: c, greater: [r, 0.5]}]",
    "slurm.time: soon", "slurm.time: 1:3", "slurm.memory: 4 GB", "slurm.memory: 0", "slurm.cpus: 0", "slurm.grace: 5", "slurm.partition: two words",
    "slurm.options: [-A lab]", "slurm.options: [--array=1]", "slurm.options: [--mem=4G]", "slurm.options: --account=lab",
  ]

  @Test(arguments: right.map { ($0, true) } + wrong.map { ($0, false) }) func parserAndSchemaAgree(_ text: String, _ isRight: Bool) throws {
    let spec = "model.architecture: unet\n\(text.hasPrefix("name:") ? "" : "name: r\n")\(text)\n"
    let folder = try SpecFolder(["a.yaml": spec])
    let said = DiagnosticGoldenTests.diagnostics(folder.url.appending(path: "a.yaml").path)
    #expect((said.code == .done) == isRight, "\(said.text)")
    #expect(Self.accepts(try YAMLReader.read(SourceFile(path: "x", bytes: Array(spec.utf8))).root, Self.schema) == isRight)
  }

  /// Each key can be given whole and in groups at any point, as the parser takes it.
  @Test(arguments: [
    (.spec, nil), (.trial, "trial"), (.include, "point"), (.exclude, "condition"), (.when, "conditional"), (.range, "range"), (.published, "published"), (.claim, "claim"),
  ] as [(Vocabulary, String?)]) func everySpellingIsInTheSchema(_ vocabulary: Vocabulary, _ definition: String?) throws {
    func lacks(_ parts: [Substring], _ schema: Node) -> [String] {
      (1...parts.count).flatMap { count in
        let name = parts[..<count].joined(separator: ".")
        guard let found = Self.resolved(schema)["properties"]?[name] else { return [name] }
        return count == parts.count ? [] : lacks(Array(parts[count...]), found).map { "\(name): \($0)" }
      }
    }
    let schema = try #require(definition.map { Self.schema["definitions"]?[$0] } ?? Self.schema)
    for key in Array(vocabulary.keys) + vocabulary.aliases.keys { #expect(lacks(key.split(separator: "."), schema) == []) }
  }

  // MARK: As much of JSON Schema (draft 7) as the spec's schema says; JSON is YAML

  private static func resolved(_ schema: Node) -> Node {
    guard let name = schema["$ref"]?.scalar?.text.dropFirst("#/definitions/".count) else { return schema }
    guard let definition = Self.schema["definitions"]?[String(name)] else { preconditionFailure("no definition '\(name)'") }
    return definition
  }

  private static func accepts(_ node: Node, _ schema: Node) -> Bool {
    let schema = resolved(schema)
    return schema.mapping!.allSatisfy { holds($0.key, $0.value, node, schema) }
  }

  private static func holds(_ keyword: String, _ value: Node, _ node: Node, _ schema: Node) -> Bool {
    let text: String? = if case .text(let text)? = node.scalar?.typed { text } else { nil }
    func count(_ count: Int?, _ fits: (Double, Double) -> Bool) -> Bool { bound(count.map(Double.init), fits) }
    func bound(_ number: Double?, _ fits: (Double, Double) -> Bool) -> Bool { number.map { fits($0, value.scalar!.number!) } ?? true }
    switch keyword {
    case "$schema", "title", "description", "default", "definitions": return true
    case "type": return (value.sequence ?? [value]).contains { isOf($0.scalar!.text, node) }
    case "enum": return value.sequence!.contains { $0.scalar!.number.map { $0 == node.scalar?.number } ?? ($0.scalar!.typed == node.scalar?.typed) }
    case "anyOf": return value.sequence!.contains { accepts(node, $0) }
    case "allOf": return value.sequence!.allSatisfy { accepts(node, $0) }
    case "oneOf": return value.sequence!.count { accepts(node, $0) } == 1
    case "not": return !accepts(node, value)
    case "required": return node.mapping == nil || value.sequence!.allSatisfy { node[$0.scalar!.text] != nil }
    case "properties": return (node.mapping ?? []).allSatisfy { entry in value[entry.key].map { accepts(entry.value, $0) } ?? true }
    case "additionalProperties": return (node.mapping ?? []).allSatisfy { schema["properties"]?[$0.key] != nil }
    case "propertyNames":
      return (node.mapping ?? []).allSatisfy { accepts(Node(content: .scalar(Scalar($0.key, style: .quoted)), location: $0.keyLocation), value) }
    case "items": return (node.sequence ?? []).allSatisfy { accepts($0, value) }
    case "uniqueItems": return Set((node.sequence ?? []).map { $0.scalar?.number.map(canonicalText) ?? $0.scalar?.text }).count == (node.sequence ?? []).count
    case "pattern": return text.map { $0.firstMatch(of: try! Regex(value.scalar!.text)) != nil } ?? true
    case "minimum": return bound(node.scalar?.number, >=)
    case "maximum": return bound(node.scalar?.number, <=)
    case "exclusiveMinimum": return bound(node.scalar?.number, >)
    case "exclusiveMaximum": return bound(node.scalar?.number, <)
    case "minLength": return count(text?.unicodeScalars.count, >=)
    case "maxLength": return count(text?.unicodeScalars.count, <=)
    case "minItems": return count(node.sequence?.count, >=)
    case "maxItems": return count(node.sequence?.count, <=)
    case "minProperties": return count(node.mapping?.count, >=)
    case "maxProperties": return count(node.mapping?.count, <=)
    default: preconditionFailure("the schema says '\(keyword)', which is not checked here")
    }
  }

  private static func isOf(_ type: String, _ node: Node) -> Bool {
    switch (type, node.content) {
    case ("object", .mapping), ("array", .sequence): true
    case ("null", .scalar(let scalar)): scalar.typed == .null
    case ("boolean", .scalar(let scalar)): scalar.tag == "bool"
    case ("number", .scalar(let scalar)): scalar.number != nil
    case ("integer", .scalar(let scalar)): scalar.integer != nil
    case ("string", .scalar(let scalar)): scalar.tag == "str"
    default: false
    }
  }
}

extension Node {
  /// The value of a key, where this is a mapping that has it.
  fileprivate subscript(key: String) -> Node? { mapping?.first { $0.key == key }?.value }
}
