import Foundation
import Testing

/// Every option of every command, by what it changes. What the commands do is tested beside their code; here it is that the option reaches them.
@Suite(.enabled(if: Program.isBuilt, "the program is not built")) struct OptionTests {
  @Test(arguments: OptionCase.all) func anOptionDoesSomething(_ row: OptionCase) throws {
    let place = try Finished.copy()
    if let taken = row.without { try FileManager.default.removeItem(atPath: "\(place.path)/\(taken)") }
    let outcome = try Program.run(row.words, in: place.path, environment: Finished.environment(place))
    #expect(outcome.code == row.code, "\(outcome)")
    // Columns are as wide as what else stands in them.
    let said = outcome.output.replacing(/[ ]+/, with: " ")
    func file(_ name: String) -> Data? { FileManager.default.contents(atPath: "\(place.path)/\(name)") }
    for trace in row.traces {
      switch trace {
      case .says(let text):
        #expect(text.hasPrefix("^") ? said.hasPrefix(text.dropFirst()) : said.contains(text), "\(text): \(outcome)")
      case .doesNotSay(let text): #expect(!said.contains(text), "\(text): \(outcome)")
      case .complains(let text): #expect(outcome.errors.contains(text), "\(text): \(outcome)")
      case .leaves(let name): #expect(FileManager.default.fileExists(atPath: "\(place.path)/\(name)"), "\(name): \(outcome)")
      case .leavesNo(let name): #expect(!FileManager.default.fileExists(atPath: "\(place.path)/\(name)"), "\(name): \(outcome)")
      case .writes(let text, let name): #expect(file(name)?.range(of: Data(text.utf8)) != nil, "\(text) in \(name): \(outcome)")
      case .writesNo(let text, let name): #expect(try #require(file(name)).range(of: Data(text.utf8)) == nil, "\(text) in \(name): \(outcome)")
      }
    }
  }

  /// Those that want more than a line of the table have a test below.
  static let testedBelow = ["run --checkpoint-every", "run --wait", "run --retries", "predict --split-touching", "predict --split-distance"]

  /// An option that is in no row fails the suite, so that a new one is thought about.
  @Test func everyOptionIsTested() throws {
    let known = try CommandTree.read().below.filter { $0.subcommands == nil }.flatMap { command in
      (command.arguments ?? []).flatMap { $0.names ?? [] }.filter { $0.kind == "long" && !["help", "version"].contains($0.name) }
        .map { "\(command.words.joined(separator: " ")) --\($0.name)" }
    }
    let tested = Set(OptionCase.all.flatMap(\.options)).union(Self.testedBelow)
    #expect(known.count >= 100 && Set(known).subtracting(tested).isEmpty, "without a test: \(Set(known).subtracting(tested).sorted())")
    #expect(tested.subtracting(known).isEmpty, "no options: \(tested.subtracting(known).sorted())")
  }

  @Test func theSchemaIsTheCommittedOne() throws {
    let schema = try Program.run(["schema"]), same = try String(contentsOfFile: "\(Program.package)/schema/experiment.schema.json", encoding: .utf8) == schema.output
    #expect(schema.code == 0 && same, "schema/experiment.schema.json is not what `runner schema` prints")
  }

  /// A training whose only epoch lasts for seconds, as long as anyone may need: within it a checkpoint is written, another run waits, and then it is killed.
  @Test func aRunIsWaitedForAndItsCheckpointsAreWithinTheEpoch() throws {
    let place = try Finished.copy()
    let script = """
      "$RUNNER" run tiny.yaml --out slow --only 'A, seed 1' --set augment.copies=20 --set train.batch=1 --set model.base_filters=16 --set train.epochs=100 --checkpoint-every 0 >first 2>&1 &
      first=$!
      until [ -e slow/trials/*/checkpoint ]; do kill -0 $first || exit 99; sleep 0.02; done
      cp slow/trials/*/log.jsonl log
      "$RUNNER" run tiny.yaml --out slow --only B --wait >second 2>&1 &
      second=$!
      until grep -q 'waiting for it to end' second; do kill -0 $second || break; sleep 0.02; done
      kill -9 $first
      wait $second
      """
    let outcome = try Program.run(["-c", script], program: "/bin/sh", in: place.path, environment: ["RUNNER": Program.path, "RUNNER_DATA": "\(place.path)/data"])
    #expect(outcome.code == 0, "\(outcome)")
    let log = try String(contentsOfFile: "\(place.path)/log", encoding: .utf8), second = try String(contentsOfFile: "\(place.path)/second", encoding: .utf8)
    #expect(log.contains("\"started\"") && !log.contains("\"epoch\""), "\(log)")
    #expect(second.contains("waiting for it to end") && second.contains("tiny: slow/report.md"), "\(second)")
  }

  /// A file where a trial's folder was cannot be written into, however often it is tried.
  @Test func aTrialThatFailsIsTriedAgain() throws {
    let place = try Finished.copy(), trials = "\(place.path)/results/tiny/trials"
    let trial = try #require(place.names("results/tiny/trials").first { !$0.contains("/") })
    try FileManager.default.removeItem(atPath: "\(trials)/\(trial)")
    try Data().write(to: URL(fileURLWithPath: "\(trials)/\(trial)"))
    let outcome = try Program.run(["run", "tiny.yaml", "--retries", "2"], in: place.path, environment: Finished.environment(place))
    #expect(outcome.code == 1 && outcome.output.contains("trying again, 2 of 2") && !outcome.output.contains("trying again, 3"), "\(outcome)")
  }

  /// With the model that comes with the program, which tells nuclei from their background.
  @Test func touchingNucleiAreTakenApart() throws {
    let place = try Finished.copy()
    func objects(_ options: String...) throws -> Int {
      let predict = ["predict", "data/images/train-0000.png", "--out", "found", "--weights", "\(Program.package)/results/models/unet-plus-tc-b8.safetensors"]
      let outcome = try Program.run(predict + options, in: place.path)
      #expect(outcome.code == 0, "\(outcome)")
      return try String(contentsOfFile: "\(place.path)/found/objects.csv", encoding: .utf8).split(separator: "\n").count - 1
    }
    let whole = try objects(), apart = try objects("--split-touching"), close = try objects("--split-touching", "--split-distance", "1")
    #expect(whole > 0 && whole < apart && apart < close, "\(whole), \(apart), \(close)")
  }
}

