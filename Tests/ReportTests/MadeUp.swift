import ExperimentSpec
import Foundation
import Imaging
import Report

/// Records that no network ever produced: smooth formulas with round numbers, for the tests alone.
enum MadeUp {
  static let networks = ["U-Net", "U-Net++", "U-Net+ (T.C.)", "U-Net+ (U.S.)"]

  /// `quality` is the score its images lie around; image `i` of `images` is as hard for every trial.
  static func record(_ trial: String, seed: Int = 1, quality: Double, epochs: Int = 20, fineTune: Int = 0, images: Int = 12) -> TrialRecord {
    let losses = (1...(epochs + fineTune)).map { epoch -> EpochLoss in
      let tuning = epoch > epochs
      let validation = rounded(0.9 / Double(epoch * epoch) + 0.6 - 0.8 * quality + 0.004 * Double((epoch * 7 + seed * 3) % 5) - (tuning ? 0.02 : 0))
      return EpochLoss(
        phase: tuning ? "fine-tune" : "train", epoch: epoch, trainLoss: rounded(validation * 0.94 + 0.3 / Double(epoch * epoch)),
        validationLoss: validation, penalty: trial == "U-Net++" ? rounded(0.36 / Double(epoch).squareRoot()) : 0, learningRate: tuning ? 1e-4 : 5e-4)
    }
    let best = losses.min { $0.validationLoss < $1.validationLoss }!
    return TrialRecord(
      trial: trial, seed: seed, fingerprint: "made-up-\(networks.firstIndex(of: trial) ?? 9)-\(seed)", architecture: trial == "U-Net" ? "unet" : trial == "U-Net++" ? "unet++" : "unet+",
      baseFilters: 16, depth: 5, l2: trial == "U-Net++" ? 1e-4 : 0, upsampling: trial.hasSuffix("(U.S.)") ? "nearest" : "transposed",
      parameters: [1_941_093, 2_261_601, 1_926_065, 1_729_985][networks.firstIndex(of: trial) ?? 0], trainableParameters: 1_700_000, multiplyAdds: 3_430_000_000,
      trainingPatches: 2804, validationPatches: 700, losses: losses, bestEpoch: best.epoch, validationLoss: best.validationLoss,
      images: (0..<images).map { score($0, quality: quality + 0.001 * Double(seed - 1)) } + [empty])
  }

  static func score(_ index: Int, quality: Double) -> ImageScore {
    let value = rounded(quality + 0.05 * Double(index % 5 - 2) + 0.002 * Double(index * 11 % 7))
    return ImageScore(
      image: "made-up-\(index < 10 ? "0" : "")\(index)", nuclei: 10 + index, objects: 9 + index, averageIoU: value, iouAt050: rounded(value + 0.2),
      averagePrecision: rounded(value + 0.06), contestScore: rounded(value - 0.1), annotatedNuclei: 12 + index, annotatedAverageIoU: rounded(value - 0.13),
      annotatedIoUAt050: rounded(value + 0.1), annotatedAveragePrecision: rounded(value - 0.12), contestScoreByRegions: rounded(value - 0.05), empty: false)
  }

  static let empty = ImageScore(
    image: "made-up-empty", nuclei: 0, objects: 0, averageIoU: .nan, iouAt050: .nan, averagePrecision: .nan, contestScore: .nan, annotatedNuclei: 0,
    annotatedAverageIoU: .nan, annotatedIoUAt050: .nan, annotatedAveragePrecision: .nan, contestScoreByRegions: .nan, empty: true)

  static func timing(_ trial: String, seed: Int = 1, milliseconds: Double) -> TimingRecord {
    TimingRecord(
      trial: trial, seed: seed, threads: 2, precision: "f32", millisecondsPerPatchMedian: milliseconds, millisecondsPerPatchMinimum: milliseconds - 0.5,
      passes: [0, -0.5, 0.25, 0.5, -0.25].map { milliseconds + $0 }, trainSeconds: milliseconds * 100, peakRSSMegabytes: 812, trainThreads: 2, isMain: true, turn: "made up",
      processor: "a <made-up> one", isOfTrainedWeights: true)
  }

  private static func rounded(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }

