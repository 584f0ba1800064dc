import Foundation
import Imaging
import TensorCore
import Testing

@Suite struct PNGTests {
  struct Case: Decodable, CustomTestStringConvertible {
    var file: String
    var width, height, channels, bitDepth: Int
    var samples: [UInt16]
    var testDescription: String { file }
    var image: DecodedImage { DecodedImage(width: width, height: height, channels: channels, bitDepth: bitDepth, samples: samples) }
  }
  static let cases: [Case] = Fixture.json("png/png.json")

  @Test("Every colour type, depth and interlacing", arguments: cases) func decodes(_ c: Case) throws {
    #expect(try PNG.read(path: Fixture.url("png/\(c.file)").path) == c.image)
  }

  @Test func everyKindIsThere() { #expect(Self.cases.count == 15 * 2 * 2 + 11 * 2 * 2) }

  @Test("A file cut anywhere is one clear error", arguments: ["rgb8_adam7_9x7.png", "palette4_trns_9x7.png", "grey16_9x7.png"])
  func truncated(_ file: String) throws {
    let whole = Fixture.bytes("png/\(file)")
    for length in 0..<whole.count {
      let error = userError { _ = try PNG.decode(Array(whole[..<length]), name: "cut.png") }
      #expect(error?.message.hasPrefix("cut.png: ") == true && error?.exit == .inputOrOutputFailed)
      // Less than the signature may be told as "no PNG"; after it, it is the end that is missing.
      if length > 8 { #expect(error?.message.contains("truncated") == true, "\(length) bytes: \(error?.message ?? "")") }
    }
  }

  @Test("Any damaged byte is noticed", arguments: ["rgb8_adam7_9x7.png", "palette4_trns_9x7.png", "grey16_9x7.png"])
  func damaged(_ file: String) throws {
    let whole = Fixture.bytes("png/\(file)")
    for position in whole.indices {
      var bytes = whole
      bytes[position] ^= 0x41
      let error = userError { _ = try PNG.decode(bytes, name: "bad.png") }
      #expect(error?.message.hasPrefix("bad.png: ") == true && error?.exit == .inputOrOutputFailed)
    }
  }

  @Test func messagesSayWhatIsWrong() throws {
    #expect(userError { _ = try PNG.decode(Array("GIF89a and so on".utf8), name: "a.png") }?.message == "a.png: Not a PNG file")
    #expect(userError { _ = try PNG.read(path: "/nowhere/a.png") }?.message == "/nowhere/a.png: No such file or directory")
    var bytes = Fixture.bytes("png/grey8_9x7.png")
    bytes[bytes.count - 13] ^= 1  // the last byte before IEND: IDAT's checksum
    #expect(userError { _ = try PNG.decode(bytes, name: "a.png") }?.message == "a.png: IDAT: CRC error")
    try withTemporaryFolder { folder in
      #expect(userError { _ = try PNG.read(path: folder) }?.message == "\(folder): Is a directory")
      #expect(userError { try PNG.write(Mask(width: 1, height: 1, repeating: 1), to: "\(folder)/none/a.png") }?.message
        == "\(folder)/none/a.png: cannot create: No such file or directory")
    }
  }

  @Test("A header that claims too much is refused before anything is allocated")
  func hugeHeaders() throws {
    let claims = userError { _ = try PNG.decode(Fixture.bytes("png/claims_100000x100000.png"), name: "a.png") }
    #expect(claims?.message == "a.png: the header claims 100000 x 100000 pixels; at most 16384 a side and 268435456 in all are read")
    #expect(claims?.exit == .inputOrOutputFailed)
    #expect(userError { _ = try PNG.decode(Fixture.bytes("png/claims_2147483647x1.png"), name: "a.png") }?.message.contains("2147483647") == true)
  }

  @Test func writesWhatItReads() throws {
    var random = CounterRandom(seed: 1, purpose: .testing)
    for (width, height) in [(1, 1), (17, 5), (64, 33)] {
      let gray = GrayImage(width: width, height: height, pixels: (0..<(width * height)).map { _ in Float(random.below(256)) / 255 })
      #expect(try PNG.decode(PNG.encode(gray), name: "grey").gray == gray)
      let mask = gray.map { $0 > 0.5 ? UInt8(1) : 0 }
      let decoded = try PNG.decode(PNG.encode(mask), name: "mask")
      #expect(decoded.mask == mask && Set(decoded.samples).isSubset(of: [0, 255]) && decoded.channels == 1)
      let labels = gray.map { _ in Int32(random.below(65_536)) }
      #expect(try PNG.decode(PNG.encode(labels), name: "labels").labels == labels)
      let color = gray.map { _ in RGB(UInt8(random.below(256)), UInt8(random.below(256)), UInt8(random.below(256))) }
      #expect(try PNG.decode(PNG.encode(color), name: "colour").samples == color.pixels.flatMap { [UInt16($0.red), UInt16($0.green), UInt16($0.blue)] })
      #expect(try PNG.encode(color) == PNG.encode(color))
    }
    #expect(userError { _ = try PNG.encode(LabelImage(width: 1, height: 1, repeating: 65_536)) }?.message.contains("65536") == true)
    #expect(try PNG.decode(PNG.encode(GrayImage(width: 2, height: 1, pixels: [-3, 7])), name: "clipped").samples == [0, 255])
  }

  @Test func writesWholeFilesOnly() throws {
    try withTemporaryFolder { folder in
      let mask = Mask(width: 3, height: 2, pixels: [0, 1, 0, 1, 1, 0])
      try PNG.write(mask.map { _ in Float(0) }, to: "\(folder)/a.png")
      try PNG.write(mask, to: "\(folder)/a.png")
      #expect(try PNG.read(path: "\(folder)/a.png").mask == mask)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.png"])
      // Renaming onto a folder fails: nothing is left beside it.
      try FileManager.default.createDirectory(atPath: "\(folder)/b.png", withIntermediateDirectories: false)
      #expect(userError { try PNG.write(mask, to: "\(folder)/b.png") }?.message.hasPrefix("\(folder)/b.png: ") == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["a.png", "b.png"])
    }
  }

  @Test func greyAndColour() {
    let gray = DecodedImage(width: 2, height: 1, channels: 4, bitDepth: 8, samples: [51, 51, 51, 0, 255, 255, 255, 9])
    #expect(gray.isGray && gray.gray.pixels == [0.2, 1] && abs(gray.meanIntensity - 0.6) < 1e-12)
    let color = DecodedImage(width: 2, height: 1, channels: 3, bitDepth: 16, samples: [65535, 0, 0, 0, 65535, 65535])
    #expect(!color.isGray && color.gray.pixels == [0.2125, Float(0.7154 + 0.0721)] && abs(color.meanIntensity - 0.5) < 1e-12)
    #expect(color.mask.pixels == [1, 0])
  }
}
