import ExperimentSpec
import Imaging
import TensorCore

/// Patches of prepared images with their masks, made once and shared by every trial of the same data, preparation and seed.
///
/// Images are kept in 16 bits (value · 65,535, an error of at most 8e-6) and masks in 8, so that a patch of 256 × 256 takes 192 KiB.
public struct PatchStore: Sendable {
  /// An image that patches were cut from.
  public struct Source: Sendable, Hashable, Codable {
    public var id: String
    public var height: Int
    public var width: Int
    public init(id: String, height: Int, width: Int) { (self.id, self.height, self.width) = (id, height, width) }
  }

  public struct Patch: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Hashable, Codable { case grid, crop }
    /// Position in `sources`.
    public var source: Int
    /// 0: the image itself; 1…: its augmented copies.
    public var copy: Int
    public var origin: PatchOrigin
    public var kind: Kind
    public init(source: Int, copy: Int, origin: PatchOrigin, kind: Kind) {
      (self.source, self.copy, self.origin, self.kind) = (source, copy, origin, kind)
    }
  }

  /// Side of a patch, pixels.
  public let size: Int
  public let sources: [Source]
  /// Ordered by source, copy, kind (grid first) and draw.
  public let patches: [Patch]
  let storage: MappedMemory
  /// Where patch i's values stand: image `slots[i]` of those at `imagesOffset`, mask `slots[i]` of those at `masksOffset` (bytes).
  let slots: [Int]
  let imagesOffset: Int
  let masksOffset: Int

  public var count: Int { patches.count }
  var area: Int { size * size }

  init(size: Int, sources: [Source], patches: [Patch], storage: MappedMemory, slots: [Int], imagesOffset: Int, masksOffset: Int) {
    precondition(slots.count == patches.count, "\(slots.count) places for \(patches.count) patches")
    (self.size, self.sources, self.patches, self.storage) = (size, sources, patches, storage)
    (self.slots, self.imagesOffset, self.masksOffset) = (slots, imagesOffset, masksOffset)
  }

  /// `[size, size]`, 0…65,535 for 0…1.
  func imageValues(_ index: Int) -> UnsafeBufferPointer<UInt16> {
    let start = storage.base.advanced(by: imagesOffset + slots[index] * area * 2)
    return UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt16.self), count: area)
  }

  func maskValues(_ index: Int) -> UnsafeBufferPointer<UInt8> {
    let start = storage.base.advanced(by: masksOffset + slots[index] * area)
    return UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: area)
  }

  /// Writes patch `index`'s image, `[size, size]` in [0, 1].
  public func copyImage(_ index: Int, into out: UnsafeMutablePointer<Float>) {
    let values = imageValues(index)
    for (i, value) in values.enumerated() { out[i] = PatchValue.value(value) }
    storage.release(UnsafeRawBufferPointer(values))
  }

  /// Writes patch `index`'s mask, `[size, size]`, 0 and 1.
  public func copyMask(_ index: Int, into out: UnsafeMutablePointer<UInt8>) {
    let values = maskValues(index)
    out.update(from: values.baseAddress!, count: values.count)
    storage.release(UnsafeRawBufferPointer(values))
  }

  public func image(_ index: Int) -> GrayImage {
    var image = GrayImage(width: size, height: size, repeating: 0)
    image.pixels.withUnsafeMutableBufferPointer { copyImage(index, into: $0.baseAddress!) }
    return image
  }

  public func mask(_ index: Int) -> Mask { Mask(width: size, height: size, pixels: Array(maskValues(index))) }

  /// The patches of a source, which stand together.
  public func patchRange(source: Int) -> Range<Int> {
    let first = patches.firstIndex { $0.source == source } ?? patches.endIndex
    return first..<(patches[first...].firstIndex { $0.source != source } ?? patches.endIndex)
  }

  /// A source's whole image `[height, width]` from per-patch values, by maximum where patches overlap.
  ///
  /// - Parameter values: `[patchRange(source).count, size, size]`, for instance the network's probabilities. The store must be a test store (grid, no copies).
  public func merged(source: Int, _ values: [Float]) -> GrayImage {
    let range = patchRange(source: source)
    precondition(patches[range].allSatisfy { $0.copy == 0 && $0.kind == .grid }, "only grid patches without copies make one image")
    return mergeMaximum(values, at: patches[range].map(\.origin), height: sources[source].height, width: sources[source].width, size: size)
  }

  /// A source's prepared image, `[height, width]`.
  public func preparedImage(source: Int) -> GrayImage { merged(source: source, patchRange(source: source).flatMap { image($0).pixels }) }
}

/// Positions in a `PatchStore`, ascending.
public struct PatchSplit: Sendable, Hashable {
  public var training: [Int]
  public var validation: [Int]
}

extension PatchStore {
  /// Draws the validation patches: single patches (the paper), or all patches of drawn images. From two on, neither side is empty.
  public func split(_ settings: PatchSettings, seed: Int) -> PatchSplit {
    let byPatch = settings.split == .patch
    let validation = settings.validating(of: byPatch ? count : sources.count, seed: seed)
    func validates(_ patch: Int) -> Bool { validation.contains(byPatch ? patch : patches[patch].source) }
    return PatchSplit(training: patches.indices.filter { !validates($0) }, validation: patches.indices.filter(validates))
  }
}

extension PatchSettings {
  /// Which of `count` patches or images validate, by position. From two on, neither side is empty.
  public func validating(of count: Int, seed: Int) -> Set<Int> {
    var random = CounterRandom(seed: seed, purpose: .split)
    let wanted = Int((validationFraction * Double(count)).rounded())
    let drawn = validationFraction > 0 ? min(max(wanted, 1), count - 1) : 0
    return Set(random.permutation(count).prefix(max(0, drawn)))
  }
}
