import ExperimentSpec
import Imaging

/// An image as the networks see it: preprocessed, in 16 bits a pixel, as patch stores keep it.
public struct PreparedImage: Sendable {
  private let values: Image<UInt16>
  public var height: Int { values.height }
  public var width: Int { values.width }

  /// - Parameter image: grey values in [0, 1].
  public init(_ image: GrayImage, _ settings: PreprocessSettings) {
    values = image.preprocessed(settings).map(PatchValue.stored)
  }

  /// Writes a patch, `[size, size]` in [0, 1]; what lies outside of the image is 0.
  public func copyPatch(_ origin: PatchOrigin, size: Int, into patch: UnsafeMutablePointer<Float>) {
    patch.update(repeating: 0, count: size * size)
    values.copyPatch(origin, size: size) { patch[$0] = PatchValue.value($1) }
  }
}

/// How a patch's values are kept: 0…65,535 for 0…1.
enum PatchValue {
  static func stored(_ value: Float) -> UInt16 { UInt16(min(max(value, 0), 1) * 65_535 + 0.5) }
  static func value(_ stored: UInt16) -> Float { Float(stored) * (1 / 65_535) }
}

extension GrayImage {
  /// CLAHE, total-variation de-noising, rescaling to [0, 1].
  func preprocessed(_ settings: PreprocessSettings) -> GrayImage {
    preprocessed(
      claheClip: settings.claheClip, claheTiles: settings.claheTiles, tvWeight: settings.tvWeight, tvIterations: settings.tvIterations)
  }
}
