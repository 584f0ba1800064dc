import Diagnostics
import OrderedCollections

/// Turns a checked document into trials: points of the sweep, defaults, checks between keys, settings without effect.
struct Resolver {
  let document: SpecDocument
  /// False where a base could not be read: what is missing may stand there.
  let isComplete: Bool
  let overrides: Settings
  let findings: Findings

  /// One trial's settings, and for each key the layer its value comes from.
  private struct Resolved {
    var settings = KeyTable.blank
    var origins: [String: ValueOrigin] = [:]
    /// Keys whose value was refused: nothing that depends on them is judged.
    var refused: Set<String> = []
    /// How late a key's value was laid on: of two keys that do not go together, the later one is at fault.
    var layer: [String: Int] = [:]
    /// Settings that a file or the command line gives without effect, and why.
    var idle: [String: (origin: ValueOrigin, reason: String)] = [:]
  }

  /// One place's word on one key; it may reach many trials.
  private struct Given: Hashable {
    var key: String
    var origin: ValueOrigin
  }

  /// All trials in the report's order, and notes on what is without effect.
  func trials() -> (trials: [Trial], notes: [Diagnostic]) {
    let points = sweepPoints()
    var trials: OrderedDictionary<String, Trial> = [:]  // by name and seed
    var notes: [Diagnostic] = []
    var idle: OrderedDictionary<Given, String> = [:]
    var atWork: Set<Given> = []

    for named in namedTrials() {
      var coinciding = 0
      var reasons: OrderedSet<String> = []
      var own: Set<TrialSettings> = []
      for point in points {
        let resolved = resolve([document.settings, named.settings, point, overrides], of: named)
        for (key, origin) in resolved.origins where resolved.idle[key] == nil { atWork.insert(Given(key: key, origin: origin)) }
        for key in KeyTable.keys { if let found = resolved.idle[key.name] { idle[Given(key: key.name, origin: found.origin)] = found.reason } }
        let name = pointName(named.name.value, point, resolved)
        if isExcluded(resolved, of: named.name.value) { continue }
        if resolved.refused.isEmpty, !own.insert(resolved.settings).inserted {
          coinciding += 1
          for setting in point.values { if let found = resolved.idle[setting.key.name] { reasons.append("\(setting.key.name) has no effect \(found.reason)") } }
          continue
        }
        let trial = Trial(name: name, settings: resolved.settings, origins: resolved.origins)
        if trials.updateValue(trial, forKey: "\(name)\n\(resolved.settings.seed)") != nil, resolved.refused.isEmpty {
          findings.error("two trials are named '\(name)'", at: named.name.location, hints: ["a trial's name and seed tell it from the others"])
        }
      }
      if coinciding > 0 {
        let why = reasons.isEmpty ? "" : " (\(reasons.joined(separator: "; ")))"
        let left = own.count == 1 ? "one trial" : "\(own.count) trials"
        notes.append(
          findings.diagnostic(.note, "\(own.count + coinciding) points of the sweep are \(left) for '\(named.name.value)'\(why)", at: named.name.location))
      }
    }
    notes += idleNotes(idle.filter { !atWork.contains($0.key) })
    notes += overruledAxes()
    checkCount(trials.count)
    return (Array(trials.values), notes)
  }

  func report(_ trials: [Trial]) -> ReportSettings {
    document.report.settings(trials: isComplete ? OrderedSet(trials.map(\.name)) : nil, findings)
  }

  /// The trials by name; a spec without any is one, with the experiment's name.
  private func namedTrials() -> [SpecDocument.NamedTrial] {
    document.trials ?? [.init(name: document.name ?? Located(value: "", location: document.location), settings: [:])]
  }

  // MARK: One trial

  private func resolve(_ layers: [Settings], of named: SpecDocument.NamedTrial) -> Resolved {
    var resolved = Resolved()
    for key in KeyTable.keys {
      let standard = key.defaultValue(resolved.settings)
      key.write(&resolved.settings, standard.value)
      resolved.origins[key.name] = .defaulted(because: standard.because)
      if let index = layers.lastIndex(where: { $0[key.name] != nil }), let setting = layers[index][key.name] {
        resolved.layer[key.name] = index
        resolved.origins[key.name] = setting.origin
        if let value = setting.value { key.write(&resolved.settings, value) } else { resolved.refused.insert(key.name) }
      } else if key.isRequired {
        resolved.refused.insert(key.name)
        if isComplete { findings.error("trial '\(named.name.value)' has no \(key.name)", at: named.name.location, hints: ["accepted: " + key.accepted.description]) }
      }
    }
    checkTogether(resolved)
    putDefaultsWhereIdle(&resolved)
    return resolved
  }

  /// A setting without effect goes back to its default, so that trials that compute the same thing are the same.
  private func putDefaultsWhereIdle(_ resolved: inout Resolved) {
    guard resolved.refused.isEmpty else { return }
    let given = resolved.settings
    for key in KeyTable.keys {
      guard let reason = key.withoutEffect(in: given) else { continue }
      let standard = key.defaultValue(given)
      if let origin = resolved.origins[key.name], resolved.layer[key.name] != nil {
        resolved.idle[key.name] = (origin, reason)
        resolved.origins[key.name] = .defaulted(because: "without effect \(reason)")
      }
      key.write(&resolved.settings, standard.value)
    }
  }

