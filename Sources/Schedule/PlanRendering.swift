import ExperimentGraph
import Foundation

extension Plan {
  public enum Format: String, Sendable, CaseIterable { case text, json, mermaid, dot }

  /// The plan for a reader or a program; ends with a line break. `notes` are further lines of the text format.
  public func rendered(as format: Format, expecting expectations: [TrialExpectation] = [], notes: [String] = []) -> String {
    switch format {
    case .text: text(expectations, notes)
    case .json: json(expectations)
    case .mermaid: mermaid(expectations)
    case .dot: dot(expectations)
    }
  }

  /// The trials a job serves, by name.
  private func trials(of job: Job) -> String {
    let count = graph.experiment.trials.count
    if job.trials.count == count, count > 1 { return "all \(count) trials" }
    return job.trials.map(graph.label(ofTrial:)).joined(separator: "; ")
  }

  /// The same for a reader: of many, all of a seed or the first.
  private func trialsInFewWords(of job: Job) -> String {
    let count = job.trials.count, seed = seed(ofTrial: job.trials[0]), most = 3
    if count > 1, count < graph.experiment.trials.count, job.trials.allSatisfy({ self.seed(ofTrial: $0) == seed }),
      count == trialsPerSeed[seed] { return "all \(count) trials of seed \(seed)" }
    return count <= most || count == graph.experiment.trials.count ? trials(of: job) : "\(graph.label(ofTrial: job.trials[0])) and \(count - 1) more"
  }

  private func seed(ofTrial trial: Int) -> Int { graph.experiment.trials[trial].settings.seed }

  /// Jobs that are left out are counted, not listed.
  private func text(_ expectations: [TrialExpectation], _ notes: [String]) -> String {
    let listed = steps.filter { !$0.isLeftOut }
    let counts = [State.run, .resume, .cached].map { state in (state == .cached ? "cached" : "to \(state)", listed.count { $0.state == state }) }
    let summary = (counts + [("left out by --only", steps.count - listed.count)]).filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
    let trialCount = graph.experiment.trials.count
    var lines = ["\(graph.experiment.name): \(trialCount) trial\(trialCount == 1 ? "" : "s"), \(steps.count) jobs: \(summary)"]
    let rows = [["state", "job", "trial", "why"]] + listed.map { [$0.state.rawValue, $0.job.id, trialsInFewWords(of: $0.job), $0.reason] }
    lines += aligned(rows) + notes
    if !expectations.isEmpty {
      lines += ["", "expected:"] + aligned([TrialExpectation.header] + expectations.map { $0.row(graph.label(ofTrial: $0.trial)) })
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private struct JSONPlan: Encodable {
    struct JSONJob: Encodable { var id, kind, trial, fingerprint, state, reason: String; var trials: [JSONTrial]; var inputs: [String] }
    struct JSONTrial: Encodable { var name: String; var seed: Int }
    struct JSONExpectation: Encodable {
      var name: String
      var seed, parameters, multiply_adds, epochs, training_mb: Int
      var training_seconds, training_seconds_left: Double?
      var training_time: String
    }
    var experiment: String
    var jobs: [JSONJob]
    var trials: [JSONExpectation]
  }

  private func json(_ expectations: [TrialExpectation]) -> String {
    let jobs = steps.map { step in
      JSONPlan.JSONJob(
        id: step.job.id, kind: step.job.kind.rawValue, trial: trials(of: step.job), fingerprint: step.job.fingerprint.description,
        state: step.state.rawValue, reason: step.reason,
        trials: step.job.trials.map { .init(name: graph.experiment.trials[$0].name, seed: seed(ofTrial: $0)) },
        inputs: step.job.inputs)
    }
    let expected = expectations.map { expected in
      JSONPlan.JSONExpectation(
        name: graph.experiment.trials[expected.trial].name, seed: seed(ofTrial: expected.trial), parameters: expected.parameters,
        multiply_adds: expected.multiplyAdds, epochs: expected.epochs, training_mb: expected.megabytes, training_seconds: expected.seconds,
        training_seconds_left: expected.secondsLeft, training_time: expected.time)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(JSONPlan(experiment: graph.experiment.name, jobs: jobs, trials: expected)) else {
      preconditionFailure("a plan of strings always encodes")
    }
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  /// A job in a drawing: what it is, for whom, why it is to be done and, for a training, what it takes.
  private func caption(_ step: Step, _ expectations: [TrialExpectation]) -> [String] {
    var lines = [step.job.kind.rawValue, trialsInFewWords(of: step.job)]
    if step.state != .cached || step.isLeftOut { lines.append(step.reason) }
    if step.job.kind == .train, let expected = expectations.first(where: { step.job.trials.contains($0.trial) }) {
      lines += ["\(expected.parameters) weights, \(expected.multiplyAdds) multiply–adds a patch", "\(expected.megabytes) MB, \(expected.time)"]
    }
    return lines
  }

  private func mermaid(_ expectations: [TrialExpectation]) -> String {
    var lines = ["flowchart LR"]
    for (number, step) in steps.enumerated() {
      let label = caption(step, expectations).joined(separator: "<br/>").replacing("\"", with: "#quot;")
      lines.append("  j\(number)[\"\(label)\"]:::\(step.isLeftOut ? "left" : step.state.rawValue)")
    }
    for (from, to) in edges { lines.append("  j\(from) --> j\(to)") }
    lines += ["  classDef run fill:#fde68a,stroke:#b45309", "  classDef resume fill:#bfdbfe,stroke:#1d4ed8", "  classDef cached fill:#e5e7eb,stroke:#6b7280"]
    if steps.contains(where: \.isLeftOut) { lines.append("  classDef left fill:#ffffff,stroke:#9ca3af,stroke-dasharray:4 3") }
    return lines.joined(separator: "\n") + "\n"
  }

  private func dot(_ expectations: [TrialExpectation]) -> String {
    let colors: [State: String] = [.run: "#fde68a", .resume: "#bfdbfe", .cached: "#e5e7eb"]
    var lines = ["digraph plan {", "  rankdir=LR; node [shape=box, style=filled];"]
    for (number, step) in steps.enumerated() {
      let label = caption(step, expectations).map { $0.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") }.joined(separator: "\\n")
      lines.append("  j\(number) [label=\"\(label)\", \(step.isLeftOut ? "style=dashed" : "fillcolor=\"\(colors[step.state]!)\""), tooltip=\"\(step.job.id)\"];")
    }
    for (from, to) in edges { lines.append("  j\(from) -> j\(to);") }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  private var edges: [(Int, Int)] {
    let numbers = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1.job.id, $0) })
    return steps.enumerated().flatMap { to, step in step.job.inputs.map { (numbers[$0]!, to) } }
  }
}

/// `rows` as lines with left-aligned columns two spaces apart; the last column is not padded.
public func aligned(_ rows: [[String]]) -> [String] {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
  return rows.map { row in
    row.enumerated().map { column, text in
      column == row.count - 1 ? text : text + String(repeating: " ", count: widths[column] - text.count)
    }.joined(separator: "  ")
  }
}
