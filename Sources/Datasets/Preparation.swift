import Diagnostics
import ExperimentSpec
import Imaging
import Synchronization
import TensorCore

/// How patches are made; `PatchStore.prepare` is a pure function of this, the items and their files.
public struct Preparation: Sendable, Hashable {
  public var preprocess: PreprocessSettings
  /// nil: images as they are, no crops (those that are scored).
  public var augment: AugmentSettings?
  public var patches: PatchSettings
  /// Draws of an image depend on this, the image's position and the copy alone, so trials of one seed share their patches.
  public var seed: Int

  public static func training(_ settings: TrialSettings) -> Preparation {
    Preparation(preprocess: settings.preprocess, augment: settings.augment, patches: settings.patches, seed: settings.seed)
  }

  /// No draw is made: the same for every seed.
  public static func scoring(_ settings: TrialSettings) -> Preparation {
    Preparation(preprocess: settings.preprocess, augment: nil, patches: settings.patches, seed: 0)
  }

  public init(preprocess: PreprocessSettings, augment: AugmentSettings?, patches: PatchSettings, seed: Int) {
    (self.preprocess, self.augment, self.patches, self.seed) = (preprocess, augment, patches, seed)
  }

  /// Draws for one crop until one is kept or this many have failed.
  static let triesPerCrop = 10

  var copies: Int { augment?.copies ?? 0 }
  var crops: Int { augment == nil ? 0 : patches.cropsPerImage }

  /// An image's version: copy 0 as it is, the others augmented; then CLAHE, total-variation de-noising, rescaling to [0, 1].
  func version(_ copy: Int, of image: GrayImage, _ mask: Mask, position: Int) -> (image: GrayImage, mask: Mask) {
    var (image, mask) = (image, mask)
    if copy > 0, let augment {
      var random = CounterRandom(seed: seed, purpose: .augmentation, epoch: copy, sample: position)
      let recipe = AugmentationRecipe(
        blur: augment.blur, blurRadius: augment.blurRadius, color: augment.color, colorStrength: augment.colorStrength, flip: augment.flip,
        rotation: augment.rotation, scale: augment.scale)
      (image, mask) = Imaging.augment(image: image, mask: mask, recipe: recipe, random: &random)
    }
    return (image.preprocessed(preprocess), mask)
  }

  /// Origins of random crops whose foreground/background exceeds the ratio. An image that one patch covers has none: it would be that patch again.
  func cropOrigins(_ mask: Mask, copy: Int, position: Int) -> [PatchOrigin] {
    let size = patches.size
    guard crops > 0, mask.height > size || mask.width > size else { return [] }
    var random = CounterRandom(seed: seed, purpose: .crops, epoch: copy, sample: position)
    var kept: [PatchOrigin] = []
    for _ in 0..<crops {
      for _ in 0..<Self.triesPerCrop {
        let origin = PatchOrigin(y: random.below(max(1, mask.height - size + 1)), x: random.below(max(1, mask.width - size + 1)))
        if exceedsRatio(mask, origin) {
          kept.append(origin)
          break
        }
      }
    }
    return kept
  }

  /// Padding counts as neither.
  private func exceedsRatio(_ mask: Mask, _ origin: PatchOrigin) -> Bool {
    let rows = origin.y..<min(origin.y + patches.size, mask.height), columns = origin.x..<min(origin.x + patches.size, mask.width)
    var foreground = 0
    for y in rows {
      for x in columns where mask[y, x] != 0 { foreground += 1 }
    }
    return Double(foreground) > patches.foregroundRatio * Double(rows.count * columns.count - foreground)
  }
}

extension PatchStore {
  /// Cuts the items' images into patches: the grid of each version (the image and its augmented copies), then its random crops.
  ///
  /// The same bits for any number of threads. `progress` gets (images done, images in all), from several threads; what it
  /// throws ends the work. Throws `UserError` where an image or its truth cannot be read.
  public static func prepare(
    _ items: [DatasetItem], of dataset: any Dataset, _ preparation: Preparation, threads: Int,
    progress: (@Sendable (Int, Int) throws -> Void)? = nil
  ) throws -> PatchStore {
    let size = preparation.patches.size, area = size * size
    // Room for all that may be cut, so that every image knows its place at once; pages that crops leave unused are never touched.
    var places = [0]
    for item in items {
      let grid = patchOrigins(height: item.height, width: item.width, size: size).count
      places.append(places.last! + (1 + preparation.copies) * (grid + preparation.crops))
    }
    let room = places.last!
    let storage = try MappedMemory(byteCount: 3 * room * area), starts = places, done = Atomic(0)
    let cut = try parallelMap(count: items.count, threads: threads) { position in
      let item = items[position], image = try dataset.image(item).gray, mask = try dataset.truth(item).mask
      guard image.height == item.height, image.width == item.width else {
        throw UserError.damaged(item.id, "image of \(image.width) × \(image.height) pixels; it had \(item.width) × \(item.height) when the data was indexed")
      }
      var patches: [Patch] = []
      for copy in 0...preparation.copies {
        let version = preparation.version(copy, of: image, mask, position: position)
        let grid = patchOrigins(height: version.image.height, width: version.image.width, size: size)
        let crops = preparation.cropOrigins(version.mask, copy: copy, position: position)
        for (kind, origins) in [(Patch.Kind.grid, grid), (.crop, crops)] {
          for origin in origins {
            let slot = starts[position] + patches.count
            precondition(slot < starts[position + 1], "\(item.id): more patches than its size allows")
            let pixels = storage.base.advanced(by: 2 * slot * area).assumingMemoryBound(to: UInt16.self)
            let truth = storage.base.advanced(by: (2 * room + slot) * area).assumingMemoryBound(to: UInt8.self)
            version.image.copyPatch(origin, size: size) { pixels[$0] = PatchValue.stored($1) }
            version.mask.copyPatch(origin, size: size) { truth[$0] = $1 == 0 ? 0 : 1 }
            patches.append(Patch(source: position, copy: copy, origin: origin, kind: kind))
          }
        }
      }
      try progress?(done.add(1, ordering: .relaxed).newValue, items.count)
      return patches
    }
    return PatchStore(
      size: size, sources: items.map { Source(id: $0.id, height: $0.height, width: $0.width) }, patches: cut.flatMap { $0 }, storage: storage,
      slots: zip(starts, cut).flatMap { start, patches in patches.indices.map { start + $0 } }, imagesOffset: 0, masksOffset: 2 * room * area)
  }
}

extension Image {
  /// Gives each pixel of a patch that lies inside the image, with its place in the patch.
  func copyPatch(_ origin: PatchOrigin, size: Int, _ put: (_ place: Int, _ value: Pixel) -> Void) {
    pixels.withUnsafeBufferPointer { pixels in
      for row in 0..<min(size, height - origin.y) {
        let from = (origin.y + row) * width + origin.x
        for column in 0..<min(size, width - origin.x) { put(row * size + column, pixels[from + column]) }
      }
    }
  }
}
