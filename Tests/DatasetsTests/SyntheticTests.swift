import Diagnostics
import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite struct SyntheticTests {
  let settings = Sample.data(.synthetic, train: 5, test: 3, side: 128, seed: 7)

  @Test func sameSettingsSamePixels() throws {
    let one = Synthetic.image(index: 2, part: .training, settings), again = Synthetic.image(index: 2, part: .training, settings)
    #expect(one.image == again.image && one.truth == again.truth)
    #expect(Synthetic.image(index: 3, part: .training, settings).image != one.image)
    #expect(Synthetic.image(index: 2, part: .test, settings).image != one.image)
    #expect(Synthetic.image(index: 2, part: .training, Sample.data(.synthetic, train: 5, test: 3, side: 128, seed: 8)).image != one.image)
  }

  @Test func nucleiAreBrighterAndVaried() throws {
    var counts: Set<Int> = [], peaks: [Double] = [], touching = 0
    for index in 0..<12 {
      let scene = Synthetic.image(index: index, part: .training, settings)
      let gray = scene.image.gray
      let inside = zip(gray.pixels, scene.truth.mask.pixels).filter { $1 == 1 }.map { Double($0.0) }
      let outside = zip(gray.pixels, scene.truth.mask.pixels).filter { $1 == 0 }.map { Double($0.0) }
      let (bright, dark) = (inside.reduce(0, +) / Double(inside.count), outside.reduce(0, +) / Double(outside.count))
      #expect(bright > dark, "image \(index)")
      #expect(scene.image.meanIntensity < 0.5)
      #expect(Set(scene.truth.labels.pixels).subtracting([0]).count == scene.truth.count)
      let regions = scene.truth.mask.connectedRegions(connectivity: 8).count
      if regions < scene.truth.count { touching += 1 }
      counts.insert(scene.truth.count)
      peaks.append(bright)
    }
    #expect(counts.count > 4, "all images hold the same number of nuclei")
    #expect(peaks.max()! > 2 * peaks.min()!, "no image is dim beside another")
    #expect(touching >= 6, "nuclei hardly ever touch")
  }

  @Test func indexNamesEveryImage() throws {
    let dataset = try DatasetRegistry.open(settings, environment: [:])
    let index = try dataset.index(threads: 2)
    #expect(index.training.map(\.id) == ["train-0000", "train-0001", "train-0002", "train-0003", "train-0004"])
    #expect(index.test.count == 3)
    #expect(try dataset.truth(index.test[1]).count == index.test[1].objects)
    #expect(try dataset.index(threads: 1) == index)
    let other = try DatasetRegistry.open(Sample.data(.synthetic, train: 5, test: 3, side: 128, seed: 8), environment: [:])
    #expect(try other.index(threads: 1).digest != index.digest)
  }

  /// Written out and read as a folder, the set is the same but for its names.
  @Test func writesAFolder() throws {
    let folder = try TemporaryFolder()
    try Synthetic.write(to: folder.path, settings, threads: 2)
    let dataset = try DatasetRegistry.open(Sample.data(.folder, root: folder.path), environment: [:])
    let index = try dataset.index(threads: 2)
    #expect(index.training.count == 5 && index.test.count == 3)
    let made = Synthetic.image(index: 1, part: .test, settings)
    let item = try #require(index.test.first { $0.id == "test-0001" })
    #expect(try dataset.image(item) == made.image)
    #expect(try dataset.truth(item) == made.truth)
  }
}