  /// The paper's Table 1 as a made-up experiment of four networks, one seed.
  static var table1: ReportInputs {
    let published = zip(networks, [(0.533, 0.173, 0.600, 1.941e6, 14.9), (0.552, 0.217, 0.617, 2.262e6, 22.0), (0.566, 0.178, 0.634, 1.926e6, 15.3), (0.551, 0.187, 0.620, 1.730e6, 21.5)])
      .map { name, row in
        ReportSettings.Published(
          trial: name, values: ["average_iou": row.0, "average_iou_sd": row.1, "average_precision": row.2, "parameters": row.3, "ms_per_patch": row.4],
          tolerance: ["average_iou": 0.03, "parameters": 500], source: "Table 1")
      }
    return ReportInputs(
      name: "made-up", title: "Made-up numbers for the tests",
      report: ReportSettings(
        rows: ["average_iou", "average_precision", "parameters", "ms_per_patch"], published: published,
        claims: [
          Claim("U-Net+ (T.C.) segments better than U-Net", metric: "average_iou", .greater, "U-Net+ (T.C.)", .trial("U-Net")),
          Claim("It does so by 1 to 3 points", metric: "average_iou", .greater, "U-Net+ (T.C.)", .trial("U-Net"), margin: .init(.points, 1, 3)),
          Claim("U-Net++ segments better than U-Net+ (T.C.)", metric: "average_iou", .greater, "U-Net++", .trial("U-Net+ (T.C.)")),
          Claim(
            "U-Net+ (T.C.) has about 15 % fewer weights than U-Net++", metric: "parameters", .less, "U-Net+ (T.C.)", .trial("U-Net++"),
            margin: .init(.perCent, 14.5, 15.5), test: "exact"),
          Claim("U-Net+ (T.C.) needs less than 8 MB", metric: "size_mb", .less, "U-Net+ (T.C.)", .number(8), test: "exact"),
          Claim("U-Net ends around 0.13 to 0.15", metric: "val_loss", .alike, "U-Net", .number(0.14), margin: .init(.absolute, 0.01), test: "over_seeds"),
          Claim("U-Net++ is slower than U-Net", metric: "ms_per_patch", .greater, "U-Net++", .trial("U-Net"), test: "rank_sum"),
          Claim(
            "U-Net+ (T.C.) and U-Net take similar time", metric: "ms_per_patch", .alike, "U-Net+ (T.C.)", .trial("U-Net"), margin: .init(.perCent, 10),
            test: "rank_sum"),
        ],
        figureImages: [], remark: "Made up: no network was trained for these numbers."),
      expected: networks.map { ExpectedTrial(trial: $0, seed: 1) },
      records: zip(networks, [0.52, 0.58, 0.57, 0.55]).map { record($0, quality: $1, fineTune: $0 == "U-Net++" ? 5 : 0) },
      timings: zip(networks, [41.2, 88.9, 60.1, 79.4]).map { timing($0, milliseconds: $1) },
      settings: [
        SettingRow(key: "model.base_filters", value: "16", doc: "B, filters of the first level"),
        SettingRow(key: "train.epochs", value: "20", doc: "Epochs | before fine-tuning"),
      ],
      notStated: [SettingRow(key: "evaluate.connectivity", value: "8", doc: "Whether regions join over corners is not stated.")],
      withoutKey: "kernels begin with He's normal distribution (truncated, variance 2 / fan-in), as in the public U-Net; biases at 0; "
        + "Adam's ε is 1e-7, batch norm's ε 1e-3 and its momentum 0.99, the defaults of Keras 2.2.4.",
      data: [NamedValue(key: "test images", value: "13"), NamedValue(key: "digest", value: "made-up")],
      provenance: [
        ProvenanceRow(key: "version", value: "0.0.0", clock: false), ProvenanceRow(key: "processor", value: "a <made-up> one", clock: true),
      ])
  }

  /// Discs on a grid; the prediction lacks one, has one too many and has all a little shifted.
  static func scene(width: Int, height: Int, brightness: Float) -> (image: GrayImage, truth: Mask, prediction: Mask) {
    func discs(_ shift: Int, from first: Int, through last: Int) -> Mask {
      var mask = Mask(width: width, height: height, repeating: 0)
      for index in first...last {
        let cy = (index * 37 + 30) % height + shift, cx = (index * 71 + 25) % width + shift, radius = 8 + index % 3 * 6
        for y in max(0, cy - radius)..<min(height, cy + radius) {
          for x in max(0, cx - radius)..<min(width, cx + radius) where (y - cy) * (y - cy) + (x - cx) * (x - cx) < radius * radius { mask[y, x] = 1 }
        }
      }
      return mask
    }
    let truth = discs(0, from: 0, through: 7)
    return (truth.map { ($0 == 1 ? 0.8 : 0.15) * brightness }, truth, discs(2, from: 1, through: 8))
  }
}

/// A folder for one test, gone afterwards.
func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("report-tests-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder)
}

func contents(_ folder: URL, _ name: String) throws -> String { try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8) }
