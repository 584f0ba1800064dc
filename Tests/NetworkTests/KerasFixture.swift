import Engine
import Foundation
import Testing

/// A case stored by `Tests/Oracles/keras_networks.py`.
struct KerasFixture: CustomTestStringConvertible, Sendable {
  let name: String
  let file: Safetensors
  var testDescription: String { name }

  init(_ name: String) {
    self.name = name
    let folder = Bundle.module.url(forResource: "Fixtures", withExtension: nil)!
    file = try! Safetensors.read(folder.appendingPathComponent("\(name).safetensors").path)
  }

  /// Every stored network case.
  static let networks: [KerasFixture] = {
    let folder = Bundle.module.url(forResource: "Fixtures", withExtension: nil)!
    return try! FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      .filter { $0.hasPrefix("unet") }.map { KerasFixture(String($0.dropLast(".safetensors".count))) }
  }()

  var configuration: NetworkConfiguration {
    let architecture = file.metadata["architecture"]!
    return NetworkConfiguration(
      architecture: architecture, baseFilters: Int(file.metadata["B"]!)!, depth: Int(file.metadata["N"]!)!,
      upsampling: .init(rawValue: file.metadata["upsampling"] ?? "transposed")!, batchNormalization: architecture == "unet+", dropout: 0)
  }
  subscript(name: String) -> Safetensors.Entry { file[name]! }
}
