import ArgumentParser
import Runner

struct RunnerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runner",
    abstract: "Runs declarative segmentation experiments on ordinary processors, from a YAML file to a report.",
    discussion: """
      Example: runner experiments/quickstart.yaml

      Exit codes: 0 done; 1 some trials failed; 2 the command or the spec is wrong; 3 out of tolerance; 4 locked by another run; \
      5 input missing, or input or output failed; 6 damaged data; 10 plan --detailed-exitcode has work to do; 130, 143 signals.
      """,
    version: Runner.version,
    subcommands: [
      Run.self, Plan.self, Validate.self, Report.self, Summary.self, Bench.self, DataCommand.self, Explain.self, Predict.self, Evaluate.self, Publish.self,
      Export.self, Import.self, Schema.self, Completions.self, Manual.self,
    ],
    defaultSubcommand: Run.self)
}

/// What changes a spec without editing it.
struct Overrides: ParsableArguments {
  @Option(name: .customLong("set"), parsing: .singleValue, help: ArgumentHelp("Set a key for every trial; can be repeated.", valueName: "key=value"), completion: .assignments)
  var overrides: [String] = []
}

/// A path from the command line. An empty one, such as an unset variable of the shell gives, would stand for the root of the file system.
func path(_ text: String) throws -> String {
  if text.isEmpty { throw ValidationError("the path is empty") }
  return text
}

/// Where things are.
struct Places: ParsableArguments {
  @Option(help: ArgumentHelp("The results folder (default: results/<name>).", valueName: "dir"), completion: .directory, transform: path)
  var out: String?
  @Option(help: ArgumentHelp("The data's folder (default: data.root of the spec, $RUNNER_DATA, the user's cache).", valueName: "dir"), completion: .directory, transform: path)
  var data: String?
}

struct Threads: ParsableArguments {
  @Option(help: ArgumentHelp("Threads (default: all cores this process may use). The results' bits do not depend on it.", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads \(threads): accepted: 1 to 1024") }
  }
}

/// How trials share the machine.
struct Sharing: ParsableArguments {
  @Option(help: ArgumentHelp("Trials at once (default: what is done soonest on the cores and memory this process may use).", valueName: "n"))
  var jobs: Int?
  @Option(help: ArgumentHelp("Threads of each (default: likewise). The results' bits depend on neither.", valueName: "n"))
  var threads: Int?

  func validate() throws {
    for (name, value) in [("jobs", jobs), ("threads", threads)] {
      if let value, !(1...1024).contains(value) { throw ValidationError("--\(name) \(value): accepted: 1 to 1024") }
    }
  }
}

/// How a command says what happens and what is wrong.
struct Logging: ParsableArguments {
  @Option(help: ArgumentHelp("Progress and diagnostics as text or as jsonl, one JSON object a line.", valueName: "format"))
  var logFormat = LogFormat.text
}

extension LogFormat: ExpressibleByArgument {}

/// Which kernels to use. The choice holds for the whole process and is made while the arguments are checked, before anything computes.
struct InstructionSet: ParsableArguments {
  @Option(help: ArgumentHelp("Instruction set: reference, baseline, avx2, avx512, avx512bf16 or amx (default: the widest this processor has).", valueName: "name"),
    completion: .list(Runner.instructionSets))
  var isa: String?

