import Diagnostics

/// Every setting a spec can have: one line a key, and the only place with defaults.
public enum KeyTable {
  /// In the order in which resolved specs and reports list them. A default may depend on keys above its own.
  public static let keys: [Key] = table.map { key in
    isOfNetworks(key.name)
      ? key.withEffect(Key.Effect { $0.model.architecture.isNetwork || isUsedByAThreshold(key.name, $0) ? nil : "with model.architecture \($0.model.architecture.rawValue)" })
      : key
  }

  /// What only a network can use: a threshold found in each scored image has no training images, no weights and no probabilities.
  private static func isOfNetworks(_ name: String) -> Bool {
    let section = name.prefix { $0 != "." }
    return switch section {
    case "seed", "augment", "train": true
    case "model": name != "model.architecture"
    case "patches": name != "patches.size"
    default: ["evaluate.threshold", "evaluate.timing_passes"].contains(name)
    }
  }

  /// Where validation images are scored, these say which they are.
  private static func isUsedByAThreshold(_ name: String, _ settings: TrialSettings) -> Bool {
    settings.evaluate.on == .validation && ["seed", "patches.split", "patches.validation_fraction"].contains(name)
  }

  private static let table: [Key] = [
    Key("seed", \.seed, .from(0), default: 1, "Seeds weights, drop-out, order of batches, split, augmentation and crops."),

    Key("model.architecture", \.model.architecture, default: .unet, required: true, "The network: U-Net, U-Net++ (L4 head) or U-Net+; or otsu, a threshold without one."),
    Key("model.base_filters", \.model.baseFilters, .from(1, to: 256), default: 16, "B, filters of the first level."),
    Key("model.depth", \.model.depth, .from(2, to: 7), default: 5, "N, levels of the network."),
    Key("model.l2", \.model.l2, .atLeast(0), default: 0, "λ, L2 coefficient on kernels, but those of transposed convolutions: λ·‖w‖² is added to the loss."),
    Key("model.upsampling", \.model.upsampling, default: .transposed, effect: [.when("model.architecture", \.model.architecture, .unetPlus)],
      "How U-Net+ doubles a side: transposed convolution (T.C.) or nearest neighbour (U.S.)."),
    Key("model.normalization", \.model.normalization,
      defaultBy: { ($0.model.architecture == .unetPlus ? .batch : .none, "the paper's: batch for unet+ alone") },
      "Batch norm after each convolution, or none."),
    Key("model.dropout", \.model.dropout, .rate,
      defaultBy: { [.unet, .unetPlusPlus].contains($0.model.architecture) ? (0.5, "the public Keras network's") : (0, "none in unet+") },
      stated: false, "Drop-out rate: unet after levels N−1 and N, unet++ after each convolution, unet+ after each block."),

    Key("data.source", \.data.source, default: .dsb2018, "The 2018 Data Science Bowl, a folder of images and masks, or synthetic nuclei."),
    Key("data.root", \.data.root, default: "", effect: [realData], "The data's folder; empty: --data, $RUNNER_DATA or the user's cache."),
    Key("data.selection", \.data.selection,
      defaultBy: { $0.data.source == .folder ? (.all, "every image of a folder of one's own") : (.greyDark, "the paper's") }, effect: [realData], "Which images: grey on a dark background (the paper's 546 and 53), all grey ones, or all."),
    Key("data.test_fraction", \.data.testFraction, .fraction, default: 0.2, stated: false, effect: [.when("data.source", \.data.source, .folder)],
      "Share of a folder's images kept for the test, where it has no test folder."),
    Key("data.synthetic.train", \.data.syntheticTrain, .from(1, to: 100_000), default: 24, effect: [syntheticData], "Synthetic images for training."),
    Key("data.synthetic.test", \.data.syntheticTest, .from(1, to: 100_000), default: 8, effect: [syntheticData], "Synthetic images for the test."),
    Key("data.synthetic.side", \.data.syntheticSide, .from(32, to: 4096), default: 256, effect: [syntheticData], "Side of a synthetic image, pixels."),
    Key("data.synthetic.seed", \.data.syntheticSeed, .from(0), default: 7, effect: [syntheticData], "Seeds the synthetic images; apart from `seed`, so that seeds share their data."),

    Key("preprocess.clahe_clip", \.preprocess.claheClip, .share, default: 0.01, stated: false, "CLAHE's clip limit; 0 switches CLAHE off."),
    Key("preprocess.clahe_tiles", \.preprocess.claheTiles, .from(1, to: 64), default: 8, stated: false,
      effect: [.unlessZero("preprocess.clahe_clip", \.preprocess.claheClip)], "CLAHE's tiles per side."),
    Key("preprocess.tv_weight", \.preprocess.tvWeight, .upTo(100), default: 0.1, stated: false, "Weight of total-variation de-noising; 0 switches it off."),
    Key("preprocess.tv_iterations", \.preprocess.tvIterations, .from(1, to: 10_000), default: 200, stated: false,
      effect: [.unlessZero("preprocess.tv_weight", \.preprocess.tvWeight)], "Most iterations of total-variation de-noising."),

    Key("augment.copies", \.augment.copies, .from(0, to: 100), default: 1, stated: false, "Augmented copies of each training image beside the original."),
    Key("augment.blur", \.augment.blur, .share, default: 0.3, stated: false, effect: [copies], "Probability that a copy is blurred (Gaussian, median or average)."),
    Key("augment.blur_radius", \.augment.blurRadius, .upTo(32), default: 2, stated: false,
      effect: [copies, .unlessZero("augment.blur", \.augment.blur)], "Largest radius of the blur, pixels."),
    Key("augment.color", \.augment.color, .share, default: 0.5, stated: false, effect: [copies], "Probability of a change in hue, saturation, contrast or illumination; grey has neither of the first two, and CLAHE takes most of the others out again."),
    Key("augment.color_strength", \.augment.colorStrength, .share, default: 0.2, stated: false,
      effect: [copies, .unlessZero("augment.color", \.augment.color)], "Largest relative change of colour."),
    Key("augment.flip", \.augment.flip, .share, default: 0.5, stated: false, effect: [copies], "Probability of a horizontal and, drawn apart, of a vertical flip."),
    Key("augment.rotation", \.augment.rotation, .upTo(180), default: 15, stated: false, effect: [copies], "Largest rotation either way, degrees, after a random quarter turn."),
    Key("augment.scale", \.augment.scale, .rate, default: 0.1, stated: false, effect: [copies], "Largest relative change of scale."),

    Key("patches.size", \.patches.size, .from(16, to: 4096), default: 256, "Side of a patch, pixels; divisible by 2^(model.depth − 1)."),
    Key("patches.crops_per_image", \.patches.cropsPerImage, .from(0, to: 1000), default: 1, stated: false, "Random crops of each training image and copy beside the grid; up to ten draws for each."),
    Key("patches.foreground_ratio", \.patches.foregroundRatio, .atLeast(0), default: 0.4,
      effect: [.unlessZero("patches.crops_per_image", \.patches.cropsPerImage)], "A random crop is kept where foreground/background exceeds this."),
    Key("patches.split", \.patches.split, default: .patch, "What is split into training and validation: patches (the paper) or whole images."),
    Key("patches.validation_fraction", \.patches.validationFraction, .fraction, default: 0.2, "Share that validates."),

    Key("train.epochs", \.train.epochs, .from(1, to: 100_000), default: 20, "Epochs of the main phase."),
    Key("train.batch", \.train.batch, .from(1, to: 4096), default: 16, stated: false, "Patches a step."),
    Key("train.learning_rate", \.train.learningRate, .above(0), default: 5e-4, "Adam's rate in the main phase."),
    Key("train.bce_weight", \.train.bceWeight, .atLeast(0), default: 1, "λ_BCE, weight of the cross-entropy beside −log Dice."),
    Key("train.dice_smooth", \.train.diceSmooth, .above(0), default: 1, stated: false, "Added to numerator and denominator of Dice."),
    Key("train.fine_tune.epochs", \.train.fineTune.epochs, .from(0, to: 100_000), default: 0, "Epochs of the fine-tuning phase; 0: none."),
    Key("train.fine_tune.learning_rate", \.train.fineTune.learningRate, .above(0), default: 1e-4,
      effect: [.unlessZero("train.fine_tune.epochs", \.train.fineTune.epochs)], "Adam's rate in the fine-tuning phase."),
    Key("train.precision", \.train.precision, default: .f32, "float32, or bfloat16 products with float32 master weights."),

    Key("evaluate.on", \.evaluate.on, default: .test,
      "Which images are scored: the test images, or, for choosing settings without a look at those, the validation images (wants patches.split: image)."),
    Key("evaluate.threshold", \.evaluate.threshold, .fraction, default: 0.5, "A pixel is foreground where its probability exceeds this."),
    Key("evaluate.maximum_hole", \.evaluate.maximumHole, .from(0, to: 1 << 24), default: 64, stated: false, "Holes up to this many pixels are filled."),
    Key("evaluate.minimum_object", \.evaluate.minimumObject, .from(0, to: 1 << 24), default: 30, stated: false, "Objects below this many pixels are dropped."),
    Key("evaluate.connectivity", \.evaluate.connectivity, .oneOf([4, 8]), default: 8, stated: false, "Neighbours that join pixels to one object."),
    Key("evaluate.timing_passes", \.evaluate.timingPasses, .from(1, to: 1000), default: 5, "Timed passes over the scored patches, after one to warm up."),
  ]

