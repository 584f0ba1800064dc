import Diagnostics
import OrderedCollections

/// Turns a checked document into trials: points of the sweep, defaults, references, checks between keys, settings without effect.
struct Resolver {
  let document: SpecDocument
  /// False where a base could not be read: what is missing may stand there.
  let isComplete: Bool
  let overrides: Settings
  let findings: Findings

  /// A spec that makes more is a slip of the pen.
  static let mostTrials = 10_000
  /// Of points, each counted once more for every condition held against it: what coincides or is excluded takes its time too.
  static let mostPoints = 10 * mostTrials

  /// One trial's settings, and for each key the layer its value comes from.
  struct Resolved {
    var settings = KeyTable.blank
    var origins: [String: ValueOrigin] = [:]
    /// Keys whose value was refused: nothing that depends on them is judged.
    var refused: Set<String> = []
    /// How late a key's value was laid on: of two keys that do not go together, the later one is at fault.
    var layer: [String: Int] = [:]
    /// Settings that a file or the command line gives without effect, and why.
    var idle: [String: (origin: ValueOrigin, reason: String)] = [:]
    /// What is wrong with the trial as a whole; a point that conditions still add to may yet become right.
    var faults: [Diagnostic] = []
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
    var met = MetConditions()
    var made = 0
    var firsts: [String: Trial] = [:]  // of each name

