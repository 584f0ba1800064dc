import Datasets
import Diagnostics
import Engine
import Exchange
import ExperimentSpec
import Foundation
import Schedule

/// What `export` is asked for.
public struct ExportOptions: Sendable {
  public enum Format: String, Sendable, CaseIterable { case onnx, safetensors, bioimageio }
  public var weights: String
  public var format: Format
  public var out: String
  /// `--set key=value`, over what the weights' file states.
  public var overrides: [String] = []
  public var foldsBatchNorm = true
  /// Height and width of every image, pixels; nil: any that halve N − 1 times.
  public var side: Int?
  public var layout = WeightLayout.pytorch
  /// Of the bioimage.io package.
  public var name: String?
  public var authors: [String] = []
  public var license: String?

  public init(weights: String, format: Format, out: String) { (self.weights, self.format, self.out) = (weights, format, out) }
}

/// Where the weights of `import` come from and which network they are of.
public struct ImportOptions: Sendable {
  public var weights: String
  public var out: String
  /// `key=value`: the network's and any other that decides a mask.
  public var overrides: [String] = []

  public init(weights: String, out: String) { (self.weights, self.out) = (weights, out) }
}

extension Runner {
  public typealias ExportFormat = ExportOptions.Format
  public typealias Layout = WeightLayout

  /// Writes a trained network in another program's format.
  public static func export(_ options: ExportOptions, _ surroundings: Surroundings) throws -> ExitCode {
    var asked = RunOptions()
    asked.overrides = options.overrides
    let model = try TrainedModel(path: options.weights, overrides: asked.parsedOverrides())
    surroundings.console.show(model.notes)
    let configuration = model.settings.networkConfiguration
    switch options.format {
    case .safetensors:
      let metadata = try TrainedModel.metadata(model.settings)
      try ExchangedWeights.file(model.weights, as: options.layout, metadata: metadata).write(to: options.out)
    case .onnx: try onnx(model, options).write(to: options.out)
    case .bioimageio:
      let about = BioimagePackage.About(
        name: options.name ?? "Nuclei \(configuration.title)", authors: options.authors.isEmpty ? ["unknown"] : options.authors, license: options.license,
        network: configuration.described, preparation: model.settings.preprocess.steps, completion: model.settings.evaluate.steps)
      try BioimagePackage(
        onnx(model, options), options.onnx, divisor: configuration.options.sideDivisor, about: about, example: example(model, side: options.side)
      ).write(to: options.out)
    }
    surroundings.console.print("\(options.out): \(configuration.described), \(grouped(model.weights.count)) weights")
    return .done
  }

  private static func onnx(_ model: TrainedModel, _ options: ExportOptions) throws -> ONNXModel {
    try ONNXModel(model.settings.networkConfiguration, model.weights, options.onnx, producer: version, properties: model.settings.stated)
  }

  /// A synthetic image that nobody has seen in training, prepared, and what the network makes of it.
  private static func example(_ model: TrainedModel, side: Int?) throws -> BioimagePackage.Example {
    let size = side ?? model.settings.patches.size
    var data = model.settings.data
    // Nuclei want room; of a larger scene the patch takes the first corner.
    data.syntheticSide = max(size, 32)
    let scene = Synthetic.image(index: 0, part: .test, data)
    let patch = [Float](unsafeUninitializedCapacity: size * size) { patch, count in
      PreparedImage(scene.image.gray, model.settings.preprocess).copyPatch(PatchOrigin(y: 0, x: 0), size: size, into: patch.baseAddress!)
      count = size * size
    }
    var network = model.settings.networkConfiguration
    network.precision = .f32
    let predictor = try Predictor(network: network, weights: model.weights, height: size, width: size, batch: 1, threads: 1)
    return BioimagePackage.Example(side: size, image: patch, probability: predictor.probabilities(patch, count: 1))
  }

  /// Reads weights that PyTorch or Keras wrote and writes them as a trial's, for `predict` and `export`.
  public static func importWeights(_ options: ImportOptions, _ surroundings: Surroundings) throws -> ExitCode {
    var asked = RunOptions()
    asked.overrides = options.overrides
    let file = try Safetensors.read(options.weights, converting: true)
    let (settings, notes) = try TrainedModel.settings(of: file, path: options.weights, overrides: asked.parsedOverrides())
    surroundings.console.show(notes)
    let configuration = settings.networkConfiguration
    let (weights, layout) = try ExchangedWeights.weights(file, path: options.weights, for: configuration, described: configuration.described)
    try weights.write(to: options.out, metadata: TrainedModel.metadata(settings))
    surroundings.console.print("\(options.out): \(configuration.described), \(grouped(weights.count)) weights, from \(layout.title)'s names")
    return .done
  }

  /// The names and shapes that `import` reads and `export` writes, for one network.
  public static func weightNames(overrides: [String], _ surroundings: Surroundings) throws -> ExitCode {
    var asked = RunOptions()
    asked.overrides = overrides
    let (settings, _) = try TrialSettings.reading([:], of: "--names", overrides: asked.parsedOverrides())
    let configuration = settings.networkConfiguration, side = configuration.options.sideDivisor * 2
    let rows = try configuration.network(height: side, width: side).parameters.map { parameter in
      [parameter.name, "\(parameter.declaration.shape)"] + WeightLayout.allCases.flatMap { [$0.name(of: parameter), "\($0.shape(of: parameter))"] }
    }
    let header = ["runner", "shape"] + WeightLayout.allCases.flatMap { [$0.title, "shape"] }
    surroundings.console.put(([configuration.described, ""] + aligned([header] + rows)).joined(separator: "\n") + "\n")
    return .done
  }
}

extension ExportOptions {
  fileprivate var onnx: ONNXModel.Options {
    var onnx = ONNXModel.Options()
    (onnx.foldsBatchNorm, onnx.side) = (foldsBatchNorm, side)
    return onnx
  }
}

extension NetworkConfiguration {
  /// E.g. "unet+ (transposed)".
  fileprivate var title: String { upsamplingName.isEmpty ? architecture : "\(architecture) (\(upsamplingName))" }
  /// E.g. "unet+ (transposed), B = 8, N = 5, batch norm".
  fileprivate var described: String {
    "\(title), B = \(options.baseFilters), N = \(options.depth), \(options.batchNormalization ? "batch norm" : "no batch norm")"
  }
}

extension PreprocessSettings {
  /// In words, for the package's page.
  fileprivate var steps: [String] {
    (claheClip > 0 ? ["CLAHE, clip limit \(claheClip), \(claheTiles) tiles a side (scikit-image's `equalize_adapthist`)."] : [])
      + (tvWeight > 0 ? ["Total-variation de-noising, weight \(tvWeight) (scikit-image's `denoise_tv_chambolle`)."] : [])
      + ["Rescaling to [0, 1] by the image's least and greatest value."]
  }
}

extension EvaluateSettings {
  fileprivate var steps: [String] {
    [
      "A pixel is foreground where its probability exceeds \(threshold).", "Holes up to \(maximumHole) pixels are filled.",
      "Objects below \(minimumObject) pixels are dropped (\(connectivity) neighbours).",
    ]
  }
}
