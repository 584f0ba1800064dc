import ArgumentParser
import Runner

struct Publish: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copy a trial's weights to be kept, with a card that says what they are.",
    discussion: """
      Example: runner publish results/table2 --trial 'U-Net+ (T.C.)' --out results/models/unet-plus-tc-b8.safetensors

      The card, README.md beside the weights, is made of the trial's record and log: data, settings, training, scores. Of several seeds the \
      first is taken, unless --seed names one: no score decides.
      """)

  @Argument(help: "Results folder, or a trial's folder in it.", completion: .directory) var place: String
  @Option(help: ArgumentHelp("The trial of this name; * and ? stand for any characters.", valueName: "pattern")) var trial: String?
  @Option(help: ArgumentHelp("The trial of this seed.", valueName: "n")) var seed: Int?
  @Option(help: ArgumentHelp("Where the weights go.", valueName: "file"), completion: .weights, transform: path) var out: String
  @Option(help: ArgumentHelp("Where the card goes (default: README.md beside the weights).", valueName: "file"), completion: .file(extensions: ["md"]))
  var card: String?

  func run() async throws { try await finish { try Runner.publish(place, trial: trial, seed: seed, to: out, card: card, $0) } }
}