  private static let realData = Key.Effect.when("data.source", \.data.source, .dsb2018, .folder)
  private static let syntheticData = Key.Effect.when("data.source", \.data.source, .synthetic)
  private static let copies = Key.Effect.unlessZero("augment.copies", \.augment.copies)

  private static let byName = Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0) })

  /// The key with this dotted name.
  public static subscript(name: String) -> Key? { byName[name] }

  /// What one may have meant by a name that is no key.
  static func hints(forUnknown name: String) -> [String] {
    let group = keys.map(\.name).filter { $0.hasPrefix(name + ".") }
    if !group.isEmpty { return ["'\(name)' is a group of keys: \(group.prefix(6).joined(separator: ", "))\(group.count > 6 ? ", …" : "")"] }
    return nearestName(to: name, in: keys.map(\.name)).map { ["did you mean '\($0)'?"] } ?? []
  }

  /// Every key's canonical text in `settings`, in the table's order. Texts are equal exactly where the settings are.
  public static func values(of settings: TrialSettings) -> [(key: String, text: String)] {
    keys.map { ($0.name, $0.read(settings).text) }
  }

  /// Settings before any key has been written.
  static let blank = TrialSettings(
    seed: 0,
    model: ModelSettings(architecture: .unet, baseFilters: 0, depth: 0, l2: 0, upsampling: .transposed, normalization: .none, dropout: 0),
    data: DataSettings(
      source: .dsb2018, root: "", selection: .all, testFraction: 0, syntheticTrain: 0, syntheticTest: 0, syntheticSide: 0, syntheticSeed: 0),
    preprocess: PreprocessSettings(claheClip: 0, claheTiles: 0, tvWeight: 0, tvIterations: 0),
    augment: AugmentSettings(copies: 0, blur: 0, blurRadius: 0, color: 0, colorStrength: 0, flip: 0, rotation: 0, scale: 0),
    patches: PatchSettings(size: 0, cropsPerImage: 0, foregroundRatio: 0, split: .patch, validationFraction: 0),
    train: TrainSettings(
      epochs: 0, batch: 0, learningRate: 0, bceWeight: 0, diceSmooth: 0, fineTune: .init(epochs: 0, learningRate: 0), precision: .f32),
    evaluate: EvaluateSettings(on: .test, threshold: 0, maximumHole: 0, minimumObject: 0, connectivity: 0, timingPasses: 0))
}

extension TrialSettings {
  /// The key table's defaults for a network.
  public static func defaults(for architecture: ModelSettings.Architecture) -> TrialSettings {
    var settings = KeyTable.blank
    for key in KeyTable.keys {
      key.write(&settings, key.name == "model.architecture" ? architecture.keyValue : key.defaultValue(settings).value)
    }
    return settings
  }
}
