import Diagnostics
import OrderedCollections

/// The points of the sweep, and the conditions on them.
extension Resolver {
  /// What a point of the sweep sets.
  struct Point {
    var settings: Settings = [:]
    /// The keys that tell it from its neighbours, and stand in the names of its trials.
    var told: OrderedSet<String> = []
  }

  /// The conditions that some trial met, by their places in the document.
  struct MetConditions {
    var when: Set<Int> = []
    var exclude: Set<Int> = []
  }

  /// The points of grid, zip and include, in the spec's order.
  func sweepPoints() -> [Point] {
    let zip = open(document.zip), grid = open(document.grid)
    for (key, axis) in zip where document.grid[key] != nil {
      findings.error("'\(key)' is in sweep.grid and in sweep.zip", at: axis.location)
    }
    let counts = zip.values.map(\.values.count)
    if let first = zip.elements.first, let odd = zip.elements.first(where: { $0.value.values.count != first.value.values.count }) {
      findings.error(
        "sweep.zip goes through its lists together: '\(odd.key)' has \(odd.value.values.count) values, '\(first.key)' has \(first.value.values.count)",
        at: odd.value.location)
    }
    let zipped = zip.isEmpty ? 1 : counts.min()!
    let total = (Self.count(grid) * Double(zipped) + Double(document.include?.count ?? 0)) * Double(namedTrials().count)
    if total > Double(Self.mostTrials) {
      findings.error(
        "the spec makes \(canonicalText(total)) trials: more than \(Self.mostTrials)", at: (grid.values.first ?? zip.values.first)?.location ?? document.location)
      return [Point()]
    }
    var points = [Point()]
    if !zip.isEmpty {
      points = (0..<zipped).map { i in Point(settings: Settings(uniqueKeysWithValues: zip.elements.map { ($0.key, $0.value.values[i]) }), told: zip.keys) }
    }
    points = points.flatMap { Self.times($0, grid) }
    // Without axes, what is included stands beside the trials as they are.
    return points + (document.include ?? []).map { Point(settings: $0, told: $0.keys) }
  }

  /// Without the axes whose place `--set` has taken.
  private func open(_ axes: OrderedDictionary<String, SpecDocument.Axis>) -> OrderedDictionary<String, SpecDocument.Axis> {
    axes.filter { overrides[$0.key] == nil }
  }

  private static func count(_ axes: OrderedDictionary<String, SpecDocument.Axis>) -> Double { axes.values.reduce(1) { $0 * Double($1.values.count) } }

  /// A point with every combination of the axes' values.
  private static func times(_ point: Point, _ axes: OrderedDictionary<String, SpecDocument.Axis>) -> [Point] {
    var points = [point]
    for (key, axis) in axes {
      points = points.flatMap { point in
        axis.values.map { value in
          var next = point
          next.settings[key] = value
          if axis.isList { next.told.append(key) }
          return next
        }
      }
    }
    return points
  }

  // MARK: Conditions

  /// A point under every entry of `sweep.when` that it meets, one after the other: each sees what those before it have set.
  ///
  /// - Parameter made: how many points there have been, each counted once more for every condition.
  /// - Returns: nil where they become too many, which has been said.
  func conditioned(_ point: Point, of named: SpecDocument.NamedTrial, _ met: inout MetConditions, _ made: inout Int) -> [Point]? {
    var points = [point]
    for (number, entry) in (document.when ?? []).enumerated() {
      guard isWithinBound(&made, adding: points.count) else { return nil }
      let axes = open(entry.axes)
      if Self.count(axes) * Double(points.count) > Double(Self.mostTrials) {
        findings.error("the spec makes more than \(Self.mostTrials) trials", at: entry.condition.location)
        return nil
      }
      points = points.flatMap { point in
        guard holds(entry.condition, in: resolve(point, of: named), of: named) else { return [point] }
        met.when.insert(number)
        return Self.times(point, axes)
      }
    }
    return isWithinBound(&made, adding: points.count * (1 + (document.exclude?.count ?? 0))) ? points : nil
  }

