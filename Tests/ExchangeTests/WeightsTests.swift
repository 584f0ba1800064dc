import Diagnostics
import Engine
import Foundation
import NetworkGraph
import Testing

@testable import Exchange

@Suite struct WeightsTests {
  private static func imported(_ file: Safetensors, _ configuration: NetworkConfiguration) throws -> (weights: NetworkWeights, layout: WeightLayout) {
    try ExchangedWeights.weights(file, path: "theirs.safetensors", for: configuration, described: "the network")
  }

  @Test(arguments: DrawnNetworks.configurations, WeightLayout.allCases) func thereAndBackIsTheSameBits(_ configuration: NetworkConfiguration, _ layout: WeightLayout) throws {
    let weights = try DrawnNetworks.weights(configuration), file = ExchangedWeights.file(weights, as: layout)
    #expect(Set(file.entries.map(\.name)).count == weights.parameters.count)
    let (back, found) = try Self.imported(file, configuration)
    #expect(found == layout && back.values == weights.values && back.parameters == weights.parameters)
  }

  /// The axes by their definition, one number at a time.
  @Test func kerasHasItsOwnAxes() throws {
    let configuration = DrawnNetworks.configurations[4], weights = try DrawnNetworks.weights(configuration)
    let file = ExchangedWeights.file(weights, as: .keras)
    for (layer, transposed) in [("D11", false), ("U2.up", true)] {
      let place = try #require(weights.parameters.firstIndex { $0.name == "\(layer).kernel" })
      let ours = weights.values[place], shape = weights.parameters[place].declaration.shape, theirs = try #require(file["\(layer)/kernel"])
      // [out, in, k, k] → [k, k, in, out]; transposed [in, out, k, k] → [k, k, out, in].
      #expect(theirs.shape == [shape[2], shape[3], shape[1], shape[0]], "\(transposed)")
      let (u, v, a, b) = (2, 1, 1, 3)
      #expect(theirs.values[((u * shape[3] + v) * shape[1] + a) * shape[0] + b] == ours[((b * shape[1] + a) * shape[2] + u) * shape[3] + v])
    }
    #expect(file["C11_norm/moving_variance"]?.shape == [2] && file["head/bias"]?.shape == [1])
  }

  @Test func namesArePyTorchs() throws {
    let file = ExchangedWeights.file(try DrawnNetworks.weights(DrawnNetworks.configurations[4]), as: .pytorch)
    for name in ["C10.conv.weight", "C10.conv.bias", "C10.norm.weight", "C10.norm.bias", "C10.norm.running_mean", "C10.norm.running_var", "U2.up.conv.weight"] {
      #expect(file[name] != nil, "\(name)")
    }
  }

