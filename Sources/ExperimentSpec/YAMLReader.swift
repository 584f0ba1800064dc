import CLibYAML
import Diagnostics

/// Reads one YAML document into located nodes, from libyaml's events.
///
/// Bounded, so that no file can exhaust the machine: nesting, and nodes after the expansion of aliases.
struct YAMLReader: ~Copyable {
  static let maximumDepth = 64
  static let maximumNodes = 100_000

  /// - Returns: the root, and the duplicate keys met on the way (the first of each pair stands in the root).
  /// - Throws: `UserError`, exit code 2, located, where the text is no YAML or breaks a bound.
  static func read(_ file: SourceFile) throws(UserError) -> (root: Node, duplicates: [Diagnostic]) {
    var reader = YAMLReader(file)
    return try reader.document()
  }

  private let file: SourceFile
  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private let input: UnsafeMutableBufferPointer<UInt8>
  private var event = yaml_event_t()
  private var anchors: [String: Measured] = [:]
  private var openAnchors: Set<String> = []
  private var nodes = 0
  private var duplicates: [Diagnostic] = []

  /// A node with what its expansion costs: all nodes in it, and its levels.
  private struct Measured {
    var node: Node
    var count = 1
    var height = 1
  }

  private init(_ file: SourceFile) {
    self.file = file
    input = .allocate(capacity: file.bytes.count)
    _ = input.initialize(from: file.bytes)
    precondition(yaml_parser_initialize(parser) == 1, "libyaml: out of memory")
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)
  }

  deinit {
    var event = event
    yaml_event_delete(&event)
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deallocate()
  }

  private mutating func document() throws(UserError) -> (root: Node, duplicates: [Diagnostic]) {
    try advance()  // stream start
    try advance()
    guard event.type == YAML_DOCUMENT_START_EVENT else {
      throw file.error("the file is empty", at: SourceLocation(file: file.path, line: 1, column: 1))
    }
    try advance()
    let root = try node(depth: 1).node
    try advance()  // document end
    try advance()
    if event.type == YAML_DOCUMENT_START_EVENT { throw file.error("a second document: one experiment a file", at: start) }
    return (root, duplicates)
  }

  /// Reads the next event, and so frees the one before.
  private mutating func advance() throws(UserError) {
    yaml_event_delete(&event)
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
  }

  private func location(_ mark: yaml_mark_t) -> SourceLocation { SourceLocation(file: file.path, line: Int(mark.line) + 1, column: Int(mark.column) + 1) }
  private var start: SourceLocation { location(event.start_mark) }

  private func syntaxError() -> UserError {
    precondition(parser.pointee.error != YAML_MEMORY_ERROR, "libyaml: out of memory")
    // libyaml places what a cut-off file lacks on a line that is not there.
    func written(_ mark: yaml_mark_t) -> SourceLocation {
      var place = location(mark)
      while place.line > 1, file.line(place.line)?.isEmpty ?? true {
        place.line -= 1
        place.column = (file.line(place.line)?.unicodeScalars.count ?? 0) + 1
      }
      return place
    }
    let place = written(parser.pointee.problem_mark)
    var message = "not valid YAML: " + String(cString: parser.pointee.problem)
    if let context = parser.pointee.context {
      message += ", \(String(cString: context))"
      let from = written(parser.pointee.context_mark)
      if from.line != place.line { message += " that begins at line \(from.line), column \(from.column)" }
    }
    let scalars = Array((file.line(place.line) ?? "").unicodeScalars)
    let isTab = scalars.indices.contains(place.column - 1) && scalars[place.column - 1] == "\t"
    let hint =
      if isTab { "a tab stands here: YAML is indented with spaces" }
      else if file.line(place.line)?.contains("${") ?? false { "inside {…} and […] a reference is written in quotes: \"${key}\"" }
      else { Self.likelyCauses.first { message.contains($0.said) }?.cause }
    return file.error(message, at: place, hints: hint.map { [$0] } ?? [])
  }

  /// What usually lies behind a message of libyaml's.
  private static let likelyCauses: [(said: String, cause: String)] = [
    ("did not find expected ',' or", "the bracket before it is not closed, or a value inside it wants quotes"),
    ("mapping values are not allowed", "a value with a colon in it wants quotes; or this line is indented further than its neighbours"),
    ("while scanning a quoted scalar", "the quotation mark is not closed"),
    ("cannot start any token", "a value that begins with @, ` or % wants quotes"),
    ("unknown escape character", "in double quotes a backslash is written twice; in single quotes, once"),
    ("did not find expected key", "this line is indented otherwise than its neighbours, or a quotation mark or bracket before it closes too early"),
    ("did not find expected '-'", "this line is indented otherwise than its neighbours, or lacks its \"- \""),
    ("could not find expected ':'", "the line before it is neither a key with its colon nor part of a value"),
  ]

  private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? { pointer.map { String(cString: $0) } }

  /// The node that the current event begins; leaves its last event as the current one.
  private mutating func node(depth: Int) throws(UserError) -> Measured {
    try bound(depth: depth, adding: 1)
    let begin = start
    switch event.type {
    case YAML_ALIAS_EVENT: return try expandAlias(depth: depth)
    case YAML_SCALAR_EVENT:
      let anchor = text(event.data.scalar.anchor)
      let scalar = try scalar()
      return remember(Measured(node: Node(content: .scalar(scalar), location: begin)), anchor)
    case YAML_SEQUENCE_START_EVENT:
      let anchor = try openCollection(event.data.sequence_start.anchor, tag: event.data.sequence_start.tag, "tag:yaml.org,2002:seq")
      return remember(try sequence(from: begin, depth: depth), anchor)
    case YAML_MAPPING_START_EVENT:
      let anchor = try openCollection(event.data.mapping_start.anchor, tag: event.data.mapping_start.tag, "tag:yaml.org,2002:map")
      return remember(try mapping(from: begin, depth: depth), anchor)
    default: preconditionFailure("libyaml's event \(event.type.rawValue) begins no node")
    }
  }

  private mutating func bound(depth: Int, adding count: Int) throws(UserError) {
    guard depth <= Self.maximumDepth else { throw file.error("nested more than \(Self.maximumDepth) levels deep", at: start) }
    nodes += count
    guard nodes <= Self.maximumNodes else {
      throw file.error("more than \(Self.maximumNodes) values after the expansion of aliases: not an experiment", at: start)
    }
  }

  private mutating func openCollection(
    _ anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?, _ expected: String
  ) throws(UserError) -> String? {
    if let tag = text(tag), tag != "!", tag != expected { throw file.error("unknown tag '\(tag)'", at: start) }
    let anchor = text(anchor)
    if let anchor { openAnchors.insert(anchor) }
    return anchor
  }

  private mutating func remember(_ measured: Measured, _ anchor: String?) -> Measured {
    if let anchor {
      openAnchors.remove(anchor)
      anchors[anchor] = measured
    }
    return measured
  }

  private mutating func expandAlias(depth: Int) throws(UserError) -> Measured {
    let name = text(event.data.alias.anchor) ?? ""
    if openAnchors.contains(name) { throw file.error("the alias '*\(name)' stands inside what it names", at: start) }
    guard let target = anchors[name] else {
      let nearest = nearestName(to: name, in: anchors.keys.sorted()).map { ["did you mean '*\($0)'?"] }
      throw file.error("no anchor '&\(name)' stands before this alias", at: start, hints: nearest ?? [])
    }
    try bound(depth: depth + target.height - 1, adding: target.count - 1)
    return target
  }

  private func scalar() throws(UserError) -> Scalar {
    let data = event.data.scalar
    let value = String(decoding: UnsafeBufferPointer(start: data.value, count: data.length), as: UTF8.self)
    let style: Scalar.Style = switch data.style {
    case YAML_PLAIN_SCALAR_STYLE: .plain
    case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
    default: .quoted
    }
    switch text(data.tag) {
    case nil: return Scalar(value, style: style)
    case "!", "tag:yaml.org,2002:str": return Scalar(value, style: .quoted)
    case let tag? where ["int", "float", "bool", "null"].contains(where: { tag == "tag:yaml.org,2002:" + $0 }):
      let scalar = Scalar(value), wanted = tag.dropFirst("tag:yaml.org,2002:".count)
      if scalar.tag != wanted { throw file.error("'\(value.prefix(60))' is no !!\(wanted)", at: start, hints: ["without the tag it is !!\(scalar.tag)"]) }
      return scalar
    case let tag?: throw file.error("unknown tag '\(tag)'", at: start)
    }
  }

  private mutating func sequence(from begin: SourceLocation, depth: Int) throws(UserError) -> Measured {
    var items: [Node] = []
    var count = 1, height = 0
    try advance()
    while event.type != YAML_SEQUENCE_END_EVENT {
      let item = try node(depth: depth + 1)
      items.append(item.node)
      (count, height) = (count + item.count, max(height, item.height))
      try advance()
    }
    return Measured(node: Node(content: .sequence(items), location: begin), count: count, height: height + 1)
  }

  private mutating func mapping(from begin: SourceLocation, depth: Int) throws(UserError) -> Measured {
    var entries: [Node.Entry] = [], merges: [Node.Entry] = []
    var places: [String: SourceLocation] = [:], merged: SourceLocation?
    var count = 1, height = 0
    try advance()
    while event.type != YAML_MAPPING_END_EVENT {
      let key = try node(depth: depth + 1)
      guard let name = key.node.scalar else { throw file.error("a key must be text, not \(key.node.described)", at: key.node.location) }
      try advance()
      let value = try node(depth: depth + 1)
      (count, height) = (count + key.count + value.count, max(height, value.height))
      if name.text == "<<", name.style == .plain {
        if let first = merged { duplicates.append(duplicateKey("<<", at: key.node.location, first: first)) }
        merged = merged ?? key.node.location
        merges += try mergedEntries(value.node)
      } else if let first = places[name.text] {
        duplicates.append(duplicateKey(name.text, at: key.node.location, first: first))
      } else {
        places[name.text] = key.node.location
        entries.append(Node.Entry(key: name.text, keyLocation: key.node.location, value: value.node))
      }
      try advance()
    }
    // What is said outright wins over what is merged, and of two merged mappings the first.
    for var entry in merges where places.updateValue(entry.keyLocation, forKey: entry.key) == nil {
      entry.merged = true
      entries.append(entry)
    }
    return Measured(node: Node(content: .mapping(entries), location: begin), count: count, height: height + 1)
  }

  private func mergedEntries(_ node: Node) throws(UserError) -> [Node.Entry] {
    if let entries = node.mapping { return entries }
    var entries: [Node.Entry] = []
    for item in node.sequence ?? [node] {
      guard let more = item.mapping else { throw file.error("a merge key '<<' takes a mapping or a list of mappings, not \(item.described)", at: item.location) }
      entries += more
    }
    return entries
  }

  private func duplicateKey(_ key: String, at place: SourceLocation, first: SourceLocation) -> Diagnostic {
    Diagnostic(.error, "duplicate key '\(key)'", at: place, sourceLine: file.line(place.line), hints: ["first at line \(first.line), column \(first.column)"])
  }
}
