import Foundation
import Imaging
import Testing

/// Files made by tifffile and Pillow (`Tests/Oracles/imaging_tiff.py`). Without libtiff the message says what is missing, and that is all.
@Suite struct TIFFTests {
  static let files = try! FileManager.default.contentsOfDirectory(atPath: Fixture.url("tiff").path).sorted()

  @Test(.enabled(if: TIFF.library != nil, "libtiff is not installed"), arguments: files.filter { !$0.hasPrefix("bad") })
  func everyKindIsRead(_ name: String) throws {
    let bits = name.contains("16") ? 16 : 8, channels = name.hasPrefix("rgba") ? 4 : name.hasPrefix("rgb") ? 3 : 1
    let image = try ImageFile.read(path: Fixture.url("tiff/\(name)").path)
    #expect(image.height == 37 && image.width == 45 && image.channels == channels && image.bitDepth == bits)
    #expect(try ImageFile.size(path: Fixture.url("tiff/\(name)").path) == (37, 45))
    let flip: UInt16 = name.hasPrefix("white") ? 255 : 0
    var expected: [UInt16] = []
    for y in 0..<37 {
      for x in 0..<45 { for c in 0..<channels { expected.append(UInt16((y * 7919 + x * 104_729 + c * 1_299_709) % (1 << bits)) ^ flip) } }
    }
    #expect(image.samples == expected)
  }

  @Test(
    .enabled(if: TIFF.library != nil, "libtiff is not installed"),
    arguments: [
      ("bad_cut.tif", ""), ("bad_cut_deflate.tif", ""), ("bad_float.tif", "32 bits a sample (signed or float); accepted: 8 and 16"),
      ("bad_32bits.tif", "32 bits a sample; accepted: 8 and 16"), ("bad_pages.tif", "several pages"), ("bad_claims.tif", "claims 2147483647 x 37"),
    ])
  func othersAreRefused(_ name: String, _ message: String) {
    let error = userError { _ = try ImageFile.read(path: Fixture.url("tiff/\(name)").path) }
    #expect(error?.exit == .inputOrOutputFailed && error?.message.contains("\(name): ") == true)
    #expect(error?.message.contains(message) == true || message.isEmpty, "\(error?.message ?? "")")
  }

  /// A label is the number that is stored, also where a viewer would show 0 as white (as ImageJ writes masks with an inverting table).
  @Test(.enabled(if: TIFF.library != nil, "libtiff is not installed")) func labelsAreNotInverted() throws {
    let path = Fixture.url("tiff/white8.tif").path, image = try ImageFile.read(path: path)
    #expect(try ImageFile.readLabels(path: path).pixels == image.samples.map { 255 - Int32($0) })
  }

  @Test func whatIsNoImageIsRefused() throws {
    try withTemporaryFolder { folder in
      for (name, text) in [("empty", ""), ("text", "II* no TIFF"), ("other", "GIF89a")] {
        let path = "\(folder)/\(name).tif"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(userError { _ = try ImageFile.read(path: path) }?.exit == .inputOrOutputFailed)
      }
      #expect(userError { _ = try ImageFile.size(path: "\(folder)/none.png") }?.message.contains("No such file") == true)
    }
  }

  /// A 32-bit file is read back by its bytes: one strip behind the directory.
  @Test func labelsBeyond16Bits() throws {
    try withTemporaryFolder { folder in
      let labels = LabelImage(width: 3, height: 2, pixels: [0, 1, 65_535, 65_536, 16_777_217, Int32.max])
      try TIFF.write(labels, to: "\(folder)/labels.tif")
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/labels.tif")))
      let values = bytes.suffix(24).withUnsafeBytes { strip in (0..<6).map { Int32(littleEndian: strip.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) } }
      #expect(values == labels.pixels && bytes.starts(with: [0x49, 0x49, 42, 0, 8, 0, 0, 0]))
      guard TIFF.library != nil else { return }
      #expect(try ImageFile.readLabels(path: "\(folder)/labels.tif") == labels)
      // As an image it is refused, as before.
      #expect(userError { _ = try ImageFile.read(path: "\(folder)/labels.tif") }?.exit == .inputOrOutputFailed)
      var beyond = bytes
      beyond[beyond.count - 1] = 0xFF
      try Data(beyond).write(to: URL(fileURLWithPath: "\(folder)/beyond.tif"))
      #expect(userError { _ = try ImageFile.readLabels(path: "\(folder)/beyond.tif") }?.message.contains("labels beyond 2147483647") == true)
    }
  }

  @Test func labelsAreGrey() throws {
    try withTemporaryFolder { folder in
      let labels = LabelImage(width: 3, height: 1, pixels: [0, 7, 65_535])
      try PNG.write(labels, to: "\(folder)/labels.png")
      #expect(try ImageFile.readLabels(path: "\(folder)/labels.png") == labels)
      try PNG.write(RGBImage(width: 3, height: 1, repeating: RGB(0, 0, 9)), to: "\(folder)/colour.png")
      let error = userError { _ = try ImageFile.readLabels(path: "\(folder)/colour.png") }
      #expect(error?.exit == .damagedData && error?.message.contains("in colour") == true)
    }
  }
}