    making: for named in namedTrials() {
      var coinciding = 0
      var reasons: OrderedSet<String> = []
      var own: Set<TrialSettings> = []
      for point in points {
        guard let reached = conditioned(point, of: named, &met, &made) else { break making }
        for point in reached {
          let resolved = resolve(point, of: named)
          for (key, origin) in resolved.origins where resolved.idle[key] == nil { atWork.insert(Given(key: key, origin: origin)) }
          for key in KeyTable.keys { if let found = resolved.idle[key.name] { idle[Given(key: key.name, origin: found.origin)] = found.reason } }
          if isExcluded(resolved, of: named, &met) { continue }
          for fault in resolved.faults { findings.add(fault) }
          if resolved.refused.isEmpty, !own.insert(resolved.settings).inserted {
            coinciding += 1
            for key in point.told { if let found = resolved.idle[key] { reasons.append("\(key) has no effect \(found.reason)") } }
            continue
          }
          let trial = Trial(name: name(of: point, named, resolved), settings: resolved.settings, origins: resolved.origins)
          if resolved.refused.isEmpty { checkName(trial, trials, &firsts, at: named.name.location) }
          trials["\(trial.name)\n\(trial.settings.seed)"] = trial
          if trials.count > Self.mostTrials {
            findings.error("the spec makes more than \(Self.mostTrials) trials", at: document.location)
            break making
          }
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
    notes += unmetConditions(met)
    checkCount(trials.count)
    return (Array(trials.values), notes)
  }

  func report(_ trials: [Trial]) -> ReportSettings {
    document.report.settings(trials: isComplete ? OrderedSet(trials.map(\.name)) : nil, findings)
  }

  /// The trials by name; a spec without any is one, with the experiment's name.
  func namedTrials() -> [SpecDocument.NamedTrial] {
    document.trials ?? [.init(name: document.name ?? Located(value: "", location: document.location), settings: [:])]
  }

  /// A trial's name and seed tell it from the others; trials of one name are one column of the report, averaged over their seeds, so
  /// nothing but the seed, and what follows it in both, may tell them apart.
  private func checkName(_ trial: Trial, _ trials: OrderedDictionary<String, Trial>, _ firsts: inout [String: Trial], at location: SourceLocation) {
    if trial.name.utf8.count > SpecDocument.longestName {
      findings.error("with what the sweep goes through, a trial's name takes more than \(SpecDocument.longestName) bytes: '\(trial.name.prefix(60))…'", at: location)
    }
    guard let other = firsts[trial.name] else {
      firsts[trial.name] = trial
      return
    }
    if trials["\(trial.name)\n\(trial.settings.seed)"] != nil {
      findings.error("two trials are named '\(trial.name)'", at: location, hints: ["a trial's name and seed tell it from the others"])
      return
    }
    let differing = zip(KeyTable.values(of: other.settings), KeyTable.values(of: trial.settings)).first {
      $0.text != $1.text && $0.key != "seed" && !(other.followsSeed($0.key) && trial.followsSeed($0.key))
    }
    if let (before, now) = differing {
      findings.error(
        "two trials are named '\(trial.name)', but \(now.key) is \(before.text) in one and \(now.text) in the other", at: location,
        hints: ["trials of one name may differ in their seed alone: the report averages over them"])
    }
  }

  // MARK: One trial

  /// The trial at a point: the experiment's settings, under the trial's, under the point's, under the command line's.
  func resolve(_ point: Point, of named: SpecDocument.NamedTrial) -> Resolved {
    let layers = [document.settings, named.settings, point.settings, overrides]
    var resolved = Resolved()
    var references: OrderedDictionary<String, String> = [:]
    for key in KeyTable.keys {
      let standard = key.defaultValue(resolved.settings)
      key.write(&resolved.settings, standard.value)
      resolved.origins[key.name] = .defaulted(because: standard.because)
      if let index = layers.lastIndex(where: { $0[key.name] != nil }), let setting = layers[index][key.name] {
        resolved.layer[key.name] = index
        resolved.origins[key.name] = setting.origin
        switch setting.content {
        case .value(let value): key.write(&resolved.settings, value)
        case .reference(let other):
          references[key.name] = other
          resolved.origins[key.name] = .reference(to: other, from: setting.origin)
        case .refused: resolved.refused.insert(key.name)
        }
      } else if key.isRequired {
        resolved.refused.insert(key.name)
        if isComplete {
          resolved.faults.append(
            findings.diagnostic(.error, "trial '\(named.name.value)' has no \(key.name)", at: named.name.location, hints: ["accepted: " + key.accepted.description]))
        }
      }
    }
    follow(references, &resolved)
    checkTogether(&resolved)
    putDefaultsWhereIdle(&resolved)
    return resolved
  }

  /// Gives every key that refers to another that one's value.
  ///
  /// No default depends on a key that can refer to another (a test sees to it), so what has been laid on before stays right.
  private func follow(_ references: OrderedDictionary<String, String>, _ resolved: inout Resolved) {
    var open = references
    while let first = open.keys.first {
      var chain = [first]
      while let next = open[chain.last!], !chain.contains(next) { chain.append(next) }
      if let next = open[chain.last!], let start = chain.firstIndex(of: next) {
        let circle = (chain[start...] + [next]).joined(separator: " → ")
        fault("\(next): references go in a circle: \(circle)", of: next, in: &resolved)
        resolved.refused.formUnion(chain)
        for key in chain { open[key] = nil }
        continue
      }
      // The chain ends in a key that has its value.
      for (name, other) in zip(chain, chain.dropFirst()).reversed() {
        open[name] = nil
        guard let key = KeyTable[name], let target = KeyTable[other] else { preconditionFailure("a reference to an unknown key was read") }
        if resolved.refused.contains(other) {
          resolved.refused.insert(name)
        } else if let value = key.accepted.value(of: Scalar(target.read(resolved.settings).text)) {
          key.write(&resolved.settings, value)
        } else {
          fault("\(name) cannot be \(target.read(resolved.settings).text), which ${\(other)} is", of: name, in: &resolved, hint: "accepted: " + key.accepted.description)
          resolved.refused.insert(name)
        }
      }
    }
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

  private func checkTogether(_ resolved: inout Resolved) {
    let settings = resolved.settings, (size, depth) = (settings.patches.size, settings.model.depth)
    check(&resolved, "patches.size", "model.depth", size % (1 << (depth - 1)) == 0,
      "patches of \(size) pixels cannot be halved \(depth == 2 ? "once" : "\(depth - 1) times"), as model.depth \(depth) needs",
      hint: "accepted: a patches.size divisible by \(1 << (depth - 1))")
    check(&resolved, "evaluate.on", "patches.split", settings.evaluate.on == .test || settings.patches.split == .image,
      "evaluate.on validation scores whole images, which a split by patch does not keep whole", hint: "set patches.split: image")
  }

  /// Of two keys whose values do not go together, the one laid on later is at fault.
  private func check(_ resolved: inout Resolved, _ first: String, _ second: String, _ fits: Bool, _ message: String, hint: String) {
    guard !fits, resolved.refused.isDisjoint(with: [first, second]) else { return }
    // A network's depth is nothing to a trial without one.
    if [first, second].contains(where: { KeyTable[$0]?.withoutEffect(in: resolved.settings) != nil }) { return }
    fault(message, of: (resolved.layer[first] ?? -1) >= (resolved.layer[second] ?? -1) ? first : second, in: &resolved, hint: hint)
  }

  private func fault(_ message: String, of key: String, in resolved: inout Resolved, hint: String? = nil) {
    let origin = resolved.origins[key]!, place = origin.location
    let prefix = if resolved.layer[key] != nil, place == nil { "--set \(key): " } else { "" }
    resolved.faults.append(findings.diagnostic(.error, prefix + message, at: place, hints: hint.map { [$0] } ?? []))
  }

  // MARK: Notes

  /// Bases are written for many specs: what one of them says in vain is not worth a note.
  private func idleNotes(_ idle: OrderedDictionary<Given, String>) -> [Diagnostic] {
    idle.compactMap { given, reason in
      guard let place = given.origin.location else { return findings.diagnostic(.note, "--set \(given.key) has no effect \(reason)", at: nil) }
      return place.file == document.location.file ? findings.diagnostic(.note, "\(given.key) has no effect \(reason)", at: place) : nil
    }
  }
}
