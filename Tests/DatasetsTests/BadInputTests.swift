import CZlib
import Diagnostics
import Files
import Imaging
import Testing

@testable import Datasets

/// Each fault of the data is one error that names the file (and line), found before anything is trained.
@Suite struct BadInputTests {
  static let solutionFaults: [(fault: String, text: String, line: Int, says: String)] = [
    ("odd count", "t,1 3 22,20,10,Public\n", 2, "odd count of numbers, 3"),
    ("run past the end", "t,1 3,20,10,Public\nt,199 3,20,10,Public\n", 3, "ends past the image's 200 pixels"),
    ("run before the first pixel", "t,0 3,20,10,Public\n", 2, "begins before pixel 1"),
    ("empty run", "t,4 0,20,10,Public\n", 2, "is empty"),
    ("no number", "t,1 x,20,10,Public\n", 2, "“x” is not a number"),
    ("too large a number", "t,1 99999999999999999999,20,10,Public\n", 2, "is not a number"),
    ("repeated row", "t,1 3,20,10,Public\nu,1 1,8,8,Public\nt,1 3,20,10,Public\n", 4, "the same row as line 2"),
    ("field missing", "t,1 3,20,10\n", 2, "4 fields where the header has 5"),
    ("no size", "t,1 3,,10,Public\n", 2, "Height and Width"),
    ("unknown image", "t,1 3,20,10,Public\nu,1 1,8,8,Public\nx,1 1,8,8,Public\n", 4, "image x is not in stage1_test"),
    ("another size", "t,1 3,20,10,Public\nu,1 1,8,8,Public\nt,1 1,10,20,Public\n", 4, "size 20 × 10; image t has 10 × 20"),
  ]

  @Test(arguments: solutionFaults)
  func solution(_ fault: String, _ text: String, _ line: Int, _ says: String) throws {
    let fixture = try KaggleFixture()
    try fixture.folder.write("ImageId,EncodedPixels,Height,Width,Usage\n" + text, "stage1_solution.csv")
    let found = DatasetsTests.fault { try fixture.open().inspect(threads: 2) }
    #expect(found.exit == .damagedData)
    #expect(found.diagnostic.location == SourceLocation(file: "\(fixture.root)/stage1_solution.csv", line: line, column: 1))
    #expect(found.diagnostic.message.contains(says), "\(found.diagnostic.message)")
  }

  @Test func missingColumn() throws {
    let fixture = try KaggleFixture()
    try fixture.folder.write("ImageId,Pixels,Height,Width\nt,1 3,20,10\n", "stage1_solution.csv")
    let found = fault { try fixture.open() }
    #expect(found.exit == .damagedData && found.diagnostic.location?.line == 1 && found.diagnostic.message.contains("no column EncodedPixels"))
  }

  @Test func testImageWithoutRow() throws {
    let fixture = try KaggleFixture()
    try fixture.folder.write("ImageId,EncodedPixels,Height,Width\nt,1 3,20,10\n", "stage1_solution.csv")
    let found = fault { try fixture.open().inspect(threads: 2) }
    #expect(found.exit == .damagedData && found.diagnostic.message.hasSuffix("no row for test image u"))
  }

  @Test func imageWithoutMasks() throws {
    let fixture = try KaggleFixture()
    try fixture.addImage("stage1_train", "aa", PNG.encode(GrayImage(width: 4, height: 4, repeating: 0)))
    var found = fault { try fixture.open().inspect(threads: 2) }
    #expect(found.exit == .inputOrOutputFailed && found.diagnostic.message == "\(fixture.root)/stage1_train/aa: image without masks: no folder masks")
    try DurableFile.makeFolder("\(fixture.root)/stage1_train/aa/masks")
    found = fault { try fixture.open().inspect(threads: 2) }
    #expect(found.diagnostic.message == "\(fixture.root)/stage1_train/aa/masks: image without masks: no PNG file in it")
  }

  @Test func maskOfAnotherSize() throws {
    let fixture = try KaggleFixture()
    try fixture.addMask("a", "2", Mask(width: 30, height: 40) { _, _ in true })
    let found = fault { try fixture.open().inspect(threads: 2) }
    #expect(found.exit == .damagedData)
    #expect(found.diagnostic.message == "\(fixture.root)/stage1_train/a/masks/2.png: mask of 30 × 40 pixels; its image has 40 × 30")
  }

  /// A mask or image cut off anywhere is seen although masks are not decoded.
  @Test(arguments: ["stage1_train/a/masks/1.png", "stage1_train/a/images/a.png", "stage1_test/u/images/u.png"], [0, 7, 20, 45, -13, -1])
  func truncatedPNG(_ file: String, _ kept: Int) throws {
    let fixture = try KaggleFixture()
    let path = "\(fixture.root)/\(file)", bytes = try Disk.bytes(of: path)
    try fixture.folder.write(Array(kept >= 0 ? bytes.prefix(kept) : bytes.dropLast(-kept)), file)
    let found = fault { try fixture.open().inspect(threads: 2) }
    #expect(found.exit == .damagedData && found.diagnostic.message.hasPrefix("\(path): "), "\(found.diagnostic.message)")
  }

