import Diagnostics
import Foundation
import Runner

/// What `runner` alone says: what it is for, and where to go on.
enum Overview {
  static var text: String {
    let half = commands.count / 2
    return """
      runner \(Runner.version): declarative segmentation experiments on ordinary processors, from a YAML file to a report

        runner experiments/quickstart.yaml
            four networks on synthetic nuclei, to a report, in some three minutes
        runner predict micrographs/ --out found
            finds the nuclei in one's own images: masks, labels, outlines, measurements
        runner evaluate --predictions found --truth masks/
            scores masks, anyone's, with the paper's metrics and the contest's

      Commands: \(commands[..<half].joined(separator: ", ")),
                \(commands[half...].joined(separator: ", ")).
      `runner --help` says what they do, `runner COMMAND --help` has the options and an example.
      """
  }

  private static let commands = RunnerCommand.configuration.subcommands.map { $0.configuration.commandName ?? "\($0)".lowercased() }

  /// What is wrong with a first word that is no command, no file and no option, but nearly a command; nil for anything else.
  ///
  /// Without it, the word would be taken for a spec, and whatever follows it for a wrong option of `run`.
  static func misspelt(_ arguments: [String]) -> String? {
    guard let word = arguments.first, !word.contains(where: { "-./".contains($0) }), !FileManager.default.fileExists(atPath: word) else { return nil }
    let names = commands + ["help"]
    guard !names.contains(word), let meant = nearestName(to: word, in: names) else { return nil }
    return "Error: '\(word)' is neither a command nor a file; did you mean 'runner \(meant)'?"
  }
}
