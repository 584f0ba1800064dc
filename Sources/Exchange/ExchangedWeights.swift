import Diagnostics
import Engine
import Foundation
import NetworkGraph

/// A network's weights as a safetensors file of another framework.
public enum ExchangedWeights {
  private static let layoutKey = "layout"

  /// The file that `layout`'s framework reads.
  public static func file(_ weights: NetworkWeights, as layout: WeightLayout, metadata: [String: String] = [:]) -> Safetensors {
    Safetensors(
      entries: zip(weights.parameters, weights.values).map { parameter, values in
        Safetensors.Entry(name: layout.name(of: parameter), shape: layout.shape(of: parameter), values: layout.values(of: parameter, ours: values))
      },
      metadata: metadata.merging([layoutKey: layout.rawValue]) { $1 })
  }

  /// The weights of another framework's file, PyTorch's or Keras's by its names.
  ///
  /// - Parameters:
  ///   - path: what errors call the file.
  ///   - network: what the file is said to hold, for errors, e.g. "unet+ with B = 8".
  /// - Throws: `UserError` (exit 6) that names the tensors that are missing, too many or misshapen, or hold numbers that are not finite.
  public static func weights(
    _ file: Safetensors, path: String, for configuration: NetworkConfiguration, described network: String
  ) throws -> (weights: NetworkWeights, layout: WeightLayout) {
    let side = configuration.options.sideDivisor * 2
    let parameters = try configuration.network(height: side, width: side).parameters
    let found = Dictionary(file.entries.map { ($0.name, $0) }) { first, _ in first }
    let matches = WeightLayout.allCases.map { layout in (layout, parameters.count { found[layout.name(of: $0)] != nil }) }
    let (layout, known) = matches.max { $0.1 < $1.1 }!
    guard known > 0 else { throw foreignNames(file, path: path, parameters) }
    try check(found, path: path, parameters, layout, network)
    if let odd = parameters.map(layout.name).first(where: { found[$0]!.values.contains { !$0.isFinite } }) {
      throw UserError("\(path): \(odd) holds what is no finite float32", exitCode: .damagedData, hints: ["a diverged training?"])
    }
    let values = parameters.map { layout.ours(found[layout.name(of: $0)]!.values, of: $0) }
    return (NetworkWeights(parameters: parameters, values: values), layout)
  }

  private static func check(
    _ found: [String: Safetensors.Entry], path: String, _ parameters: [Network.Parameter], _ layout: WeightLayout, _ network: String
  ) throws {
    var wanted: [String: [Int]] = [:]
    for parameter in parameters { wanted[layout.name(of: parameter)] = layout.shape(of: parameter) }
    let names = parameters.map(layout.name)
    let missing = names.filter { found[$0] == nil }, extra = found.keys.filter { wanted[$0] == nil }.sorted()
    let misshapen = names.filter { found[$0].map { $0.shape != wanted[$0.name] } ?? false }
    var counts: [String] = [], hints: [String] = []
    func list(_ names: [String], _ what: String, _ line: (String) -> String) {
      guard !names.isEmpty else { return }
      counts.append("\(names.count) \(what)")
      hints += names.prefix(3).map(line)
      if names.count > 3 { hints.append("… and \(names.count - 3) more \(what)") }
    }
    list(missing, "missing") { "missing: \($0) \(wanted[$0]!)" + nearest($0, in: extra) }
    list(extra, "not known") { "not known: \($0) \(found[$0]!.shape)" + nearest($0, in: missing) }
    list(misshapen, "of another shape") { "\($0) is \(found[$0]!.shape), expected \(wanted[$0]!)" }
    guard !counts.isEmpty else { return }
    throw UserError(
      "\(path): weights of another network than \(network), in \(layout.title)'s names: of \(names.count) tensors \(counts.joined(separator: ", "))",
      exitCode: .damagedData, hints: hints)
  }

  private static func foreignNames(_ file: Safetensors, path: String, _ parameters: [Network.Parameter]) -> UserError {
    if let own = parameters.first, file[own.name] != nil {
      return UserError("\(path): has runner's own names", exitCode: .damagedData, hints: ["predict and export take it as it is"])
    }
    let first = file.entries.first?.name ?? "", known = WeightLayout.allCases.flatMap { layout in parameters.map(layout.name) }
    return UserError(
      "\(path): " + (file.entries.isEmpty ? "no tensor in it" : "no tensor has a name of the network's, neither PyTorch's nor Keras's"), exitCode: .damagedData,
      hints: (file.entries.isEmpty ? [] : ["the first is called \(first)" + nearest(first, in: known)]) + ["runner import --names prints the names"])
  }

  private static func nearest(_ name: String, in others: [String]) -> String { nearestName(to: name, in: others).map { "; nearest: \($0)" } ?? "" }
}
