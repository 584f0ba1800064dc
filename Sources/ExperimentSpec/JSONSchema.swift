import OrderedCollections

/// The JSON Schema of a spec, made from the key table (draft 7, which yaml-language-server reads): `runner schema`.
public func jsonSchema() -> String {
  var definitions: [(String, JSON)] = []
  let settings = KeyTable.keys.map(\.name)
  for key in KeyTable.keys { definitions.append((key.name, key.schema)) }
  for key in KeyTable.keys { definitions.append(("list-of-" + key.name, .any([.list(of: .reference(key.name), atLeast: 1)] + (key.hasRange ? [.reference("range")] : [])))) }
  for key in KeyTable.keys { definitions.append(("some-" + key.name, .any([.reference(key.name), .reference("list-of-" + key.name)]))) }
  for prefix in ["", "list-of-", "some-"] {
    for group in groups(settings, under: "") { definitions.append((prefix + group, .mapping(nested(settings, under: group + ".", prefix)))) }
  }
  definitions.append(("axes", .mapping(nested(settings, "list-of-"))))
  definitions.append(("metric", .strings(ReportSettings.metrics)))
  definitions.append(("trial", .mapping(nested(settings) + [("name", .text("The report's column; sweeps may add to it."))], required: ["name"])))
  definitions.append(("point", .mapping(nested(settings))))
  definitions.append(("reference", .object([("type", .string("string")), ("pattern", .string("^\\$\\{[a-z0-9_.]+\\}$")), ("description", .string("${key}: the value of another key."))])))
  definitions.append(("range", rangeSchema))
  definitions.append(("condition", .mapping(nested(settings, "some-") + [("trial", .text("A trial's name."))])))
  definitions.append(("conditional", .mapping([("if", .reference("condition")), ("set", .mapping(nested(settings, "some-")))], required: ["if", "set"])))
  definitions.append(("published", publishedSchema))
  definitions.append(("claim", claimSchema))

  let report: [(String, JSON)] = [
    ("rows", .list(of: .reference("metric"))),
    ("table", .mapping([("rows", .list(of: .reference("metric"))), ("columns", .strings(["trial"]))])),
    ("published", .list(of: .reference("published"))), ("claims", .list(of: .reference("claim"))),
    ("figure_images", .list(of: .text("A test image's id."))), ("remark", .text("Shown under the report's title.")),
  ]
  let sweep: [(String, JSON)] = [
    ("grid", .reference("axes")), ("zip", .reference("axes")), ("include", .list(of: .reference("point"))), ("exclude", .list(of: .reference("condition"))),
    ("when", .list(of: .reference("conditional"))),
    ("expect", .object([("type", .string("integer")), ("minimum", .raw("1"))])),
  ]
  let slurm = SlurmKey.allCases.map { ($0.rawValue, $0.schema) }
  let root: [(String, JSON)] = [
    ("name", .object([("type", .string("string")), ("pattern", .string("^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")), ("description", .string("Names the results folder."))])),
    ("title", .text("The report's title.")), ("remark", .text("Shown under the report's title.")),
    ("extends", .text("A base, relative to this file; what stands here wins, lists replace.")),
    ("reuse", .list(of: .text("An experiment whose finished trials, where they are the same, need not be run again."))),
    ("trials", .list(of: .reference("trial"), atLeast: 1)), ("sweep", .mapping(sweep)), ("report", .mapping(report)), ("slurm", .mapping(slurm)),
  ]
  // A base has no name of its own, so the schema asks for none: `validate` does.
  var properties = root + sweep.map { ("sweep." + $0.0, $0.1) } + report.map { ("report." + $0.0, $0.1) }
    + slurm.map { ("slurm." + $0.0, $0.1) } + nested(settings)
  properties += [("report.table.rows", .list(of: .reference("metric"))), ("report.table.columns", .strings(["trial"]))]
  let schema = JSON.object([
    ("$schema", .string("http://json-schema.org/draft-07/schema#")), ("title", .string("Experiment")),
    ("description", .string("A segmentation experiment. Nested mappings and dotted keys are the same thing.")),
    ("type", .string("object")), ("properties", .object(properties)), ("additionalProperties", .raw("false")), ("definitions", .object(definitions)),
  ])
  return schema.text() + "\n"
}

/// The properties by which a mapping can give the keys under `prefix`: whole (`train.fine_tune.epochs`), or in groups at any point
/// (`train.fine_tune: {epochs: …}`). Keys and groups are definitions, named after them behind `definition`.
private func nested(_ keys: [String], under prefix: String = "", _ definition: String = "") -> [(String, JSON)] {
  (keys.filter { $0.hasPrefix(prefix) } + groups(keys, under: prefix)).map { (String($0.dropFirst(prefix.count)), .reference(definition + $0)) }
}

/// The groups that keys under `prefix` stand in, by their whole names.
private func groups(_ keys: [String], under prefix: String) -> [String] {
  var groups: OrderedSet<String> = []
  for key in keys where key.hasPrefix(prefix) {
    let parts = key.dropFirst(prefix.count).split(separator: ".")
    for count in 1..<parts.count { groups.append(prefix + parts[..<count].joined(separator: ".")) }
  }
  return Array(groups)
}

private var rangeSchema: JSON {
  let number = JSON.object([("type", .string("number"))])
  return .mapping([("from", number), ("to", number), ("step", number), ("factor", number)], required: ["from", "to"])
}

private var publishedSchema: JSON {
  let numbers = ReportSettings.publishedNumbers.map { ($0, JSON.object([("type", .string("number"))])) }
  let fields: [(String, JSON)] = [("trial", .text("A trial's name.")), ("source", .text("Where the numbers are printed.")), ("tolerance", .mapping(numbers))]
  return .mapping(fields + numbers, required: ["trial"])
}

