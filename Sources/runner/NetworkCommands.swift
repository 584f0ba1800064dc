import ArgumentParser
import Runner

struct Summary: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A network's layers, shapes, parameters, multiply–adds and memory.",
    discussion: "Example: runner summary --architecture unet+ --base-filters 16 --upsampling nearest")

  @Argument(help: "Experiment file: every network in it.", completion: .specs) var spec: String?
  @OptionGroup var network: NetworkArguments
  @OptionGroup var overrides: Overrides
  @Flag(help: "One JSON object.") var json = false

  func validate() throws {
    if spec == nil, network.architecture == nil { throw ValidationError("name a network with --architecture, or a SPEC") }
    if spec != nil, network.architecture != nil { throw ValidationError("--architecture and a SPEC: one of them names the networks, not both") }
    if spec == nil, !overrides.overrides.isEmpty { throw ValidationError("--set changes a SPEC; a network without one is named by its options, such as --base-filters") }
  }

  func run() async throws {
    try await finish {
      if let spec { return try Runner.summary(spec: spec, RunOptions(overrides), json: json, $0) }
      return try Runner.summary(network.choice, json: json, $0)
    }
  }
}

struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a network's speed on this machine.",
    discussion: "Example: runner bench --architecture unet --base-filters 16 --mode train --batch 16 --json")

  @OptionGroup var network: NetworkArguments
  enum Mode: String, ExpressibleByArgument, CaseIterable { case infer, train, preprocess }
  @Option(help: "infer or train; preprocess times CLAHE and total variation instead of a network.") var mode = Mode.infer
  @Option(help: ArgumentHelp("Patches at once.", valueName: "n")) var batch = 1
  @OptionGroup var threads: Threads
  @OptionGroup var instructionSet: InstructionSet
  @Option(help: "f32 or bf16.") var precision = Runner.BenchPrecision.f32
  @Option(help: "Time calls for at least this long.") var seconds = 4.0
  @Flag(help: "Also time every layer, with one slice of the batch.") var layers = false
  @Flag(help: "One JSON object.") var json = false

  func validate() throws {
    if network.architecture == nil && mode != .preprocess { throw ValidationError("name a network with --architecture") }
    if !(1...4096).contains(batch) { throw ValidationError("--batch \(batch): accepted: 1 to 4096") }
    if !(0...3600).contains(seconds) { throw ValidationError("--seconds \(seconds): accepted: 0 to 3600") }
  }

  func run() async throws {
    guard let mode = Runner.EngineMode(rawValue: mode.rawValue) else {
      return try await finish { try Runner.benchPreprocessing(seconds: seconds, json: json, $0) }
    }
    let options = Runner.BenchOptions(
      mode: mode, batch: batch, threads: threads.threads, precision: precision, seconds: seconds, layers: layers, json: json)
    try await finish { try Runner.bench(network.choice, options, $0) }
  }
}

extension Runner.BenchPrecision: ExpressibleByArgument {}

extension ArgumentHelp {
  /// "unet, unet++ or unet+."
  static func architecture() -> ArgumentHelp {
    "\(Runner.architectures.dropLast().joined(separator: ", ")) or \(Runner.architectures.last!)."
  }
}

struct NetworkArguments: ParsableArguments {
  @Option(help: .architecture(), completion: .list(Runner.architectures)) var architecture: String?
  @Option(help: ArgumentHelp("B, filters of the first level.", valueName: "b")) var baseFilters = 16
  @Option(help: ArgumentHelp("N, levels.", valueName: "n")) var depth = 5
  @Option(help: "transposed or nearest; unet+ only.", completion: .list(["transposed", "nearest"])) var upsampling = "transposed"
  @Option(help: ArgumentHelp("Side of a patch, pixels.", valueName: "pixels")) var side = 256

  func validate() throws {
    if let architecture, !Runner.architectures.contains(architecture) {
      throw ValidationError("--architecture \(architecture): accepted: \(Runner.architectures.joined(separator: ", "))")
    }
    if !["transposed", "nearest"].contains(upsampling) { throw ValidationError("--upsampling \(upsampling): accepted: transposed, nearest") }
    if !(1...256).contains(baseFilters) { throw ValidationError("--base-filters \(baseFilters): accepted: 1 to 256") }
    if !(2...7).contains(depth) { throw ValidationError("--depth \(depth): accepted: 2 to 7") }
    if !(1...4096).contains(side) || side % (1 << (depth - 1)) != 0 {
      throw ValidationError("--side \(side): accepted: multiples of \(1 << (depth - 1)) (2^(depth − 1)) up to 4096")
    }
  }

  var choice: Runner.NetworkChoice {
    Runner.NetworkChoice(architecture: architecture ?? "unet", baseFilters: baseFilters, depth: depth, upsampling: upsampling, side: side)
  }
}
