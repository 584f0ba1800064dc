import Diagnostics
import ExperimentSpec
import Files
import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite struct LayoutTests {
  @Test func kaggleIndexAndTruth() throws {
    let fixture = try KaggleFixture()
    let index = try fixture.open().index(threads: 2)
    #expect(index.training.map(\.id) == ["a", "b", "c"] && index.training.map(\.objects) == [2, 1, 1])
    #expect(index.test.map(\.id) == ["t", "u"] && index.test.map(\.objects) == [2, 1])
  }

  @Test(arguments: [(DataSettings.Selection.all, ["a", "b", "c"]), (.grey, ["a", "c"]), (.greyDark, ["a"])])
  func selection(_ selection: DataSettings.Selection, _ expected: [String]) throws {
    let fixture = try KaggleFixture()
    let index = try fixture.open(selection).index(threads: 1)
    #expect(index.training.map(\.id) == expected)
    #expect(index.excluded == 3 - expected.count)
  }

  @Test func trainingTruthJoinsMasks() throws {
    let fixture = try KaggleFixture()
    let dataset = try fixture.open()
    let item = try dataset.index(threads: 1).training[0]
    let truth = try dataset.truth(item)
    let expected = LabelImage(
      width: 40, height: 30, pixels: (0..<1200).map { $0 % 40 >= 7 ? 0 : $0 / 40 < 5 ? 1 : $0 / 40 < 9 ? 2 : 0 })
    // Row 4 is claimed by both; the earlier mask keeps it.
    #expect(truth.labels == expected)
    #expect(truth.mask.pixels.reduce(0) { $0 + Int($1) } == 9 * 7 && truth.count == 2)
  }

  /// Runs go down the columns and count from 1: "1 3 22 2" in an image 20 high is (0…2, 0) and (1…2, 1).
  @Test func solutionRunsAreColumnMajor() throws {
    let fixture = try KaggleFixture()
    let dataset = try fixture.open()
    let item = try dataset.index(threads: 1).test[0]
    let labels = try dataset.truth(item).labels
    let marked = labels.pixels.indices.filter { labels.pixels[$0] != 0 }.map { [$0 / 10, $0 % 10, Int(labels.pixels[$0])] }
    #expect(marked == [[0, 0, 1], [0, 2, 2], [1, 0, 1], [1, 1, 1], [1, 2, 2], [2, 0, 1], [2, 1, 1], [2, 2, 2], [3, 2, 2]])
  }

  @Test func solutionOrderQuotesAndLineEndings() throws {
    let fixture = try KaggleFixture()
    let text = "\u{FEFF}Width,Height,ImageId,EncodedPixels\r\n10,20,t,\"1 3\"\r\n8,8,u,\r\n"
    try fixture.folder.write(text, "stage1_solution.csv")
    let index = try fixture.open().index(threads: 1)
    #expect(index.test.map(\.objects) == [1, 0])
  }

  @Test func folderOfMasks() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b", "c", "d"] {
      try folder.write(PNG.encode(GrayImage(width: 12, height: 8, repeating: 0.3)), "images/\(name).png")
      try folder.write(PNG.encode(Mask(width: 12, height: 8) { y, x in x != 5 && y < 3 }), "masks/\(name).png")
    }
    var labels = LabelImage(width: 12, height: 8, repeating: 0)
    (labels[0, 0], labels[0, 1], labels[7, 7]) = (700, 9, 700)
    try folder.write(PNG.encode(labels), "masks/b.png")
    let dataset = try ImageFolder(Sample.data(.folder, testFraction: 0.25), root: folder.path)
    let index = try dataset.index(threads: 2)
    #expect(index.test.count == 1 && index.training.count == 3)
    #expect(Set((index.training + index.test).map(\.id)) == ["a", "b", "c", "d"])
    #expect((index.training + index.test).allSatisfy { $0.objects == 2 })
    let item = try #require((index.training + index.test).first { $0.id == "b" })
    let truth = try dataset.truth(item)
    #expect(truth.labels[0, 0] == 2 && truth.labels[0, 1] == 1 && truth.labels[7, 7] == 2)
  }

  /// What would be left out, or misread, without a word.
  @Test func folderFaults() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b"] {
      try folder.write(PNG.encode(GrayImage(width: 40, height: 40, repeating: 0.3)), "images/\(name).png")
      try folder.write(PNG.encode(Mask(width: 40, height: 40) { y, x in y < 3 }), "masks/\(name).png")
    }
    let dataset = try ImageFolder(Sample.data(.folder, testFraction: 0.5), root: folder.path)
    try folder.write(PNG.encode(Mask(width: 40, height: 40) { y, x in y < 3 }), "masks/c.png")
    let lone = fault { try dataset.index(threads: 1) }
    #expect(lone.exit == .inputOrOutputFailed && lone.diagnostic.message == "\(folder.path)/masks/c.png: mask without an image: no file images/c.png")
    try FileManager.default.removeItem(atPath: "\(folder.path)/masks/c.png")

    // Discs with soft edges: a value of an edge stands at many places.
    var soft = LabelImage(width: 40, height: 40, repeating: 0)
    for y in 0..<40 { for x in 0..<40 {
      let distance = (Double((y % 20 - 10) * (y % 20 - 10) + (x % 20 - 10) * (x % 20 - 10))).squareRoot()
      soft[y, x] = distance < 5 ? 255 : distance < 8 ? Int32(255 - 80 * (distance - 5)) : 0
    } }
    try folder.write(PNG.encode(soft), "masks/b.png")
    let read = fault { try dataset.index(threads: 1) }
    #expect(read.exit == .damagedData && read.diagnostic.message.contains("a mask with soft edges"), "\(read.diagnostic.message)")

    // One uneven nucleus: hardly two values of its edge are equal.
    for y in 0..<40 { for x in 0..<40 {
      let distance = hypot((Double(x) - 19.3) / 11.7, (Double(y) - 20.6) / 7.9)
      soft[y, x] = distance < 0.8 ? 255 : distance < 1.2 ? Int32(254 * (1.2 - distance) / 0.4) : 0
    } }
    try folder.write(PNG.encode(soft), "masks/b.png")
    let uneven = fault { try dataset.index(threads: 1) }
    #expect(uneven.exit == .damagedData && uneven.diagnostic.message.contains("a mask with soft edges"), "\(uneven.diagnostic.message)")

    try folder.write([1], "images/c.TIF")
    let mixed = fault { try dataset.index(threads: 1) }
    #expect(mixed.exit == .damagedData && mixed.diagnostic.message == "\(folder.path)/images/c.TIF: no PNG file; images and masks of a folder are PNG files")
  }

  // MARK: Where the data is

  @Test func firstNamedFolderIsTaken() throws {
    let (a, b, home) = (try TemporaryFolder(), try TemporaryFolder(), try TemporaryFolder())
    func locate(_ option: String?, _ root: String, _ environment: [String: String]) throws -> String {
      try DatasetRegistry.locate(Sample.data(root: root), commandLineRoot: option, environment: environment)
    }
    #expect(try locate(a.path + "/", "", [:]) == a.path)
    #expect(try locate(a.path, b.path, ["RUNNER_DATA": home.path]) == a.path)
    #expect(try locate(nil, b.path, ["RUNNER_DATA": home.path]) == b.path)
    #expect(try locate(nil, "", ["RUNNER_DATA": home.path, "HOME": a.path]) == home.path)
    try DurableFile.makeFolder("\(a.path)/.cache/runner/dsb2018")
    try DurableFile.makeFolder("\(b.path)/runner/dsb2018")
    #expect(try locate(nil, "", ["HOME": a.path]) == "\(a.path)/.cache/runner/dsb2018")
    #expect(try locate(nil, "", ["HOME": a.path, "XDG_CACHE_HOME": b.path]) == "\(b.path)/runner/dsb2018")
    let wrong = fault { try locate("\(a.path)/none", b.path, [:]) }
    #expect(wrong.exit == .inputOrOutputFailed && wrong.diagnostic.message == "\(a.path)/none: no such data folder (named by --data)")
  }

  @Test func dataThatIsNowhereNamesTheCommand() throws {
    let home = try TemporaryFolder()
    let found = fault { try DatasetRegistry.open(Sample.data(), environment: ["HOME": home.path]) }
    #expect(found.exit == .inputOrOutputFailed)
    #expect(found.diagnostic.hints.contains { $0.contains("runner data fetch") })
    #expect(found.diagnostic.hints.contains { $0.contains("--data DIR") && $0.contains("RUNNER_DATA") })
  }

  @Test(arguments: ["stage1_train", "stage1_test", "stage1_solution.csv"])
  func layoutNotThere(_ missing: String) throws {
    let folder = try TemporaryFolder()
    for name in ["stage1_train", "stage1_test"] where name != missing { try DurableFile.makeFolder("\(folder.path)/\(name)") }
    let found = fault { try DSB2018(Sample.data(), root: folder.path) }
    #expect(found.exit == .inputOrOutputFailed && found.diagnostic.message.contains(missing))
  }
}
