import ArgumentParser
import Runner

struct Export: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a trained network for other programs: ONNX, safetensors, or a bioimage.io package.",
    discussion: """
      Example: runner export --weights best.safetensors --format onnx --out nuclei.onnx

      onnx has the input image, [batch, 1, height, width], intensities in [0, 1] of an image prepared as in training, and the output probability, \
      laid out alike, both float32. Sides are any multiples of 2^(depth − 1), 16 at depth 5, or what --side fixes. bioimageio is a package of \
      the bioimage.io collection (format 0.5): the same model with a test image, hashes and a page of documentation. safetensors has the weights \
      under the names that runner import --names prints.
      """)

  enum BatchNorm: EnumerableFlag {
    case foldBatchNorm, keepBatchNorm
    static func help(for value: BatchNorm) -> ArgumentHelp? {
      value == .foldBatchNorm ? "onnx, bioimageio: batch norm becomes part of the convolutions (the default)." : "onnx, bioimageio: batch norm stays."
    }
  }

  @Option(help: ArgumentHelp("Trained weights: best.safetensors of a trial.", valueName: "file"), completion: .weights) var weights: String
  @Option(help: "onnx, safetensors or bioimageio.") var format: Runner.ExportFormat
  @Option(help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file(), transform: path) var out: String
  @Flag var batchNorm: BatchNorm?
  @Option(help: ArgumentHelp("onnx, bioimageio: the height and width of every image (default: any multiples of 2^(depth − 1)).", valueName: "pixels"))
  var side: Int?
  @Option(help: "safetensors: names and axes of pytorch or keras (default: pytorch).") var layout: Runner.Layout?
  @Option(help: ArgumentHelp("bioimageio: what the model is called.", valueName: "text")) var name: String?
  @Option(help: ArgumentHelp("bioimageio: who trained it; can be repeated.", valueName: "text")) var author: [String] = []
  @Option(help: ArgumentHelp("bioimageio: the licence you give it, by its SPDX name: CC-BY-4.0, MIT, … (default: none is stated).", valueName: "name")) var license: String?
  @OptionGroup var overrides: Overrides
  @OptionGroup var instructionSet: InstructionSet

  func validate() throws {
    if let side, !(1...4096).contains(side) { throw ValidationError("--side \(side): accepted: 1 to 4096") }
    if layout != nil, format != .safetensors { throw ValidationError("--layout goes with --format safetensors") }
    if batchNorm != nil, format == .safetensors { throw ValidationError("--fold-batch-norm and --keep-batch-norm go with --format onnx and bioimageio") }
    if side != nil, format == .safetensors { throw ValidationError("--side goes with --format onnx and bioimageio") }
    if name != nil || license != nil || !author.isEmpty, format != .bioimageio { throw ValidationError("--name, --author and --license go with --format bioimageio") }
    if let license, license.wholeMatch(of: /[A-Za-z0-9.+-]+/) == nil { throw ValidationError("--license \(license): accepted: an SPDX name, such as CC-BY-4.0") }
    // As bioimage.io's own checks have it.
    if let name, name.wholeMatch(of: /[A-Za-z0-9_+\- ()]{5,128}/) == nil {
      throw ValidationError("--name \(name): accepted: 5 to 128 letters, digits, spaces and _ + - ( )")
    }
    if let odd = author.first(where: { $0.contains("/") || $0.contains("\\") }) { throw ValidationError("--author \(odd): a slash is not accepted") }
  }

  func run() async throws {
    var options = ExportOptions(weights: weights, format: format, out: out)
    (options.overrides, options.foldsBatchNorm, options.side) = (overrides.overrides, batchNorm != .keepBatchNorm, side)
    (options.layout, options.name, options.authors, options.license) = (layout ?? .pytorch, name, author, license)
    let asked = options
    try await finish { try Runner.export(asked, $0) }
  }
}

extension Runner.ExportFormat: ExpressibleByArgument {}
extension Runner.Layout: ExpressibleByArgument {}

struct Import: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read weights that PyTorch or Keras wrote, for predict and export.",
    discussion: """
      Example: runner import --weights theirs.safetensors --architecture unet+ --base-filters 8 --out mine.safetensors

      Takes safetensors files whose tensors are called and shaped as --names prints them for the network; whose they are is told from the names. \
      A file that runner export wrote says which network it is of, and how images are prepared; for another, name the network, and with --set \
      what else differs from the defaults.
      """)

  @Option(help: ArgumentHelp("The safetensors file to read.", valueName: "file"), completion: .weights) var weights: String?
  @Option(help: ArgumentHelp("The file to write.", valueName: "file"), completion: .weights, transform: path) var out: String?
  @Option(help: .architecture(), completion: .list(Runner.architectures)) var architecture: String?
  @Option(help: ArgumentHelp("B, filters of the first level (default: 16).", valueName: "b")) var baseFilters: Int?
  @Option(help: ArgumentHelp("N, levels (default: 5).", valueName: "n")) var depth: Int?
  @Option(help: "transposed or nearest; unet+ only (default: transposed).") var upsampling: String?
  @Option(help: "none or batch (default: the architecture's).") var normalization: String?
  @Flag(help: "Print every weight's name and shape, ours, PyTorch's and Keras's, and read nothing.") var names = false
  @OptionGroup var overrides: Overrides

  func validate() throws {
    if names, architecture == nil { throw ValidationError("--names: name a network with --architecture") }
    if !names, weights == nil || out == nil { throw ValidationError("import wants --weights and --out, or --names") }
  }

  /// The network's options are keys of the spec under shorter names.
  private var settings: [String] {
    [
      ("architecture", architecture), ("base_filters", baseFilters.map(String.init)), ("depth", depth.map(String.init)),
      ("upsampling", upsampling), ("normalization", normalization),
    ].compactMap { key, value in value.map { "model.\(key)=\($0)" } } + overrides.overrides
  }

  func run() async throws {
    let asked = settings
    guard !names, let weights, let out else { return try await finish { try Runner.weightNames(overrides: asked, $0) } }
    var options = ImportOptions(weights: weights, out: out)
    options.overrides = asked
    let given = options
    try await finish { try Runner.importWeights(given, $0) }
  }
}
