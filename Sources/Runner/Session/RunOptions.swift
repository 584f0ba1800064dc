import Diagnostics
import ExperimentSpec
import Foundation

/// What a command may ask of a run, beside the specs.
public struct RunOptions: Sendable {
  /// `--set key=value`, in order.
  public var overrides: [String] = []
  /// `--only PATTERN`: trials by name, with `*` and `?`, that match any of these; none: all.
  public var only: [String] = []
  /// `--out DIR`; nil: `results/<name>`.
  public var out: String?
  /// `--data DIR`.
  public var data: String?
  public enum Executor: String, Sendable, CaseIterable { case local, slurm }
  /// Where trials run.
  public var executor = Executor.local
  /// Trials at once, and threads of each; what is nil is chosen so that the run is done soonest (`Allotment`).
  public var jobs: Int?
  public var threads: Int?
  /// Only the trials that failed before.
  public var onlyFailed = false
  /// Between the checkpoints within an epoch.
  public var checkpointInterval = Duration.seconds(120)
  /// How often a trial is tried again whose input, output or memory failed.
  public var retries = 0
  /// Take the times of all trials asked for again, in turn.
  public var retime = false
  /// Run everything again, whatever is there.
  public var fresh = false
  /// Wait for another run that holds the results folder.
  public var wait = false

  public init() {}

  /// Throws `UserError` (exit 2) where one is not `key=value`.
  func parsedOverrides() throws -> [(key: String, value: String)] {
    try overrides.map { text in
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw UserError("--set \(text): expected key=value", exitCode: .badCommandOrSpec, hints: ["for example: --set train.epochs=3"])
      }
      return (text[..<equals].trimmingCharacters(in: .whitespaces), text[text.index(after: equals)...].trimmingCharacters(in: .whitespaces))
    }
  }
}

/// Where a command runs: what it prints to, the variables it sees, and where the model that comes with the program may be.
public struct Surroundings: Sendable {
  public var console: Console
  public var environment: [String: String]
  /// The first that has it counts (`Runner.modelFolders`).
  public var modelFolders: [String]
  public init(console: Console, environment: [String: String], modelFolders: [String] = []) {
    (self.console, self.environment, self.modelFolders) = (console, environment, modelFolders)
  }

  /// `$XDG_CACHE_HOME/runner` or `~/.cache/runner`; nil without either variable.
  var userCache: String? {
    if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return "\(cache)/runner" }
    if let home = environment["HOME"], !home.isEmpty { return "\(home)/.cache/runner" }
    return nil
  }
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters and `?` for one; upper and lower case are one.
func matches(_ text: String, pattern: String) -> Bool {
  let text = Array(text.lowercased()), pattern = Array(pattern.lowercased())
  var (t, p) = (0, 0)
  // Where the last star stood and what it swallowed so far, to go back to.
  var star: (pattern: Int, text: Int)?
  while t < text.count {
    if p < pattern.count, pattern[p] == "*" {
      star = (p, t)
      p += 1
    } else if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t] {
      (t, p) = (t + 1, p + 1)
    } else if let last = star {
      star = (last.pattern, last.text + 1)
      (p, t) = (last.pattern + 1, last.text + 1)
    } else {
      return false
    }
  }
  return pattern[p...].allSatisfy { $0 == "*" }
}