  private func isWithinBound(_ made: inout Int, adding count: Int) -> Bool {
    made += count
    if made <= Self.mostPoints { return true }
    findings.error(
      "the sweep has too many points, with those that coincide or are excluded", at: document.location,
      hints: ["accepted: at most \(Self.mostPoints) in all, each counted once more for every condition of sweep.when and sweep.exclude"])
    return false
  }

  func isExcluded(_ resolved: Resolved, of named: SpecDocument.NamedTrial, _ met: inout MetConditions) -> Bool {
    var isExcluded = false
    for (number, exclusion) in (document.exclude ?? []).enumerated() where holds(exclusion, in: resolved, of: named) {
      met.exclude.insert(number)
      isExcluded = true
    }
    return isExcluded
  }

  private func holds(_ condition: SpecDocument.Condition, in resolved: Resolved, of named: SpecDocument.NamedTrial) -> Bool {
    if condition.trial == nil, condition.values.isEmpty { return false }
    guard condition.trial.map({ $0.value == named.name.value }) ?? true else { return false }
    return condition.values.allSatisfy { name, values in
      guard !resolved.refused.contains(name), let key = KeyTable[name] else { return false }
      return values.contains(key.read(resolved.settings))
    }
  }

  /// A condition that no trial meets is a slip; but with `--set` it may be one that holds for the file as it stands.
  func unmetConditions(_ met: MetConditions) -> [Diagnostic] {
    guard findings.errors.isEmpty, isComplete else { return [] }
    var unmet = (document.exclude ?? []).enumerated().filter { !met.exclude.contains($0.offset) }.map { ("this exclusion matches no trial", $0.element) }
    unmet += (document.when ?? []).enumerated().filter { !met.when.contains($0.offset) }.map { ("this condition holds for no trial", $0.element.condition) }
    let names = namedTrials().map(\.name.value)
    return unmet.compactMap { message, condition in
      var hints: [String] = []
      if let trial = condition.trial?.value, !names.contains(trial) {
        hints = ["no trial is called '\(trial)'"] + (nearestName(to: trial, in: names).map { ["did you mean '\($0)'?"] } ?? [])
      }
      if !overrides.isEmpty { return findings.diagnostic(.note, message + " with what --set says", at: condition.location, hints: hints) }
      findings.error(message, at: condition.location, hints: hints)
      return nil
    }
  }

  // MARK: Names and counts

  /// Seeds share the trial's name; every other key that tells points apart and has an effect is told in it.
  func name(of point: Point, _ named: SpecDocument.NamedTrial, _ resolved: Resolved) -> String {
    point.told.reduce(into: named.name.value) { name, key in
      guard key != "seed", resolved.idle[key] == nil, overrides[key] == nil, !resolved.refused.contains(key), let key = KeyTable[key] else { return }
      name += " \(key.name)=\(key.read(resolved.settings).text)"
    }
  }

  func checkCount(_ count: Int) {
    if count == 0, findings.errors.isEmpty { findings.error("the sweep leaves no trial", at: document.exclude?.first?.location ?? document.location) }
    // What `--set` fixes, the sweep no longer goes through: the count was for the file as it stands.
    guard let expect = document.expect, expect.value != count, findings.errors.isEmpty, sweptAndSet.isEmpty else { return }
    findings.error("the spec makes \(count) trials, not \(expect.value)", at: expect.location)
  }

  private var sweptAndSet: [(key: String, axis: SpecDocument.Axis)] {
    let axes = Array(document.grid.elements) + Array(document.zip.elements) + (document.when ?? []).flatMap { $0.axes.elements.filter(\.value.isList) }
    return axes.filter { overrides[$0.key] != nil }.map { ($0.key, $0.value) }
  }

  func overruledAxes() -> [Diagnostic] {
    sweptAndSet.map { findings.diagnostic(.note, "--set \($0.key) takes the place of this sweep", at: $0.axis.location) }
  }
}