  /// A header that claims 100,000 × 100,000 pixels, checksum and all, in an image or in a mask.
  @Test(arguments: ["stage1_train/a/images/a.png", "stage1_train/a/masks/1.png"])
  func immenseClaim(_ file: String) throws {
    let fixture = try KaggleFixture()
    let path = "\(fixture.root)/\(file)"
    var bytes = try Disk.bytes(of: path)
    for at in [16, 20] { bytes.replaceSubrange(at..<(at + 4), with: [0, 1, 0x86, 0xA0]) }
    let sum = UInt32(bytes[12..<29].withUnsafeBufferPointer { crc32(0, $0.baseAddress, 17) })
    bytes.replaceSubrange(29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * UInt32($0))) })
    try fixture.folder.write(bytes, file)
    let found = fault { try fixture.open().inspect(threads: 2) }
    #expect(found.exit == .damagedData && found.diagnostic.message.hasPrefix("\(path): "), "\(found.diagnostic.message)")
  }

  @Test func folderWithoutItsImage() throws {
    let fixture = try KaggleFixture()
    try fixture.addMask("d", "1", Mask(width: 3, height: 3) { _, _ in true })
    let found = fault { try fixture.open().inspect(threads: 2) }
    #expect(found.exit == .inputOrOutputFailed)
    #expect(found.diagnostic.message == "\(fixture.root)/stage1_train/d/images/d.png: No such file or directory")
  }

  /// The data changed after it was indexed: an error, not a trap.
  @Test func imageChangedSinceIndexed() throws {
    let fixture = try KaggleFixture()
    let dataset = try fixture.open()
    let items = try dataset.index(threads: 1).training
    try fixture.addImage("stage1_train", "a", PNG.encode(GrayImage(width: 30, height: 40, repeating: 0)))
    let preparation = Preparation(preprocess: Sample.preprocess(), augment: nil, patches: Sample.patches(), seed: 1)
    let found = fault { try PatchStore.prepare(items, of: dataset, preparation, threads: 2) }
    #expect(found.exit == .damagedData && found.diagnostic.message.hasPrefix("a: image of 30 × 40 pixels; it had 40 × 30"))
  }

  @Test func changedByte() throws {
    let fixture = try KaggleFixture()
    let file = "stage1_train/a/masks/1.png"
    let bytes = try Disk.bytes(of: "\(fixture.root)/\(file)")
    for i in bytes.indices {
      var changed = bytes
      changed[i] ^= 0x10
      #expect(throws: UserError.self, "byte \(i)") { try PNGStructure(checking: changed, path: file) }
    }
    #expect(throws: Never.self) { try PNGStructure(checking: bytes, path: file) }
  }

  /// Where several files are at fault, the one reported does not depend on threads.
  @Test func firstFaultIsReported() throws {
    let fixture = try KaggleFixture()
    for id in ["b", "c"] { try fixture.addMask(id, "0", Mask(width: 3, height: 3) { _, _ in true }) }
    for threads in 1...4 {
      let found = fault { try fixture.open().inspect(threads: threads) }
      #expect(found.diagnostic.message.hasPrefix("\(fixture.root)/stage1_train/b/masks/0.png"))
    }
  }

  @Test func folderFaults() throws {
    let folder = try TemporaryFolder()
    func open() throws -> Inspection { try ImageFolder(Sample.data(.folder), root: folder.path).inspect(threads: 2) }
    #expect(fault(body: open).diagnostic.message == "\(folder.path): no folder images in it")
    try DurableFile.makeFolder("\(folder.path)/images")
    try DurableFile.makeFolder("\(folder.path)/masks")
    #expect(fault(body: open).diagnostic.message == "\(folder.path)/images: no PNG file in it")
    try folder.write(PNG.encode(GrayImage(width: 4, height: 4, repeating: 0)), "images/a.png")
    #expect(fault(body: open).diagnostic.message == "\(folder.path)/images/a.png: image without a mask: no file masks/a.png")
    try folder.write(PNG.encode(Mask(width: 5, height: 4) { _, _ in true }), "masks/a.png")
    #expect(fault(body: open).diagnostic.message == "\(folder.path)/masks/a.png: mask of 5 × 4 pixels; its image has 4 × 4")
    try folder.write(PNG.encode(RGBImage(width: 4, height: 4, repeating: RGB(9, 0, 0))), "masks/a.png")
    #expect(fault(body: open).diagnostic.message.hasPrefix("\(folder.path)/masks/a.png: mask in colour"))
  }

  @Test func selectionThatLeavesNothing() throws {
    let fixture = try KaggleFixture()
    try fixture.addImage("stage1_train", "a", PNG.encode(GrayImage(width: 40, height: 30, repeating: 0.95)))
    let found = fault { try fixture.open(.greyDark).index(threads: 1) }
    #expect(found.exit == .inputOrOutputFailed && found.diagnostic.message == "data.selection: grey_dark leaves none of the 3 training images")
  }
}