  private func checkTogether(_ resolved: Resolved) {
    let (size, depth) = (resolved.settings.patches.size, resolved.settings.model.depth)
    if resolved.refused.isDisjoint(with: ["patches.size", "model.depth"]), size % (1 << (depth - 1)) != 0 {
      let culprit = (resolved.layer["patches.size"] ?? -1) >= (resolved.layer["model.depth"] ?? -1) ? "patches.size" : "model.depth"
      let prefix = if case .commandLine = resolved.origins[culprit] { "--set \(culprit): " } else { "" }
      findings.error(
        "\(prefix)patches of \(size) pixels cannot be halved \(depth == 2 ? "once" : "\(depth - 1) times"), as model.depth \(depth) needs", at: resolved.origins[culprit]!,
        hints: ["accepted: a patches.size divisible by \(1 << (depth - 1))"])
    }
  }

  // MARK: The sweep

  /// One point: what it sets, in the spec's order.
  private func sweepPoints() -> [Settings] {
    var points: [Settings] = [[:]]
    let zip = document.zip.filter { overrides[$0.key] == nil }, grid = document.grid.filter { overrides[$0.key] == nil }
    for (key, axis) in zip where document.grid[key] != nil {
      findings.error("'\(key)' is in sweep.grid and in sweep.zip", at: axis.location)
    }
    let counts = zip.values.map(\.values.count)
    if let first = zip.elements.first, let odd = zip.elements.first(where: { $0.value.values.count != first.value.values.count }) {
      findings.error(
        "sweep.zip goes through its lists together: '\(odd.key)' has \(odd.value.values.count) values, '\(first.key)' has \(first.value.values.count)",
        at: odd.value.location)
    }
    let product = (zip.isEmpty ? 1 : counts.min()!, grid.values.map(\.values.count))
    let total = (product.1.reduce(Double(product.0)) { $0 * Double($1) } + Double(document.include?.count ?? 0)) * Double(namedTrials().count)
    if total > 10_000 {
      findings.error("the spec makes \(canonicalText(total)) trials: more than 10000", at: (grid.values.first ?? zip.values.first)?.location ?? document.location)
      return points
    }
    if !zip.isEmpty {
      points = (0..<product.0).map { i in Settings(uniqueKeysWithValues: zip.elements.map { ($0.key, $0.value.values[i]) }) }
    }
    for (key, axis) in grid.elements {
      points = points.flatMap { point in axis.values.map { value in point.merging([key: value]) { $1 } } }
    }
    // Without axes, what is included stands beside the trials as they are.
    return points + (document.include ?? [])
  }

  /// Seeds share the trial's name; every other key with an effect is told in it.
  private func pointName(_ name: String, _ point: Settings, _ resolved: Resolved) -> String {
    point.values.reduce(into: name) { name, setting in
      guard setting.key.name != "seed", resolved.idle[setting.key.name] == nil, overrides[setting.key.name] == nil, let value = setting.value else { return }
      name += " \(setting.key.name)=\(value.text)"
    }
  }

  private func isExcluded(_ resolved: Resolved, of name: String) -> Bool {
    (document.exclude ?? []).contains { exclusion in
      (exclusion.trial.map { $0.value == name } ?? true) && exclusion.settings.values.allSatisfy { $0.value == $0.key.read(resolved.settings) }
        && !(exclusion.trial == nil && exclusion.settings.isEmpty)
    }
  }

  private func checkCount(_ count: Int) {
    if count == 0, findings.errors.isEmpty { findings.error("the sweep leaves no trial", at: document.exclude?.first?.location ?? document.location) }
    // What `--set` fixes, the sweep no longer goes through: the count was for the file as it stands.
    guard let expect = document.expect, expect.value != count, findings.errors.isEmpty, sweptAndSet.isEmpty else { return }
    findings.error("the spec makes \(count) trials, not \(expect.value)", at: expect.location)
  }

  // MARK: Notes

  private var sweptAndSet: [(key: String, axis: SpecDocument.Axis)] {
    (Array(document.grid.elements) + Array(document.zip.elements)).filter { overrides[$0.key] != nil }.map { ($0.key, $0.value) }
  }

  private func overruledAxes() -> [Diagnostic] {
    sweptAndSet.map { findings.diagnostic(.note, "--set \($0.key) takes the place of this sweep", at: $0.axis.location) }
  }

  /// Bases are written for many specs: what one of them says in vain is not worth a note.
  private func idleNotes(_ idle: OrderedDictionary<Given, String>) -> [Diagnostic] {
    idle.compactMap { given, reason in
      switch given.origin {
      case .file(let place) where place.file == document.location.file:
        findings.diagnostic(.note, "\(given.key) has no effect \(reason)", at: place)
      case .commandLine: findings.diagnostic(.note, "--set \(given.key) has no effect \(reason)", at: nil)
      default: nil
      }
    }
  }
}