  func validate() throws {
    if let isa, !Runner.select(instructionSet: isa) {
      throw ValidationError("--isa \(isa): accepted on this processor: \(Runner.instructionSets.joined(separator: ", "))")
    }
  }
}

struct Run: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run what is not yet done of each spec, then report. `runner SPEC…` is the same.",
    discussion: "Example: runner run experiments/table1.yaml --set train.epochs=3 --only 'U-Net+*' --out /tmp/try")

  @Argument(help: "Experiment files.", completion: .specs) var specs: [String]
  @OptionGroup var overrides: Overrides
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "Only the trials of this name, or of this name and seed: 'U-Net, seed 2'; * and ? stand for any characters; can be repeated.", valueName: "pattern"))
  var only: [String] = []
  @OptionGroup var places: Places
  @OptionGroup var sharing: Sharing
  @OptionGroup var instructionSet: InstructionSet
  @Option(help: "Where trials run: local, or slurm: as jobs of a cluster (the spec's slurm section says what to ask for).")
  var executor = RunOptions.Executor.local
  @Option(help: .hidden) var onlyJob: String?
  @Option(help: ArgumentHelp("How often a trial is tried again whose input, output or memory failed.", valueName: "n")) var retries = 0
  @Flag(name: .customLong("only-failed"), help: "Only the trials that failed before.") var onlyFailed = false
  @Option(name: .customLong("checkpoint-every"), help: ArgumentHelp("Seconds between checkpoints within an epoch.", valueName: "seconds"))
  var checkpointEvery = 120.0
  @Flag(help: "Run everything again, whatever is there.") var fresh = false
  @Flag(help: "Take the times of the trials asked for again, in turn, pass by pass: only such times can be compared.") var retime = false
  @Flag(help: "Where another run holds the results folder, wait for it to end.") var wait = false
  @OptionGroup var logging: Logging

  func validate() throws {
    if onlyJob != nil, specs.count != 1 { throw ValidationError("--only-job takes one spec") }
    if retime, executor == .slurm { throw ValidationError("--retime takes times on this machine, not as jobs of a cluster") }
    if retries < 0 { throw ValidationError("--retries \(retries): accepted: 0 or more") }
    if !(0...1e6).contains(checkpointEvery) { throw ValidationError("--checkpoint-every \(checkpointEvery): accepted: 0 to 1000000") }
  }

  func run() async throws {
    var options = RunOptions(overrides, places)
    (options.only, options.retries, options.fresh, options.wait) = (only, retries, fresh, wait)
    (options.jobs, options.threads, options.executor) = (sharing.jobs, sharing.threads, executor)
    (options.onlyFailed, options.checkpointInterval, options.retime) = (onlyFailed, .seconds(checkpointEvery), retime)
    let asked = options
    if let onlyJob { return try await finish(logging.logFormat) { try await Runner.runJob(onlyJob, spec: specs[0], asked, $0) } }
    try await finish(logging.logFormat) { try await Runner.run(specs: specs, asked, $0) }
  }
}

struct Plan: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The jobs, each run, resume or cached, and why; writes nothing.",
    discussion: "Example: runner plan experiments/table1.yaml --format mermaid")

  @Argument(help: "Experiment file.", completion: .specs) var spec: String
  @OptionGroup var overrides: Overrides
  @Option(parsing: .singleValue, help: ArgumentHelp("Only the trials of this name, or of this name and seed, as in run.", valueName: "pattern"))
  var only: [String] = []
  @OptionGroup var places: Places
  @OptionGroup var sharing: Sharing
  @OptionGroup var instructionSet: InstructionSet
  @Option(help: "text, json, mermaid or dot.") var format = Runner.PlanFormat.text
  @Flag(name: .customLong("detailed-exitcode"), help: "Exit 10 where there is work to do.") var detailedExitCode = false

  func run() async throws {
    var options = RunOptions(overrides, places)
    (options.only, options.jobs, options.threads) = (only, sharing.jobs, sharing.threads)
    let asked = options
    try await finish { try Runner.plan(spec: spec, asked, format: format, detailedExitCode: detailedExitCode, $0) }
  }
}

extension Runner.PlanFormat: ExpressibleByArgument {}
extension RunOptions.Executor: ExpressibleByArgument {}

struct Validate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check specs; print what is wrong with them, all at once.", discussion: "Example: runner validate experiments/*.yaml")

  @Argument(help: "Experiment files.", completion: .specs) var specs: [String]
  @OptionGroup var overrides: Overrides
  @OptionGroup var logging: Logging

  func run() async throws { try await finish(logging.logFormat) { try Runner.validate(specs: specs, RunOptions(overrides), $0) } }
}

struct Report: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make the report again from the records.", discussion: "Example: runner report results/table1 --check")

  @Argument(help: "Experiment file or results folder.", completion: .file()) var place: String
  @OptionGroup var overrides: Overrides
  @OptionGroup var places: Places
  @Flag(help: "Exit 3 where a published value is out of its tolerance.") var check = false
  @OptionGroup var logging: Logging

  func run() async throws { try await finish(logging.logFormat) { try await Runner.report(place, RunOptions(overrides, places), check: check, $0) } }
}

struct Explain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Where a setting's value comes from in each trial.", discussion: "Example: runner explain experiments/table1.yaml model.l2")

  @Argument(help: "Experiment file.", completion: .specs) var spec: String
  @Argument(help: "Dotted key.", completion: .keys) var key: String
  @OptionGroup var overrides: Overrides

  func run() async throws { try await finish { try Runner.explain(spec: spec, key: key, RunOptions(overrides), $0) } }
}

struct Schema: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the JSON Schema of the spec, for editors.", discussion: "Example: runner schema > schema/experiment.schema.json")

  func run() async throws { try await finish { Runner.schema($0) } }
}

extension RunOptions {
  init(_ overrides: Overrides, _ places: Places? = nil) {
    self.init()
    self.overrides = overrides.overrides
    (out, data) = (places?.out, places?.data)
  }
}
