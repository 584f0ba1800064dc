import OrderedCollections

/// The JSON Schema of a spec, made from the key table and the vocabularies (draft 7, which yaml-language-server reads): `runner schema`.
public func jsonSchema() -> String {
  var definitions: [(String, JSON)] = []
  for key in KeyTable.keys { definitions.append((key.name, key.schema)) }
  for key in KeyTable.keys { definitions.append(("list-of-" + key.name, key.listSchema)) }
  for key in KeyTable.keys { definitions.append(("some-" + key.name, .any([.reference(key.name), .reference("list-of-" + key.name)]))) }
  for kind in ["", "list-of-", "some-"] {
    for group in Vocabulary.include.groups { definitions.append((kind + group, mapping(.include, under: group + ".") { .reference(kind + $0) })) }
  }
  definitions += [
    ("axes", mapping(.include, mayBeEmpty: true) { .reference("list-of-" + $0) }), ("metric", .strings(ReportSettings.metrics)), ("trial", trialSchema),
    ("point", mapping(.include) { .reference($0) }), ("reference", .strings(KeyTable.keys.map { "${\($0.name)}" })),
    ("range", rangeSchema), ("range-of-numbers", rangeSchema.and("oneOf", .array([.requiring("step"), .requiring("factor")]))),
    ("condition", mapping(.exclude) { $0 == "trial" ? trialName : .reference("some-" + $0) }.filled),
    ("conditional", conditionalSchema), ("published", publishedSchema), ("claim", claimSchema),
  ]
  let schema = JSON.object([
    ("$schema", .string("http://json-schema.org/draft-07/schema#")), ("title", .string("Experiment")),
    ("description", .string("A segmentation experiment. Nested mappings and dotted keys are the same thing.")),
  ]).and(specSchema).and("definitions", .object(definitions))
  return schema.text() + "\n"
}

/// A mapping that gives a vocabulary's keys: whole (`train.fine_tune.epochs`), or in groups at any point (`train.fine_tune: {epochs: …}`).
///
/// - Parameters:
///   - prefix: of the keys, where the mapping is a group; a group may be empty.
///   - schema: what stands for a key or a group; nil for a group whose keys are written out.
private func mapping(_ vocabulary: Vocabulary, under prefix: String = "", mayBeEmpty: Bool = false, _ schema: (String) -> JSON?) -> JSON {
  precondition(prefix.isEmpty || vocabulary.groups.contains(String(prefix.dropLast())), "the schema says nothing of '\(prefix.dropLast())'")
  let properties = vocabulary.names(under: prefix).map { name in
    (String(name.dropFirst(prefix.count)), schema(name) ?? mapping(vocabulary, under: name + ".", schema))
  }
  let type = mayBeEmpty || !prefix.isEmpty ? JSON.array(["object", "null"].map(JSON.string)) : .string("object")
  return .object([("type", type), ("properties", .object(properties)), ("additionalProperties", .raw("false"))])
}

// MARK: What is no setting

private let trialName = JSON.text("A trial's name.", atMost: SpecDocument.longestName)

private func experimentName(_ description: String) -> JSON {
  .text(description, atMost: SpecDocument.longestExperimentName).and("pattern", .string("^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"))
}

/// A base has no name of its own, so the schema asks for none: `validate` does.
private var specSchema: JSON {
  let others: [String: JSON] = [
    "name": experimentName("Names the results folder."), "title": .text("The report's title."),
    "extends": .text("A base, relative to this file; what stands here wins, lists replace."),
    "reuse": .list(of: experimentName("An experiment whose finished trials, where they are the same, need not be run again.")),
    "trials": .list(of: .reference("trial"), [("minItems", "1")]),
    "sweep.include": .list(of: .reference("point")), "sweep.exclude": .list(of: .reference("condition")), "sweep.when": .list(of: .reference("conditional")),
    "sweep.expect": .number([("minimum", "1")], type: "integer"),
    "report.rows": .list(of: .reference("metric")), "report.columns": .strings(["trial"]), "report.published": .list(of: .reference("published")),
    "report.claims": .list(of: .reference("claim")), "report.figure_images": .list(of: .text("A test image's id.")),
    "report.remark": .text("Shown under the report's title; each line is a paragraph."),
  ]
  let slurm = Dictionary(uniqueKeysWithValues: SlurmKey.allCases.map { ("slurm.\($0.rawValue)", $0.schema) })
  return mapping(.spec) { name in
    for axes in ["sweep.grid", "sweep.zip"] {
      if name == axes { return .reference("axes") }
      if name.hasPrefix(axes + ".") { return .reference("list-of-" + name.dropFirst(axes.count + 1)) }
    }
    if Vocabulary.include.holds(name) { return .reference(name) }
    let key = Vocabulary.spec.aliases[name] ?? name
    return others[key] ?? slurm[key]
  }
}

private var trialSchema: JSON {
  mapping(.trial) { $0 == "name" ? .text("The report's column; sweeps may add to it.", atMost: SpecDocument.longestName) : .reference($0) }
    .and(.requiring("name"))
}

