import Diagnostics
import Foundation

/// Where the model that comes with the program is looked for.
extension Runner {
  /// U-Net+ (T.C.), B = 8, as trained for the paper's Table 2; below the folder of the program, or below one above that.
  public static let defaultWeights = "results/models/unet-plus-tc-b8.safetensors"

  /// Names another model for `predict` without `--weights`.
  static let weightsVariable = "RUNNER_WEIGHTS"

  /// Folders that may have `results/models` or `models` in them: that of the program, those above it (the package's, for what `swift build`
  /// made), and the working folder (for a build whose folder is elsewhere).
  public static func modelFolders(program: String?, workingFolder: String) -> [String] {
    var folders: [String] = []
    if let program {
      var folder = URL(fileURLWithPath: program).resolvingSymlinksInPath().deletingLastPathComponent()
      while true {
        folders.append(folder.path)
        if folder.path == "/" || folder.path.isEmpty { break }
        folder.deleteLastPathComponent()
      }
    }
    return folders + [workingFolder]
  }

  /// The weights that `predict` takes where none are named.
  ///
  /// - Throws: `UserError` (exit 5) where there are none, with what can be done.
  static func findDefaultWeights(_ surroundings: Surroundings) throws -> String {
    if let named = surroundings.environment[weightsVariable], !named.isEmpty {
      guard FileManager.default.fileExists(atPath: named) else {
        throw UserError("$\(weightsVariable): \(named): no such file", exitCode: .inputOrOutputFailed)
      }
      return named
    }
    let places = [defaultWeights, String(defaultWeights.drop { $0 != "/" }.dropFirst())]
    for folder in surroundings.modelFolders {
      for place in places where FileManager.default.fileExists(atPath: "\(folder)/\(place)") { return "\(folder)/\(place)" }
    }
    let asLookedFor = surroundings.modelFolders.first.map { " beside the program in \($0), nor in a folder above it" } ?? ""
    throw UserError(
      "the model that comes with the program, \(defaultWeights), is not there\(asLookedFor)", exitCode: .inputOrOutputFailed,
      hints: [
        "a clone of the program's repository has it; a program that was copied wants results/models beside it, or $\(weightsVariable)",
        "or name a model of your own: --weights results/<name>/trials/<fingerprint>/best.safetensors",
      ])
  }
}
