import ArgumentParser
import Runner

struct Predict: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the nuclei in images: masks, labels, outlines, measurements.",
    discussion: """
      Example: runner predict micrographs/ --out found --pixel-size 0.65 --split-touching

      Reads PNG, and TIFF where libtiff is installed: 8 and 16 bits, grey or RGB, up to 16,384 pixels a side. Writes <name>_mask.png (0 and 255), \
      <name>_labels.png (16 bits, a value an object), <name>_overlay.png, and for all images objects.csv and counts.csv. An image that cannot be \
      read is reported, the others are done, and the command exits 1.

      The default weights are \(Runner.defaultWeights) beside the program or in a folder above it, which has seen bright nuclei on a dark \
      background; $RUNNER_WEIGHTS names others.
      """)

  @Argument(help: "Images, and folders of them.", completion: .file(extensions: ["png", "tif", "tiff"])) var images: [String]
  @Option(help: ArgumentHelp("Where the results go.", valueName: "dir"), completion: .directory, transform: path) var out: String
  @Option(
    help: ArgumentHelp("Trained weights: best.safetensors of a trial (default: the model that comes with the program).", valueName: "file"), completion: .weights)
  var weights: String?
  @OptionGroup var overrides: Overrides
  @Option(help: ArgumentHelp("Let tiles overlap by at least this, for results without seams (default: the paper's grid).", valueName: "pixels"))
  var overlap = 0
  @Flag(help: "Take touching nuclei apart (watershed of the distance to the background).") var splitTouching = false
  @Option(help: ArgumentHelp("How far apart the centres of touching nuclei are at least; with --split-touching.", valueName: "pixels"))
  var splitDistance = 7
  @Option(help: ArgumentHelp("Side of a pixel: measurements are in micrometres.", valueName: "um")) var pixelSize: Double?
  @Flag(help: "Write <name>_probability.npy as well: 32-bit floats.") var probabilities = false
  @Option(help: ArgumentHelp("Write a run-length table as the 2018 Data Science Bowl's as well.", valueName: "csv"), completion: .file(extensions: ["csv"])) var rle: String?
  @OptionGroup var threads: Threads
  @OptionGroup var instructionSet: InstructionSet

  func validate() throws {
    if overlap < 0 { throw ValidationError("--overlap \(overlap): accepted: 0 or more") }
    if !(1...1000).contains(splitDistance) { throw ValidationError("--split-distance \(splitDistance): accepted: 1 to 1000") }
    if let pixelSize, !(pixelSize > 0 && pixelSize < 1e6) { throw ValidationError("--pixel-size \(pixelSize): accepted: above 0, micrometres") }
  }

  func run() async throws {
    var options = PredictOptions(images: images, out: out)
    (options.weights, options.overrides, options.overlap) = (weights, overrides.overrides, overlap)
    options.splitSpacing = splitTouching ? splitDistance : nil
    (options.pixelSize, options.probabilities, options.runs, options.threads) = (pixelSize, probabilities, rle, threads.threads)
    let asked = options
    try await finish { try Runner.predict(asked, $0) }
  }
}
