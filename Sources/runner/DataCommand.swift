import ArgumentParser
import Runner

struct DataCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Check, make or download data.", discussion: "Example: runner data verify --data ~/dsb2018",
    subcommands: [Verify.self, Synthesize.self, Fetch.self])

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read and check all data: counts and a digest.", discussion: "Example: runner data verify --data ~/dsb2018 --json")

    @Option(help: ArgumentHelp("The data's folder (default: $RUNNER_DATA, the user's cache).", valueName: "dir"), completion: .directory, transform: path) var data: String?
    @OptionGroup var threads: Threads
    @Flag(help: "One JSON object.") var json = false

    func run() async throws { try await finish { try Runner.verifyData(root: data, threads: threads.threads, json: json, $0) } }
  }

  struct Synthesize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write synthetic nuclei as a folder of images and masks.", discussion: "Example: runner data synthesize --out /tmp/nuclei --train 50 --test 10")

    @Option(help: ArgumentHelp("A new folder.", valueName: "dir"), completion: .directory, transform: path) var out: String
    @Option(name: .customLong("train"), help: ArgumentHelp("Training images.", valueName: "n")) var training: Int?
    @Option(help: ArgumentHelp("Test images.", valueName: "n")) var test: Int?
    @Option(help: ArgumentHelp("Side of an image, pixels.", valueName: "pixels")) var side: Int?
    @Option(help: ArgumentHelp("The same seed makes the same images.", valueName: "n")) var seed: Int?
    @OptionGroup var threads: Threads

    func run() async throws {
      try await finish {
        try Runner.synthesizeData(to: out, training: training, test: test, side: side, seed: seed, threads: threads.threads, $0)
      }
    }
  }

  struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Download the public images (2018 Data Science Bowl, stage 1) and verify them; goes on after a break.",
      discussion: "Example: runner data fetch")

    @Option(help: "Address of the folder that holds stage1_train.zip, stage1_test.zip and stage1_solution.csv.") var url: String?
    @Option(help: ArgumentHelp("Where to (default: the user's cache, where runs look for it).", valueName: "dir"), completion: .directory, transform: path) var out: String?
    @OptionGroup var threads: Threads
    @Flag(help: "One JSON object at the end, no progress.") var json = false

    func run() async throws { try await finish { try Runner.fetchData(url: url, out: out, threads: threads.threads, json: json, $0) } }
  }
}

struct Evaluate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Score anyone's masks with the paper's metrics and the contest's.",
    discussion: "Example: runner evaluate --predictions masks/ --truth $RUNNER_DATA/stage1_solution.csv --json")

  @Option(
    help: ArgumentHelp("Folder of masks or label images (PNG or TIFF) called as their image, or as predict calls them; or a run-length table.", valueName: "dir|csv"),
    completion: .file())
  var predictions: String
  @Option(help: ArgumentHelp("Folder of <image>.png or <image>/masks/*.png, or a solution table.", valueName: "dir|csv"), completion: .file()) var truth: String
  @Flag(help: "One JSON object.") var json = false
  @Option(help: ArgumentHelp("Write the scores of each image to a file.", valueName: "file"), completion: .file(extensions: ["csv"])) var csv: String?

  func run() async throws { try await finish { try Runner.evaluate(predictions: predictions, truth: truth, json: json, csv: csv, $0) } }
}
