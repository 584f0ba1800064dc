import Diagnostics

extension Experiment {
  /// Reads, checks and resolves an experiment file and the bases it extends.
  ///
  /// - Parameter overrides: `--set key=value`, in order; they reach every trial and win over all that stands in files.
  /// - Throws: `UserError` with every fault of the spec and its bases, by place: exit code 2; 5 where there is no such file.
  public static func load(path: String, overrides: [(key: String, value: String)] = []) throws(UserError) -> Experiment {
    let findings = Findings()
    let reader = SpecReader(findings: findings)
    let own = try document(SourceFile(path: path), reader)
    guard own.isMapping else { throw UserError(findings.errors, exitCode: .badCommandOrSpec) }
    if own.name == nil, !own.hasName {
      findings.error("missing key 'name'", at: own.location, hints: ["the name is the results folder's: results/<name>"])
    }
    let (whole, complete) = withBases(own, path: path, reader)
    var set: Settings = [:]
    for (key, value) in overrides { if let setting = reader.override(key, value) { set[key] = setting } }

    let title = whole.title ?? whole.name?.value ?? ""
    let resolver = Resolver(document: whole, isComplete: complete, overrides: set, findings: findings)
    let (trials, notes) = resolver.trials()
    let report = resolver.report(trials)
    try findings.throwIfAny()
    return Experiment(
      name: whole.name?.value ?? "", title: title, trials: trials, report: report, slurm: whole.slurm.resolved(), notes: findings.sorted(notes),
      reuse: whole.reuse ?? [], figureImagePlaces: (whole.report.figureImages ?? []).map(\.location), path: path)
  }

  private static func document(_ file: SourceFile, _ reader: SpecReader) throws(UserError) -> SpecDocument {
    reader.findings.add(file)
    let (root, duplicates) = try YAMLReader.read(file)
    for duplicate in duplicates { reader.findings.add(duplicate) }
    return reader.document(root)
  }

  /// Lays a document over its chain of bases. What is wrong with a base is found, and the rest goes on without it.
  private static func withBases(_ own: SpecDocument, path: String, _ reader: SpecReader) -> (document: SpecDocument, complete: Bool) {
    var chain = [own], paths = [normalizedPath(path)]
    while let extends = chain.last?.extends {
      let next = joinedPath(folder: folder(of: paths.last!), extends.value)
      if paths.contains(next) {
        reader.findings.error("'extends' goes in a circle: \((paths + [next]).joined(separator: " → "))", at: extends.location)
      } else if paths.count > 32 {
        // Through a link to a folder a circle has ever new names.
        reader.findings.error("'extends' goes through more than 32 files", at: extends.location)
      } else if let document = base(next, extends, reader), document.isMapping {
        chain.append(document)
        paths.append(next)
        continue
      }
      return (laidOver(chain), false)
    }
    return (laidOver(chain), true)
  }

  private static func laidOver(_ chain: [SpecDocument]) -> SpecDocument {
    chain.dropLast().reversed().reduce(chain.last!) { base, document in document.over(base) }
  }

  private static func base(_ path: String, _ extends: Located<String>, _ reader: SpecReader) -> SpecDocument? {
    do throws(UserError) {
      return try document(SourceFile(path: path), reader)
    } catch {
      for fault in error.diagnostics {
        if fault.location != nil {
          reader.findings.add(fault)
        } else {
          reader.findings.error(
            "cannot read the base: \(fault.message)", at: extends.location, hints: ["'extends' is relative to the file it stands in"])
        }
      }
      return nil
    }
  }
}

// MARK: Paths, by their text alone: what a diagnostic prints must be what the user wrote

/// Without `.`, and without `x/..`.
func normalizedPath(_ path: String) -> String {
  var parts: [Substring] = []
  for part in path.split(separator: "/") where part != "." {
    if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
  }
  let joined = (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
  return joined.isEmpty && !path.isEmpty ? "." : joined
}

func folder(of path: String) -> String { path.lastIndex(of: "/").map { String(path[..<path.index(after: $0)]) } ?? "" }

func joinedPath(folder: String, _ path: String) -> String { normalizedPath(path.hasPrefix("/") ? path : folder + path) }

/// `file` as seen from the folder of `spec`; its last part alone where that would need an absolute path.
func relativePath(_ file: String, from spec: String) -> String {
  let from = folder(of: normalizedPath(spec)).split(separator: "/"), to = normalizedPath(file).split(separator: "/")
  guard let name = to.last, spec.hasPrefix("/") == file.hasPrefix("/") else { return to.last.map(String.init) ?? file }
  var shared = 0
  while shared < from.count, shared < to.count - 1, from[shared] == to[shared] { shared += 1 }
  // Two absolute paths that part at the root share nothing: climbing there would spell the machine's folders out.
  let climbs = from.count - shared
  if from[shared...].contains("..") || (spec.hasPrefix("/") && shared == 0) { return String(name) }
  return (Array(repeating: "..", count: climbs) + to[shared...]).joined(separator: "/")
}
