import Diagnostics
import Engine
import Foundation
import Imaging

extension Runner {
  private struct PreprocessingSummary: Encodable {
    var mode = "preprocess"
    var threads = 1
    var ms_per_patch_median, ms_per_patch_min: Double
    var peak_rss_mb: Double
    var steps: Int
  }

  /// Milliseconds of CLAHE, total-variation de-noising and rescaling, with the spec's default settings, of one made-up
  /// 512 × 640 image after the other on one thread.
  /// - Parameter seconds: how long to go on; three images at least.
  public static func benchPreprocessing(seconds: Double, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    let clock = ContinuousClock(), image = bumps(height: 512, width: 640)
    func preprocess() { _ = image.preprocessed(claheClip: 0.01, claheTiles: 8, tvWeight: 0.1, tvIterations: 200) }
    preprocess()
    var times: [Double] = []
    let begin = clock.now
    while times.count < 3 || (clock.now - begin).seconds < seconds {
      let before = clock.now
      preprocess()
      times.append((clock.now - before).seconds * 1e3)
    }
    let summary = PreprocessingSummary(
      ms_per_patch_median: times.sorted()[times.count / 2], ms_per_patch_min: times.min()!, peak_rss_mb: Processor.peakResidentMegabytes,
      steps: times.count)
    if json {
      surroundings.console.put(try jsonText(summary))
    } else {
      surroundings.console.print(
        "CLAHE and total variation of a 512 × 640 image, 1 thread: \(ProgressText.fixed(summary.ms_per_patch_median, 1)) ms "
          + "(min \(ProgressText.fixed(summary.ms_per_patch_min, 1)))")
    }
    return .done
  }

  /// Nuclei's like on a grainy ground, 8 bits deep, by a formula that other programs can follow (`Benchmarks/peers/skimage_preprocess.py`).
  private static func bumps(height: Int, width: Int) -> GrayImage {
    var image = GrayImage(width: width, height: height, repeating: 0)
    for y in 0..<height {
      for x in 0..<width {
        let noise = Double((y * width + x) * 2_654_435_761 % (1 << 32)) / 0x1p32
        let value = 0.1 + 0.5 * max(0, sin(Double(x) / 14) * sin(Double(y) / 17)) + 0.1 * noise
        image[y, x] = Float((255 * value + 0.5).rounded(.down)) / 255
      }
    }
    return image
  }
}
