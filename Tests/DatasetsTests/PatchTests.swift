import Diagnostics
import ExperimentSpec
import Files
import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite struct PatchGridTests {
  @Test(arguments: [
    (256, 256, [0], [0]), (256, 320, [0], [0, 64]), (519, 161, [0, 256, 263], [0]), (520, 696, [0, 256, 264], [0, 256, 440]),
    (512, 640, [0, 256], [0, 256, 384]), (100, 80, [0], [0]), (257, 1, [0, 1], [0]),
  ])
  func origins(_ height: Int, _ width: Int, _ rows: [Int], _ columns: [Int]) {
    let expected = rows.flatMap { y in columns.map { PatchOrigin(y: y, x: $0) } }
    #expect(patchOrigins(height: height, width: width, size: 256) == expected)
  }

  @Test func everyPixelIsCovered() {
    for (height, width, size) in [(37, 50, 16), (16, 16, 16), (5, 90, 16), (48, 47, 16)] {
      let origins = patchOrigins(height: height, width: width, size: size)
      #expect(origins.count == ((height + size - 1) / size) * ((width + size - 1) / size))
      var covered = Mask(width: width, height: height, repeating: 0)
      for origin in origins {
        #expect(origin.y >= 0 && origin.x >= 0 && (origin.y + size <= height || origin.y == 0) && (origin.x + size <= width || origin.x == 0))
        for y in origin.y..<min(origin.y + size, height) { for x in origin.x..<min(origin.x + size, width) { covered[y, x] = 1 } }
      }
      #expect(covered.pixels.allSatisfy { $0 == 1 })
    }
  }

  @Test func overlapsTakeTheMaximum() {
    // Two patches of 2 × 2 over 2 × 3: the middle column belongs to both.
    let merged = mergeMaximum(
      [1, 2, 3, 4, /**/ 9, 5, 0, 6], at: [PatchOrigin(y: 0, x: 0), PatchOrigin(y: 0, x: 1)], height: 2, width: 3, size: 2)
    #expect(merged.pixels == [1, 9, 5, 3, 4, 6])
    // Padding is dropped: 1 × 2 pixels of a patch of 3 × 3.
    #expect(mergeMaximum([1, 2, 8, 8, 8, 8, 8, 8, 8], at: [PatchOrigin(y: 0, x: 0)], height: 1, width: 2, size: 3).pixels == [1, 2])
  }
}

@Suite struct PatchStoreTests {
  let dataset: any Dataset
  let items: [DatasetItem]

  init() throws {
    // 40 is no multiple of 32, so there are crops and overlapping patches.
    dataset = SyntheticNuclei(Sample.data(.synthetic, train: 5, test: 2, side: 40, seed: 3))
    items = try dataset.index(threads: 2).training
  }

  func preparation(seed: Int = 1, copies: Int? = 2, ratio: Double = 0.15) -> Preparation {
    Preparation(
      preprocess: Sample.preprocess(), augment: copies.map { Sample.augment(copies: $0) }, patches: Sample.patches(ratio: ratio), seed: seed)
  }

  func prepare(_ preparation: Preparation, _ items: [DatasetItem]? = nil, threads: Int = 2) throws -> PatchStore {
    try PatchStore.prepare(items ?? self.items, of: dataset, preparation, threads: threads)
  }