  @Test func whatDoesNotFitIsSaidOnce() throws {
    let configuration = DrawnNetworks.configurations[4]
    var file = ExchangedWeights.file(try DrawnNetworks.weights(configuration), as: .pytorch)
    file.entries.removeAll { $0.name == "C10.norm.bias" }
    let renamed = try #require(file.entries.firstIndex { $0.name == "D11.conv.weight" })
    file.entries[renamed].name = "D11.conv.wieght"
    let reshaped = try #require(file.entries.firstIndex { $0.name == "C11.conv.bias" })
    file.entries[reshaped].shape = [1, 2]
    let error = #expect(throws: UserError.self) { try Self.imported(file, configuration) }
    let text = error?.description ?? ""
    #expect(error?.exitCode == .damagedData && error?.diagnostics.count == 1)
    for part in [
      "theirs.safetensors", "the network", "PyTorch", "2 missing, 1 not known, 1 of another shape", "missing: D11.conv.weight [4, 2, 3, 3]; nearest: D11.conv.wieght",
      "C11.conv.bias is [1, 2], expected [2]",
    ] { #expect(text.contains(part), "\(text)") }
  }

  @Test func anotherNetworksFileIsRefused() throws {
    let file = ExchangedWeights.file(try DrawnNetworks.weights(DrawnNetworks.configurations[0]), as: .keras)
    for configuration in DrawnNetworks.configurations.dropFirst() {
      let error = #expect(throws: UserError.self) { try Self.imported(file, configuration) }
      #expect(error?.exitCode == .damagedData)
    }
    let unknown = Safetensors(entries: [.init(name: "encoder.0.weight", shape: [1], values: [0])], metadata: [:])
    let error = #expect(throws: UserError.self) { try Self.imported(unknown, DrawnNetworks.configurations[0]) }
    #expect(error?.description.contains("no tensor has a name of the network's") == true)
  }

  @Test(arguments: [Float.nan, .infinity]) func numbersThatAreNotFiniteAreRefused(_ odd: Float) throws {
    let configuration = DrawnNetworks.configurations[4]
    var file = ExchangedWeights.file(try DrawnNetworks.weights(configuration), as: .pytorch)
    let place = try #require(file.entries.firstIndex { $0.name == "C11.conv.bias" })
    file.entries[place].values[1] = odd
    let error = #expect(throws: UserError.self) { try Self.imported(file, configuration) }
    #expect(error?.exitCode == .damagedData && error?.description.contains("C11.conv.bias holds what is no finite float32") == true)
  }

  /// Tensors follow each other without gaps: what overlaps could ask for any memory. What is said of a file is the same every time.
  @Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8, "b does not begin where the tensor before it ends"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#, 12, "b does not begin where the tensor before it ends"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 12, "8 bytes belong to no tensor"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "a lies outside of the file"),
    (#"{"x":{"settings":"others"},"__metadata__":{"settings":"mine"}}"#, 0, "x is no tensor"),
    (#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}"#, 8, "a is F16, not F32"),
  ]) func aLayoutThatIsNoneIsRefused(_ header: String, _ bytes: Int, _ says: String) throws {
    let path = NSTemporaryDirectory() + "/layout-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try (withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8) + Data(count: bytes)).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: UserError.self) { try Safetensors.read(path) }
    #expect(error?.exitCode == .damagedData && error?.description.contains(says) == true, "\(String(describing: error))")
  }

  /// Our own file, rounded by another program that kept the metadata, checksum and all.
  @Test func aChecksumOfOtherBytesIsNoDamage() throws {
    let path = NSTemporaryDirectory() + "/kept-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let stale = String(repeating: "0", count: 64)
    func write(_ dtype: String, _ data: Data) throws {
      let header = #"{"__metadata__":{"sha256":"\#(stale)","settings":"kept"},"x":{"dtype":"\#(dtype)","shape":[1],"data_offsets":[0,\#(data.count)]}}"#
      try (withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8) + data).write(to: URL(fileURLWithPath: path))
    }
    try write("F16", Data([0, 0x3C]))
    let read = try Safetensors.read(path, converting: true)
    #expect(read.entries[0].values == [1] && read.metadata == ["settings": "kept"])
    try write("F32", Data([0, 0, 0x80, 0x3F]))
    let error = #expect(throws: UserError.self) { try Safetensors.read(path, converting: true) }
    #expect(error?.description.contains("leave sha256 out of its metadata") == true)
  }

  /// As PyTorch saves a half-precision state_dict: other floats, and counters of integers.
  @Test func otherKindsOfNumbersAreConverted() throws {
    let values: [Double] = [0, 1, -2, 0.099975586, 65504, 5.9604645e-8, -.infinity]
    func half(_ value: Double) -> UInt16 {
      let known: [Double: UInt16] = [0: 0, 1: 0x3C00, -2: 0xC000, 0.099975586: 0x2E66, 65504: 0x7BFF, 5.9604645e-8: 1, -.infinity: 0xFC00]
      return known[value]!
    }
    let kinds: [(String, Data)] = [
      ("F64", values.withUnsafeBytes { Data($0) }), ("F16", values.map(half).withUnsafeBytes { Data($0) }),
      ("BF16", values.map { UInt16(Float($0).bitPattern >> 16) }.withUnsafeBytes { Data($0) }),
    ]
    for (kind, data) in kinds {
      let header = #"{"counter":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"x":{"dtype":"\#(kind)","shape":[7],"data_offsets":[8,\#(8 + data.count)]}}"#
      var file = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
      file.append(Data(header.utf8) + Data(count: 8) + data)
      let path = NSTemporaryDirectory() + "/exchange-\(UUID().uuidString).safetensors"
      defer { try? FileManager.default.removeItem(atPath: path) }
      try file.write(to: URL(fileURLWithPath: path))
      let entries = try Safetensors.read(path, converting: true).entries
      #expect(entries.map(\.name) == ["x"])
      for (read, value) in zip(entries[0].values, values) {
        #expect(value.isInfinite ? read == Float(value) : abs(Double(read) - value) <= abs(value) * (kind == "BF16" ? 1e-2 : 1e-7), "\(kind) \(value): \(read)")
      }
      #expect(throws: UserError.self) { try Safetensors.read(path) }
    }
  }
}
