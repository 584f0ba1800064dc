import Diagnostics
import Files
import Foundation
import Imaging

/// A model of the bioimage.io collection (resource description 0.5): the network in ONNX, a test image with its probabilities, a description and a page
/// of documentation, in one zip archive.
public struct BioimagePackage: Sendable {
  /// What the description says that the weights do not.
  public struct About: Sendable {
    public var name: String
    public var authors: [String]
    /// By its SPDX name, e.g. "CC-BY-4.0"; nil: not said.
    public var license: String?
    /// The network in words, e.g. "U-Net+ (transposed convolution), B = 8, N = 5".
    public var network: String
    /// How an image is prepared, a line a step.
    public var preparation: [String]
    /// What makes a mask of probabilities, a line a step.
    public var completion: [String]
    public init(name: String, authors: [String], license: String?, network: String, preparation: [String], completion: [String]) {
      (self.name, self.authors, self.license, self.network) = (name, authors, license, network)
      (self.preparation, self.completion) = (preparation, completion)
    }
  }

  /// One image and what the network makes of it, [side, side].
  public struct Example: Sendable {
    public var side: Int
    public var image: [Float]
    public var probability: [Float]
    public init(side: Int, image: [Float], probability: [Float]) { (self.side, self.image, self.probability) = (side, image, probability) }
  }

  static let formatVersion = "0.5.3"
  private let files: [(name: String, contents: Data)]

  /// - Parameters:
  ///   - options: what `model` was made with.
  ///   - divisor: 2^(N−1), what sides are multiples of.
  public init(_ model: ONNXModel, _ options: ONNXModel.Options, divisor: Int, about: About, example: Example) {
    func tensor(_ values: [Float]) -> Data { Data(NumPyFile.bytes(values, shape: [1, 1, example.side, example.side])) }
    var files = [
      ("weights.onnx", model.bytes), ("test_input.npy", tensor(example.image)), ("test_output.npy", tensor(example.probability)),
      ("documentation.md", Data(Self.documentation(about, options, divisor: divisor).utf8)),
    ]
    let hashes = Dictionary(uniqueKeysWithValues: files.map { ($0.0, String(decoding: Seal.hash($0.1), as: UTF8.self)) })
    files.insert(("rdf.yaml", Data(Self.description(about, options, divisor: divisor, hashes).utf8)), at: 0)
    self.files = files
  }

  /// The archive's contents; the same for the same model and example.
  public var bytes: Data {
    var zip = StoredZip()
    for file in files { zip.add(file.name, file.contents) }
    return zip.finished()
  }

  /// Writes it, whole or not at all.
  /// - Throws: `UserError` (exit 5).
  public func write(to path: String) throws { try DurableFile.write(bytes, to: path) }

  /// A text in YAML: JSON's quoted strings are YAML's.
  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    do { return String(decoding: try encoder.encode(text), as: UTF8.self) } catch { preconditionFailure("a text always encodes: \(error)") }
  }

  private static func description(_ about: About, _ options: ONNXModel.Options, divisor: Int, _ hashes: [String: String]) -> String {
    func file(_ name: String) -> String { "{source: \(name), sha256: \(hashes[name]!)}" }
    let side = options.side.map { "\($0)" } ?? "{min: \(divisor), step: \(divisor)}"
    return """
      # What there is to say in: https://github.com/bioimage-io/spec-bioimage-io
      format_version: \(formatVersion)
      type: model
      name: \(quoted(about.name))
      description: \(quoted("Foreground of microscopy images of cell nuclei: \(about.network), trained with runner."))
      authors:
      \(about.authors.map { "  - {name: \(quoted($0))}" }.joined(separator: "\n"))
      cite:
        - text: "Long F. Microscopy cell nuclei segmentation with enhanced U-Net. BMC Bioinformatics 21, 8 (2020)."
          doi: 10.1186/s12859-019-3332-1
      \(about.license.map { "license: \($0)\n" } ?? "")tags: [nuclei, fluorescence-light-microscopy, semantic-segmentation, unet, 2d]
      documentation: \(file("documentation.md"))
      inputs:
        - id: \(ONNXModel.input)
          description: "Prepared intensities (see the documentation)."
          axes:
            - {type: batch}
            - {type: channel, channel_names: [intensity]}
            - {type: space, id: y, size: \(side)}
            - {type: space, id: x, size: \(side)}
          data: {type: float32, range: [0.0, 1.0]}
          test_tensor: \(file("test_input.npy"))
      outputs:
        - id: \(ONNXModel.output)
          description: "Probability of foreground."
          axes:
            - {type: batch}
            - {type: channel, channel_names: [foreground]}
            - {type: space, id: y, size: {tensor_id: \(ONNXModel.input), axis_id: y}}
            - {type: space, id: x, size: {tensor_id: \(ONNXModel.input), axis_id: x}}
          data: {type: float32, range: [0.0, 1.0]}
          test_tensor: \(file("test_output.npy"))
      weights:
        onnx: {source: weights.onnx, sha256: \(hashes["weights.onnx"]!), opset_version: \(ONNXModel.operatorSet)}

      """
  }

  private static func documentation(_ about: About, _ options: ONNXModel.Options, divisor: Int) -> String {
    let sides = options.side.map { "sides of \($0) pixels" } ?? "sides that are multiples of \(divisor) pixels"
    func list(_ steps: [String]) -> String { steps.enumerated().map { "\($0 + 1). \($1)" }.joined(separator: "\n") }
    return """
      # \(about.name)

      \(about.network), trained on fluorescence images of cell nuclei with `runner`, after Long, *Microscopy cell nuclei segmentation with enhanced
      U-Net*, BMC Bioinformatics 21:8 (2020), doi 10.1186/s12859-019-3332-1.

      ## Input

      `\(ONNXModel.input)`, [batch, 1, height, width], float32 in [0, 1], with \(sides). The network expects images prepared as those it was trained on:

      \(list(about.preparation))

      The package leaves this to its user, as the format has no name for all of these steps; `runner predict` does it.

      ## Output

      `\(ONNXModel.output)`, laid out alike: each pixel's probability of being foreground. A mask is made of it so:

      \(list(about.completion))

      ## Validation

      `test_input.npy` is a synthetic image, prepared, and `test_output.npy` what the program that trained the network makes of it; `bioimageio test`
      compares. For other images compare masks with annotated nuclei by their intersection over union, as `runner evaluate` does.

      """
  }
}