/// An experiment that is done, with its data and weights; made once, and copied by each test, since some write into it.
enum Finished {
  static let spec = """
    name: tiny
    title: Tiny
    data.source: folder
    model: {base_filters: 2, depth: 3}
    preprocess: {tv_iterations: 5}
    patches.size: 32
    train: {epochs: 1, batch: 4}
    evaluate: {minimum_object: 4, timing_passes: 1}
    trials: [{name: A, model.architecture: unet+}, {name: B, model.architecture: unet}]
    sweep: {grid: {seed: [1, 2]}}
    report: {published: [{trial: A, average_iou: 1, source: nowhere, tolerance: {average_iou: 0.1}}]}
    """

  private static let made: Result<Workplace, any Error> = Result {
    let place = try Workplace()
    try place.write(Data(spec.utf8), to: "tiny.yaml")
    for words in [
      "data synthesize --out data --train 3 --test 2 --side 48", "run tiny.yaml", "publish results/tiny --trial A --seed 1 --out a.safetensors",
      "export --weights a.safetensors --format safetensors --layout keras --out keras.safetensors",
    ] {
      let outcome = try Program.run(words.split(separator: " ").map(String.init), in: place.path, environment: environment(place))
      #expect(outcome.code == 0, "\(words): \(outcome)")
    }
    // Nothing lets go of it before the process ends.
    atexit { if case .success(let place) = Finished.made { try? FileManager.default.removeItem(atPath: place.path) } }
    return place
  }

  /// The data, and nothing else of the machine's: no tools, no user's cache.
  static func environment(_ place: Workplace) -> [String: String] { ["PATH": "/nowhere", "RUNNER_DATA": "\(place.path)/data"] }

  static func copy() throws -> Workplace {
    let finished = try made.get(), place = try Workplace()
    for name in try FileManager.default.contentsOfDirectory(atPath: finished.path) {
      try FileManager.default.copyItem(atPath: "\(finished.path)/\(name)", toPath: "\(place.path)/\(name)")
    }
    return place
  }
}