private var claimSchema: JSON {
  let number = JSON.object([("type", .string("number")), ("minimum", .raw("0"))])
  let range = JSON.object([("type", .string("array")), ("items", number), ("minItems", .raw("2")), ("maxItems", .raw("2"))])
  func margin(_ description: String, _ size: JSON) -> JSON {
    let units = Claim.Margin.Unit.allCases.map(\.rawValue)
    return .object([
      ("description", .string(description)), ("type", .string("object")), ("properties", .object(units.map { ($0, size) })),
      ("additionalProperties", .raw("false")), ("minProperties", .raw("1")), ("maxProperties", .raw("1")),
    ])
  }
  let sides = JSON.object([
    ("description", .string("A trial's name, and another's or a number.")), ("type", .string("array")),
    ("items", .object([("type", .array([.string("string"), .string("number")]))])), ("minItems", .raw("2")), ("maxItems", .raw("2")),
  ])
  let relations = Claim.Relation.allCases.map(\.rawValue)
  return .mapping([
    ("claim", .text("The paper's sentence.")), ("metric", .reference("metric")), ("test", .strings(ReportSettings.tests)),
    ("by", margin("More than this, or between two numbers.", .object([("anyOf", .array([number, range]))]))),
    ("within", margin("At most this, either way.", number)),
  ] + relations.map { ($0, sides) }, required: ["claim", "metric"])
}

extension SlurmKey {
  fileprivate var schema: JSON {
    let types: [(String, JSON)] =
      switch self {
      case .partition: [("type", .string("string"))]
      case .time, .memory: [("type", .array([.string("string"), .string("integer")]))]
      case .cpus: [("type", .string("integer")), ("minimum", .raw("1")), ("maximum", .raw("1024"))]
      case .grace: [("type", .string("integer")), ("minimum", .raw("10")), ("maximum", .raw("3600"))]
      case .options: [("type", .string("array")), ("items", .object([("type", .string("string")), ("pattern", .string("^--."))]))]
      }
    return .object(types + [("description", .string("\(summary) Accepted: \(accepted)."))])
  }
}

extension Key {
  fileprivate var schema: JSON {
    var fields: [(String, JSON)]
    switch accepted {
    case .integer(let range):
      fields = [("type", .string("integer")), ("minimum", .raw("\(range.lowerBound)")), ("maximum", .raw("\(range.upperBound)"))]
    case .number(let interval):
      fields = [("type", .string("number")), (interval.excludesLower ? "exclusiveMinimum" : "minimum", .raw(canonicalText(interval.lower)))]
      if interval.upper.isFinite { fields.append((interval.excludesUpper ? "exclusiveMaximum" : "maximum", .raw(canonicalText(interval.upper)))) }
    case .choice(let choices): fields = [("enum", .array(choices.map(JSON.string)))]
    case .oneOf(let choices): fields = [("enum", .array(choices.map { .raw(String($0)) }))]
    case .text: fields = [("type", .array(["string", "number", "boolean"].map(JSON.string)))]
    }
    if accepted != .text { fields = [("anyOf", .array([.object(fields), .reference("reference")]))] }
    let standard = defaultValue(KeyTable.blank)
    // A default that depends on the network is told, not given: an editor would fill in the wrong one.
    if let because = standard.because {
      fields.append(("description", .string("\(summary) Default: \(because).")))
    } else {
      fields.append(("description", .string(summary)))
      if !isRequired { fields.append(("default", standard.value.json)) }
    }
    return .object(fields)
  }
}

extension KeyValue {
  fileprivate var json: JSON { if case .text(let text) = self { .string(text) } else { .raw(text) } }
}

/// JSON in a fixed order; the one document made here needs no more.
private indirect enum JSON {
  case string(String)
  /// A number or a truth value, as written.
  case raw(String)
  case array([JSON])
  case object([(String, JSON)])

  static func reference(_ definition: String) -> JSON {
    .object([("$ref", .string("#/definitions/" + definition))])
  }
  static func text(_ description: String) -> JSON { .object([("type", .string("string")), ("description", .string(description))]) }
  static func strings(_ choices: [String]) -> JSON { .object([("enum", .array(choices.map(JSON.string)))]) }
  static func any(_ choices: [JSON]) -> JSON { choices.count == 1 ? choices[0] : .object([("anyOf", .array(choices))]) }
  static func list(of item: JSON, atLeast count: Int? = nil) -> JSON {
    .object([("type", .string("array")), ("items", item)] + (count.map { [("minItems", .raw("\($0)"))] } ?? []))
  }
  static func mapping(_ properties: [(String, JSON)], required: [String] = []) -> JSON {
    .object(
      [("type", .string("object")), ("properties", .object(properties)), ("additionalProperties", .raw("false"))]
        + (required.isEmpty ? [] : [("required", .array(required.map(JSON.string)))]))
  }

  func text(indent: String = "") -> String {
    let inner = indent + "  "
    switch self {
    case .string(let text): return Self.quoted(text)
    case .raw(let text): return text
    case .array(let items): return "[" + items.map { $0.text(indent: indent) }.joined(separator: ", ") + "]"
    case .object(let fields):
      // What fits on a line stays on it: the committed schema is read by people too.
      let line = "{" + fields.map { "\(Self.quoted($0.0)): \($0.1.text())" }.joined(separator: ", ") + "}"
      if line.count <= 110, !line.contains("\n") { return line }
      return "{\n" + fields.map { "\(inner)\(Self.quoted($0.0)): \($0.1.text(indent: inner))" }.joined(separator: ",\n") + "\n\(indent)}"
    }
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
  }
}
