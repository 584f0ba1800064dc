import Diagnostics
import Foundation
import Testing

@testable import Runner

/// One line of `--log-format jsonl`, whatever its event.
private struct Line: Decodable {
  var time: Date
  var event: String
  var trial, phase, message, severity, file, state, reason: String?
  var seed, epoch, epochs, line, column, exit_code, trials_done, trials_failed, trials_to_run, jobs_to_run: Int?
  var train_loss, validation_loss, penalty, learning_rate, seconds, seconds_left, trial_seconds_left, average_iou, ms_per_patch: Double?

  /// Every line of `text`; one that is no such object is an error.
  static func all(_ text: String) throws -> [Line] {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom { decoder in
      try Date(try decoder.singleValueContainer().decode(String.self), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
    #expect(text.isEmpty || text.hasSuffix("\n"))
    return try text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { try decoder.decode(Line.self, from: Data($0.utf8)) }
  }
}

extension Runs { @Suite struct LogFormatTests {
  @Test func everythingThatHappensIsAnObjectALine() async throws {
    let bench = try Bench(), transcript = Transcript(format: .jsonl)
    let tuned = "{name: tuned, model.architecture: unet, train.fine_tune: {epochs: 1, learning_rate: 1e-4}}"
    let spec = try bench.spec(trials: "[\(tuned), {name: broken, model.architecture: unet+, train.learning_rate: 1e30}]")
    #expect(await bench.run(spec, transcript: transcript) { $0.retries = 1 } == .someTrialsFailed)
    let lines = try Line.all(transcript.output)
    #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.time <= $1.time })
    let first = try #require(lines.first), last = try #require(lines.last)
    #expect(first.event == "run_started" && first.trials_to_run == 2 && first.jobs_to_run! > 5)
    #expect(last.event == "run_finished" && last.state == "some_trials_failed")

    let epochs = lines.filter { $0.event == "epoch" }
    #expect(epochs.map(\.epoch) == [1, 2, 3, 4] && epochs.map(\.phase) == ["train", "train", "train", "fine-tune"])
    for epoch in epochs {
      #expect(epoch.trial == "tuned" && epoch.seed == 1 && epoch.epochs == 4 && epoch.trials_done == 0)
      #expect(epoch.train_loss! > 0 && epoch.validation_loss! > 0 && epoch.penalty == 0 && epoch.learning_rate! > 0 && epoch.seconds! > 0)
      #expect(epoch.seconds_left! > 0 && epoch.trial_seconds_left! > 0)
    }
    let phases = lines.filter { $0.event == "phase_started" && $0.trial == "tuned" }.map(\.phase)
    #expect(phases == ["patches", "patches", "evaluate", "time"])
    let done = try #require(lines.first { $0.event == "trial_done" }), failed = try #require(lines.first { $0.event == "trial_failed" })
    #expect(done.trial == "tuned" && done.average_iou != nil && done.ms_per_patch! > 0 && done.trials_done == 1)
    #expect(failed.trial == "broken" && failed.reason!.contains("not a finite number") && failed.trials_failed == 1 && failed.seconds_left == 0)
    #expect(lines.count { $0.event == "training_started" && $0.trial == "broken" } == 1, "a retry would fail in the same way")

    let faults = try Line.all(transcript.errors)
    #expect(faults.contains { $0.event == "diagnostic" && $0.severity == "error" && $0.message!.contains("broken failed") && $0.exit_code == nil })

    let again = Transcript(format: .jsonl)
    #expect(await bench.run(spec, transcript: again) { $0.only = ["tuned"] } == .done)
    #expect(try Line.all(again.output).map(\.event).last == "run_finished")
  }

  @Test func faultsHaveTheirPlaceAndTheExitCode() async throws {
    let bench = try Bench(), transcript = Transcript(format: .jsonl)
    let spec = try bench.spec(extra: "trane: 3\nmodle: 4")
    #expect(await bench.run(spec, transcript: transcript) == .badCommandOrSpec)
    let faults = try Line.all(transcript.errors)
    #expect(faults.count == 2 && transcript.output.isEmpty)
    for fault in faults {
      #expect(fault.event == "diagnostic" && fault.severity == "error" && fault.file == spec && fault.column == 1 && fault.exit_code == 2)
    }
    #expect(faults[0].message!.contains("trane") && faults[1].line! == faults[0].line! + 1)
  }

  @Test func aWrongCommandLineIsAnObjectToo() throws {
    let transcript = Transcript(format: .jsonl)
    #expect(transcript.surroundings(cache: "").console.refuse("Error: Unknown option '--frsh'\nSee --help") == .badCommandOrSpec)
    let faults = try Line.all(transcript.errors)
    #expect(faults.count == 1 && faults[0].exit_code == 2 && faults[0].message!.contains("--frsh"))
  }

  @Test func liveLinesLeaveNothingBehind() async throws {
    let bench = try Bench(), transcript = Transcript(isLive: true)
    #expect(await bench.run(try bench.spec(), transcript: transcript) == .done)
    #expect(transcript.output.contains("trials done"), "something was drawn")
    let lines = Screen(transcript.output).lines
    #expect(lines.count == 3, "\(lines)")
    #expect(lines[0].hasPrefix("U-Net: average IoU") && lines[1].hasPrefix("U-Net+: average IoU") && lines[2].hasSuffix("report.md"))
  }
}}

/// What a terminal shows after `output`: line breaks, returns, "up" and "clear to the end of the line".
private struct Screen {
  var lines = [""]

  init(_ output: String) {
    var row = 0, rest = output[...]
    while let character = rest.popFirst() {
      switch character {
      case "\n":
        row += 1
        if row == lines.count { lines.append("") }
      case "\r": break  // always followed by a cleared line
      case "\u{1B}":
        let code = rest.prefix { !$0.isLetter }
        let command = rest.dropFirst(code.count).first
        rest = rest.dropFirst(code.count + 1)
        if command == "K" { lines[row] = "" } else if command == "A" { row -= 1 } else { Issue.record("escape \(code)") }
      default: lines[row].append(character)
      }
    }
    if lines.last == "" { lines.removeLast() }
  }
}