private var conditionalSchema: JSON {
  mapping(.when) { name in
    switch name {
    case "if": .reference("condition")
    case "if.trial": trialName
    case "set": mapping(.include) { .reference("some-" + $0) }.filled
    default: .reference("some-" + name.drop { $0 != "." }.dropFirst())
    }
  }.and("allOf", .array([.naming("if"), .naming("set")]))
}

private var rangeSchema: JSON {
  mapping(.range) { name in
    switch name {
    case "step": .number([("exclusiveMinimum", "0")])
    case "factor": .number([("exclusiveMinimum", "1")])
    default: .number()
    }
  }.and(.requiring("from", "to")).and(.not(.requiring("step", "factor")))
}

private var publishedSchema: JSON {
  let scores = Set(ReportSettings.imageMetrics + ReportSettings.imageMetrics.map { $0 + "_sd" })
  return mapping(.published) { name in
    switch name {
    case "trial": trialName
    case "source": .text("Where the numbers are printed.")
    case "tolerance": nil
    case _ where name.hasPrefix("tolerance."): .number([("minimum", "0")])
    default: scores.contains(name) ? .number([("minimum", "0"), ("maximum", "1")]) : .number()
    }
  }.and(.requiring("trial"))
}

private var claimSchema: JSON {
  let number = JSON.number([("minimum", "0")])
  let by = JSON.any([number, .pair(of: number)]), within = JSON.number([("exclusiveMinimum", "0")])
  func margin(_ group: String, _ size: JSON, _ description: String) -> JSON {
    mapping(.claim, under: group + ".") { _ in size }.filled.and("maxProperties", .raw("1")).and("description", .string(description))
  }
  // A margin of its own kind: `alike` has one, the others may.
  let relations = Claim.Relation.allCases.map { relation in
    JSON.requiring(relation.rawValue).and("allOf", .array(relation == .alike ? [.naming("within"), .not(.naming("by"))] : [.not(.naming("within"))]))
  }
  return mapping(.claim) { name in
    switch name {
    case "claim": .text("The paper's sentence.")
    case "metric": .reference("metric")
    case "test": .strings(ReportSettings.tests)
    case "by": margin(name, by, "More than this, or between two numbers.")
    case "within": margin(name, within, "At most this, either way.")
    case _ where name.hasPrefix("by."): by
    case _ where name.hasPrefix("within."): within
    default: .pair(of: .text("A trial's name, and another's or a number."))
    }
  }.and(.requiring("claim", "metric")).and("oneOf", .array(relations))
}

extension SlurmKey {
  fileprivate var schema: JSON {
    let schema: JSON =
      switch form {
      // A pattern holds for text alone, so what stands there unquoted is told by its type.
      case .word(let pattern, _):
        .object([
          ("type", takes("true") ? JSON.textTypes : .array(["string", "integer"].map(JSON.string))), ("pattern", .string("^(\(pattern))$")),
          ("minimum", .raw(takes("0") ? "0" : "1")),
        ])
      case .integer(let range): .integer(range)
      case .options:
        .list(of: .object([("type", .string("string")), ("pattern", .string("^--(?!(\(SlurmSettings.refused.joined(separator: "|")))(=| |$))."))]))
      }
    return schema.and("description", .string("\(summary) Accepted: \(accepted)."))
  }
}

// MARK: Settings

extension Key {
  /// A value, or a reference to another key; choices refer to keys of the same choices alone.
  fileprivate var schema: JSON {
    let value: JSON =
      switch accepted {
      case .integer(let range): .integer(range)
      case .number(let interval):
        .number(
          [(interval.excludesLower ? "exclusiveMinimum" : "minimum", canonicalText(interval.lower))]
            + (interval.upper.isFinite ? [(interval.excludesUpper ? "exclusiveMaximum" : "maximum", canonicalText(interval.upper))] : []))
      case .choice(let choices): .strings(choices + KeyTable.keys.filter { $0.name != name && $0.accepted == accepted }.map { "${\($0.name)}" })
      case .oneOf(let choices): .object([("enum", .array(choices.map { .raw(String($0)) }))])
      case .text: .object([("type", JSON.textTypes)])
      }
    var schema = value
    switch accepted {
    case .integer, .number, .oneOf: schema = .any([value, .reference("reference")])
    case .choice, .text: break
    }
    let standard = defaultValue(KeyTable.blank)
    // A default that depends on the network is told, not given: an editor would fill in the wrong one.
    if let because = standard.because { return schema.and("description", .string("\(summary) Default: \(because).")) }
    schema = schema.and("description", .string(summary))
    return isRequired ? schema : schema.and("default", standard.value.json)
  }

  /// The values that a sweep goes through.
  fileprivate var listSchema: JSON {
    let list = JSON.list(of: .reference(name), [("minItems", "1"), ("uniqueItems", "true")])
    return switch accepted {
    case .integer: .any([list, .reference("range")])
    case .number: .any([list, .reference("range-of-numbers")])
    case .choice, .oneOf, .text: list
    }
  }
}

extension KeyValue {
  fileprivate var json: JSON { if case .text(let text) = self { .string(text) } else { .raw(text) } }
}
