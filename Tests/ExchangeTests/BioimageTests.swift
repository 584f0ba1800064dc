import CZlib
import Engine
import Files
import Foundation
import Testing

@testable import Exchange

@Suite struct BioimageTests {
  private static func package(side: Int? = nil, name: String = "A \"model\": of nuclei") throws -> BioimagePackage {
    let configuration = DrawnNetworks.configurations[4]
    var options = ONNXModel.Options()
    options.side = side
    let about = BioimagePackage.About(
      name: name, authors: ["Ada", "B: \"C\""], license: "CC0-1.0", network: "unet+, B = 2", preparation: ["Rescaling."], completion: ["A threshold.", "Holes are filled."])
    let example = BioimagePackage.Example(side: 16, image: Array(repeating: 0.25, count: 256), probability: Array(repeating: 0.5, count: 256))
    return BioimagePackage(try ONNXModel(configuration, DrawnNetworks.weights(configuration), options), options, divisor: 4, about: about, example: example)
  }

  /// The files of a stored archive, by its central directory.
  private static func files(_ zip: Data) throws -> [String: Data] {
    func number<N: FixedWidthInteger>(_ at: Int, _: N.Type) -> Int { Int(zip.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: N.self) }) }
    let end = zip.count - 22
    #expect(number(end, UInt32.self) == 0x0605_4B50)
    var (place, files) = (number(end + 16, UInt32.self), [String: Data]())
    #expect(place + number(end + 12, UInt32.self) == end)
    for _ in 0..<number(end + 10, UInt16.self) {
      #expect(number(place, UInt32.self) == 0x0201_4B50 && number(place + 10, UInt16.self) == 0)
      let (size, length, start) = (number(place + 24, UInt32.self), number(place + 28, UInt16.self), number(place + 42, UInt32.self))
      let name = String(decoding: zip[place + 46..<place + 46 + length], as: UTF8.self)
      #expect(number(start, UInt32.self) == 0x0403_4B50 && zip[start + 30..<start + 30 + length] == Data(name.utf8))
      let contents = zip.subdata(in: start + 30 + length..<start + 30 + length + size)
      #expect(contents.withUnsafeBytes { crc32(0, $0.bindMemory(to: UInt8.self).baseAddress, uInt($0.count)) } == number(place + 16, UInt32.self))
      #expect(zip[start + 14..<start + 26] == zip[place + 16..<place + 28], "\(name): the two headers differ")
      files[name] = contents
      place += 46 + length
    }
    return files
  }

  @Test func theDescriptionHasEveryFilesHash() throws {
    let files = try Self.files(Self.package().bytes)
    #expect(Set(files.keys) == ["rdf.yaml", "weights.onnx", "test_input.npy", "test_output.npy", "documentation.md"])
    let description = String(decoding: try #require(files["rdf.yaml"]), as: UTF8.self)
    for (name, contents) in files where name != "rdf.yaml" {
      #expect(description.contains("source: \(name), sha256: \(String(decoding: Seal.hash(contents), as: UTF8.self))"), "\(name)")
    }
    for line in ["name: \"A \\\"model\\\": of nuclei\"", "  - {name: \"B: \\\"C\\\"\"}", "size: {min: 4, step: 4}", "license: CC0-1.0", "opset_version: 17"] {
      #expect(description.contains(line), "\(line)")
    }
    #expect(try #require(files["test_input.npy"]).count == 128 + 4 * 256)
    #expect(String(decoding: files["test_input.npy"]!.prefix(128), as: UTF8.self).contains("'shape': (1, 1, 16, 16)"))
    #expect(String(decoding: files["documentation.md"]!, as: UTF8.self).contains("2. Holes are filled."))
  }

  @Test func aFixedSideIsStated() throws {
    let description = String(decoding: try #require(Self.files(Self.package(side: 16).bytes)["rdf.yaml"]), as: UTF8.self)
    #expect(description.contains("{type: space, id: y, size: 16}") && !description.contains("step:"))
  }

  @Test func theSameNetworkIsTheSameBytes() throws { #expect(try Self.package().bytes == Self.package().bytes) }
}
