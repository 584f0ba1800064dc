import ExperimentGraph
import Foundation

extension Plan {
  public enum Format: String, Sendable, CaseIterable { case text, json, mermaid, dot }

  /// The plan for a reader or a program; ends with a line break. `notes` are further lines of the text format.
  public func rendered(as format: Format, notes: [String] = []) -> String {
    switch format {
    case .text: text(notes)
    case .json: json()
    case .mermaid: mermaid()
    case .dot: dot()
    }
  }

  /// The trials a job serves, in words.
  private func trials(of job: Job) -> String {
    let count = graph.experiment.trials.count
    if job.trials.count == count, count > 1 { return "all \(count) trials" }
    return job.trials.map(graph.label(ofTrial:)).joined(separator: "; ")
  }

  private func text(_ notes: [String]) -> String {
    let counts = [State.run, .resume, .cached].map { state in (state, steps.count { $0.state == state }) }.filter { $0.1 > 0 }
    let summary = counts.map { "\($0.1) \($0.0 == .cached ? "cached" : "to \($0.0.rawValue)")" }.joined(separator: ", ")
    let trialCount = graph.experiment.trials.count
    var lines = ["\(graph.experiment.name): \(trialCount) trial\(trialCount == 1 ? "" : "s"), \(steps.count) jobs: \(summary)"]
    let rows = [["state", "job", "trial", "why"]] + steps.map { [$0.state.rawValue, $0.job.id, trials(of: $0.job), $0.reason] }
    lines += aligned(rows) + notes
    return lines.joined(separator: "\n") + "\n"
  }

  private struct JSONPlan: Encodable {
    struct JSONJob: Encodable { var id, kind, trial, fingerprint, state, reason: String; var trials: [JSONTrial]; var inputs: [String] }
    struct JSONTrial: Encodable { var name: String; var seed: Int }
    var experiment: String
    var jobs: [JSONJob]
  }

  private func json() -> String {
    let jobs = steps.map { step in
      JSONPlan.JSONJob(
        id: step.job.id, kind: step.job.kind.rawValue, trial: trials(of: step.job), fingerprint: step.job.fingerprint.description,
        state: step.state.rawValue, reason: step.reason,
        trials: step.job.trials.map { .init(name: graph.experiment.trials[$0].name, seed: graph.experiment.trials[$0].settings.seed) },
        inputs: step.job.inputs)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(JSONPlan(experiment: graph.experiment.name, jobs: jobs)) else {
      preconditionFailure("a plan of strings always encodes")
    }
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  private func mermaid() -> String {
    var lines = ["flowchart LR"]
    for (number, step) in steps.enumerated() {
      let label = "\(step.job.kind.rawValue)<br/>\(trials(of: step.job))".replacing("\"", with: "#quot;")
      lines.append("  j\(number)[\"\(label)\"]:::\(step.state.rawValue)")
    }
    for (from, to) in edges { lines.append("  j\(from) --> j\(to)") }
    lines += ["  classDef run fill:#fde68a,stroke:#b45309", "  classDef resume fill:#bfdbfe,stroke:#1d4ed8", "  classDef cached fill:#e5e7eb,stroke:#6b7280"]
    return lines.joined(separator: "\n") + "\n"
  }

  private func dot() -> String {
    let colors: [State: String] = [.run: "#fde68a", .resume: "#bfdbfe", .cached: "#e5e7eb"]
    var lines = ["digraph plan {", "  rankdir=LR; node [shape=box, style=filled];"]
    for (number, step) in steps.enumerated() {
      let label = "\(step.job.kind.rawValue)\\n\(trials(of: step.job).replacing("\"", with: "\\\""))"
      lines.append("  j\(number) [label=\"\(label)\", fillcolor=\"\(colors[step.state]!)\", tooltip=\"\(step.job.id)\"];")
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