  @Test func ordersGridThenCropsOfEachVersion() throws {
    let store = try prepare(preparation())
    #expect(store.patches.filter { $0.kind == .grid }.count == 5 * 3 * 4)
    #expect(store.patches.contains { $0.kind == .crop }, "the test needs some crops")
    let order = store.patches.map { [$0.source, $0.copy, $0.kind == .grid ? 0 : 1] }
    #expect(zip(order, order.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) })
    for source in 0..<5 { #expect(store.patches[store.patchRange(source: source)].allSatisfy { $0.source == source }) }
    #expect(store.sources.map(\.id) == items.map(\.id))
  }

  @Test func sameBitsForAnyNumberOfThreads() throws {
    let one = try prepare(preparation(), threads: 1)
    for threads in [2, 5] { #expect(try prepare(preparation(), threads: threads).isSame(as: one)) }
  }

  /// An image's draws do not depend on what other images are there, and another seed draws otherwise.
  @Test func drawsAreKeyedByImage() throws {
    let (all, first) = (try prepare(preparation()), try prepare(preparation(), Array(items.prefix(2))))
    #expect(first.patches == Array(all.patches.prefix(first.count)))
    #expect(first.patches.indices.allSatisfy { first.image($0) == all.image($0) && first.mask($0) == all.mask($0) })
    let other = try prepare(preparation(seed: 2))
    #expect(other.image(0) == all.image(0), "the image itself is not varied")
    #expect(!other.isSame(as: all))
    let copies = all.patches.indices.filter { all.patches[$0].kind == .grid && all.patches[$0].origin == PatchOrigin(y: 0, x: 0) && all.patches[$0].source == 0 }
    #expect(copies.count == 3 && all.image(copies[0]) != all.image(copies[1]) && all.image(copies[1]) != all.image(copies[2]))
  }

  @Test func cropsExceedTheRatio() throws {
    let store = try prepare(preparation(ratio: 0.2))
    let crops = store.patches.indices.filter { store.patches[$0].kind == .crop }
    #expect(!crops.isEmpty)
    for crop in crops {
      let foreground = store.mask(crop).pixels.reduce(0) { $0 + Int($1) }
      #expect(Double(foreground) > 0.2 * Double(32 * 32 - foreground))
    }
    #expect(try prepare(preparation(ratio: 1e9)).patches.allSatisfy { $0.kind == .grid })
  }

  @Test func imageOfOnePatchHasNoCrops() throws {
    let mask = Mask(width: 32, height: 20, repeating: 1)
    #expect(preparation().cropOrigins(mask, copy: 0, position: 0).isEmpty)
    #expect(!preparation().cropOrigins(Mask(width: 33, height: 20, repeating: 1), copy: 0, position: 0).isEmpty)
  }

  @Test func testStoreHoldsThePreparedImage() throws {
    let store = try prepare(preparation(copies: nil))
    #expect(store.count == 5 * 4)
    let truth = try dataset.truth(items[1]).mask
    let prepared = try dataset.image(items[1]).gray.preprocessed(claheClip: 0.01, claheTiles: 8, tvWeight: 0.1, tvIterations: 20)
    let whole = store.preparedImage(source: 1)
    #expect(zip(whole.pixels, prepared.pixels).allSatisfy { abs($0 - $1) <= 1e-5 })
    let masks = store.patchRange(source: 1).flatMap { store.mask($0).pixels.map(Float.init) }
    #expect(store.merged(source: 1, masks).pixels == truth.pixels.map(Float.init))
    #expect(try prepare(preparation(seed: 9, copies: nil)).isSame(as: store), "the test set draws nothing")
  }

  @Test func shortSidesArePaddedWithZeros() throws {
    let small = SyntheticNuclei(Sample.data(.synthetic, train: 1, test: 1, side: 24))
    let store = try PatchStore.prepare(small.index(threads: 1).training, of: small, preparation(copies: 0), threads: 1)
    #expect(store.count == 1)
    let (image, mask) = (store.image(0), store.mask(0))
    for y in 0..<32 { for x in 0..<32 where y >= 24 || x >= 24 { #expect(image[y, x] == 0 && mask[y, x] == 0) } }
    #expect(image.pixels.max() == 1)
  }

  // MARK: Split

  @Test(arguments: [PatchSettings.Split.patch, .image])
  func split(_ kind: PatchSettings.Split) throws {
    let store = try prepare(preparation())
    let settings = Sample.patches(split: kind)
    let split = store.split(settings, seed: 4)
    #expect((split.training + split.validation).sorted() == Array(0..<store.count))
    #expect(split.training == split.training.sorted() && split.validation == split.validation.sorted())
    let sources = { Set($0.map { store.patches[$0].source }) } as ([Int]) -> Set<Int>
    switch kind {
    case .patch: #expect(split.validation.count == Int((0.2 * Double(store.count)).rounded()))
    case .image: #expect(sources(split.validation).count == 1 && sources(split.training).isDisjoint(with: sources(split.validation)))
    }
    #expect(store.split(settings, seed: 4) == split)
    #expect((0..<20).contains { store.split(settings, seed: $0) != split })
  }

  /// The images that a split by image keeps from training are known without the patches: all versions of them validate, and no other's.
  @Test(arguments: [1, 2, 9]) func validationImagesAreNotTrainedOn(seed: Int) throws {
    let store = try prepare(preparation(seed: seed)), settings = Sample.patches(split: .image, validation: 0.4)
    let split = store.split(settings, seed: seed), images = settings.validating(of: items.count, seed: seed)
    #expect(images.count == 2)
    #expect(Set(split.validation.map { store.patches[$0].source }) == images)
    #expect(Set(split.training.map { store.patches[$0].source }) == Set(0..<5).subtracting(images))
  }

  @Test func neitherSideIsEmpty() throws {
    let store = try prepare(preparation(copies: 0, ratio: 1e9), Array(items.prefix(2)))
    for fraction in [0.001, 0.999] {
      let split = store.split(Sample.patches(split: .image, validation: fraction), seed: 1)
      #expect(split.training.count == 4 && split.validation.count == 4)
    }
  }

  // MARK: File

  @Test func savedAndLoaded() throws {
    let folder = try TemporaryFolder(), path = "\(folder.path)/patches"
    let store = try prepare(preparation())
    try store.save(to: path)
    #expect(try PatchStore(contentsOf: path).isSame(as: store))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["patches"])
    let first = try Disk.bytes(of: path)
    try prepare(preparation(), threads: 1).save(to: path)
    #expect(try Disk.bytes(of: path) == first)
    try PatchStore(contentsOf: path).save(to: path)
    #expect(try Disk.bytes(of: path) == first)
  }

  @Test func damagedFile() throws {
    let folder = try TemporaryFolder(), path = "\(folder.path)/patches"
    try prepare(preparation(copies: 0), Array(items.prefix(1))).save(to: path)
    let bytes = try Disk.bytes(of: path)
    var positions = Array(0..<32)
    positions += stride(from: 32, to: bytes.count, by: 401)
    positions.append(bytes.count - 1)
    for position in positions {
      var changed = bytes
      changed[position] ^= 1
      try folder.write(changed, "patches")
      let found = fault { try PatchStore(contentsOf: path) }
      #expect(found.exit == .damagedData && found.diagnostic.message.hasPrefix("\(path): damaged patch file"), "byte \(position)")
    }
    for kept in [0, 7, 31, 4096, bytes.count - 1] {
      try folder.write(Array(bytes.prefix(kept)), "patches")
      #expect(fault { try PatchStore(contentsOf: path) }.exit == .damagedData, "\(kept) bytes")
    }
    #expect(fault { try PatchStore(contentsOf: "\(folder.path)/none") }.exit == .inputOrOutputFailed)
  }

  @Test func cannotBeWritten() throws {
    let folder = try TemporaryFolder(), store = try prepare(preparation(copies: 0), Array(items.prefix(1)))
    #expect(fault { try store.save(to: "\(folder.path)/no/such") }.exit == .inputOrOutputFailed)
    // The name is taken by a folder: nothing is left beside it.
    try DurableFile.makeFolder("\(folder.path)/taken/inside")
    #expect(fault { try store.save(to: "\(folder.path)/taken") }.exit == .inputOrOutputFailed)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["taken"])
  }
}

extension PatchStore {
  func isSame(as other: PatchStore) -> Bool {
    size == other.size && sources == other.sources && patches == other.patches
      && patches.indices.allSatisfy { image($0) == other.image($0) && mask($0) == other.mask($0) }
  }
}
