/// Everything that decides one trial's outcome, fully resolved: no optionals that later rooms would have to default.
/// Defaults stand in the key table (`KeyTable.swift`), the only place that has any.
public struct TrialSettings: Sendable, Hashable, Codable {
  public var seed: Int
  public var model: ModelSettings
  public var data: DataSettings
  public var preprocess: PreprocessSettings
  public var augment: AugmentSettings
  public var patches: PatchSettings
  public var train: TrainSettings
  public var evaluate: EvaluateSettings
}

public struct ModelSettings: Sendable, Hashable, Codable {
  public enum Architecture: String, Sendable, Hashable, Codable, CaseIterable {
    case unet, unetPlusPlus = "unet++", unetPlus = "unet+"
    /// No network: Otsu's threshold of each prepared test image, a baseline. Nothing is trained.
    case otsu
    /// Whether it has weights, and so a training.
    public var isNetwork: Bool { self != .otsu }
  }
  public enum Upsampling: String, Sendable, Hashable, Codable, CaseIterable { case transposed, nearest }
  public enum Normalization: String, Sendable, Hashable, Codable, CaseIterable { case none, batch }
  public var architecture: Architecture
  /// B, filters of the first level.
  public var baseFilters: Int
  /// N, levels (2…7).
  public var depth: Int
  /// λ, L2 coefficient on kernels: λ·‖w‖² is added to the loss.
  public var l2: Double
  /// How U-Net+ doubles a side; without effect on the other two.
  public var upsampling: Upsampling
  /// The paper's by default: batch for unet+ alone.
  public var normalization: Normalization
  /// Drop-out rate; by default 0.5 for unet (levels N−1, N) and unet++ (after each convolution), 0 for unet+.
  public var dropout: Double
}

public struct DataSettings: Sendable, Hashable, Codable {
  public enum Source: String, Sendable, Hashable, Codable, CaseIterable { case dsb2018, folder, synthetic }
  public enum Selection: String, Sendable, Hashable, Codable, CaseIterable {
    /// Grey images with a dark background: the paper's 546 and 53.
    case greyDark = "grey_dark"
    case grey, all
  }
  public var source: Source
  /// The data's folder, relative to the working folder; empty: `--data`, `$RUNNER_DATA` or the user's cache. Never enters a fingerprint.
  public var root: String
  public var selection: Selection
  /// Share of a folder's images kept for the test (source folder without a `test` folder).
  public var testFraction: Double
  /// Synthetic nuclei: number of training and test images, their side, and the seed that makes them.
  public var syntheticTrain: Int
  public var syntheticTest: Int
  public var syntheticSide: Int
  public var syntheticSeed: Int
}

public struct PreprocessSettings: Sendable, Hashable, Codable {
  /// CLAHE's clip limit (skimage's `clip_limit`, 0…1); 0 switches CLAHE off.
  public var claheClip: Double
  /// CLAHE's tiles per side (skimage's default kernel is 1/8 of the side).
  public var claheTiles: Int
  /// Chambolle's weight; 0 switches de-noising off.
  public var tvWeight: Double
  public var tvIterations: Int
}

public struct AugmentSettings: Sendable, Hashable, Codable {
  /// Augmented copies of each training image beside the original.
  public var copies: Int
  /// Probability that a copy is blurred (Gaussian, median or average, drawn evenly), and the largest radius in pixels.
  public var blur: Double
  public var blurRadius: Double
  /// Probability of a change in colour, and the largest relative change of hue, saturation, contrast and illumination.
  public var color: Double
  public var colorStrength: Double
  /// Probability of a horizontal and, drawn apart, a vertical flip.
  public var flip: Double
  /// Largest rotation, degrees either way, after a random quarter turn.
  public var rotation: Double
  /// Largest relative change of scale.
  public var scale: Double
}

public struct PatchSettings: Sendable, Hashable, Codable {
  public enum Split: String, Sendable, Hashable, Codable, CaseIterable { case patch, image }
  /// Side of a patch, pixels.
  public var size: Int
  /// Random crops drawn per training image, kept where foreground/background exceeds `foregroundRatio`.
  public var cropsPerImage: Int
  public var foregroundRatio: Double
  /// What the 8 : 2 split draws: patches (the paper) or whole images.
  public var split: Split
  public var validationFraction: Double
}

public struct TrainSettings: Sendable, Hashable, Codable {
  public enum Precision: String, Sendable, Hashable, Codable, CaseIterable { case f32, bf16 }
  public var epochs: Int
  public var batch: Int
  public var learningRate: Double
  /// λ_BCE, weight of the binary cross-entropy beside −log Dice.
  public var bceWeight: Double
  /// Added to numerator and denominator of Dice.
  public var diceSmooth: Double
  public var fineTune: FineTune
  public var precision: Precision
  public struct FineTune: Sendable, Hashable, Codable {
    /// 0: no fine-tuning phase.
    public var epochs: Int
    public var learningRate: Double
    public init(epochs: Int, learningRate: Double) { (self.epochs, self.learningRate) = (epochs, learningRate) }
  }
}

public struct EvaluateSettings: Sendable, Hashable, Codable {
  public enum Images: String, Sendable, Hashable, Codable, CaseIterable { case test, validation }
  /// Which images are scored and timed; validation needs a split by image.
  public var on: Images
  /// A pixel is foreground where its probability exceeds this.
  public var threshold: Double
  /// Holes up to this many pixels are filled; objects below `minimumObject` pixels are dropped.
  public var maximumHole: Int
  public var minimumObject: Int
  /// 4 or 8, for connected regions of truth and prediction.
  public var connectivity: Int
  /// Timed passes over the scored images' patches after a warm-up pass.
  public var timingPasses: Int
}
