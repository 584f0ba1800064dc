import Diagnostics
import Engine
import ExperimentSpec
import Foundation

/// A weights file with all that is needed to make masks with it.
struct TrainedModel {
  var weights: NetworkWeights
  /// Network, preprocessing, tiles and post-processing count; the rest is the key table's defaults.
  var settings: TrialSettings
  /// Of `--set` without effect.
  var notes: [Diagnostic]

  private static let key = "settings"

  /// Reads a file that a run, or `import`, wrote. One that states no settings (another program's) gets them from `overrides`.
  ///
  /// - Parameter overrides: `--set key=value`, over what the file states.
  /// - Throws: `UserError`: exit 2 (overrides), 5 (unreadable), 6 (damaged, or of another network than stated).
  init(path: String, overrides: [(key: String, value: String)]) throws {
    let file = try Safetensors.read(path)
    (settings, notes) = try Self.settings(of: file, path: path, overrides: overrides)
    weights = try NetworkWeights(file, path: path, for: settings.networkConfiguration)
  }

  /// What a file that is read already states, under `overrides`.
  static func settings(of file: Safetensors, path: String, overrides: [(key: String, value: String)]) throws -> (TrialSettings, notes: [Diagnostic]) {
    var texts: [String: String] = [:]
    if let json = file.metadata[key] {
      guard let read = try? JSONDecoder().decode([String: String].self, from: Data(json.utf8)) else {
        throw UserError("\(path): damaged: its settings are not JSON", exitCode: .damagedData)
      }
      texts = read
    }
    return try TrialSettings.reading(texts, of: path, overrides: overrides)
  }

  /// What a weights file's metadata says beside its training: every setting that decides a mask.
  static func metadata(_ settings: TrialSettings) throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [key: String(decoding: try encoder.encode(settings.stated), as: UTF8.self)]
  }
}
