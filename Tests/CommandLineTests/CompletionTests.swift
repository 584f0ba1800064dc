import Foundation
import Testing

@Suite(.enabled(if: Program.isBuilt, "the program is not built")) struct CompletionTests {
  /// A command line and what is to be among the words offered for its end.
  static let lines = [
    ("runner pre", "predict"), ("runner predict --prob", "--probabilities"), ("runner run --set model.base", "model.base_filters="),
    ("runner explain spec.yaml evaluate.thr", "evaluate.threshold"), ("runner bench --architecture unet", "unet++"), ("runner data ver", "verify"),
    ("runner completions ba", "bash"),
  ]

  private static func script(_ shell: String, in place: Workplace) throws -> String {
    let script = try Program.run(["completions", shell])
    #expect(script.code == 0 && script.errors.isEmpty)
    return try place.write(Data(script.output.utf8), to: shell == "zsh" ? "_runner" : "runner.\(shell)")
  }

  @Test(.enabled(if: Program.find("bash") != nil, "bash is not installed")) func bashCompletes() throws {
    let place = try Workplace(), script = try Self.script("bash", in: place)
    // As the shell calls it when Tab is pressed.
    let press = """
      source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; COMP_TYPE=9; COMP_KEY=9; read -ra COMP_WORDS <<<"$2"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
      specification=$(complete -p runner); function=${specification##*-F }
      "${function%% *}" runner "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf '%s\\n' "${COMPREPLY[@]}"
      """
    for (line, word) in Self.lines {
      let offered = try Program.run(["-c", press, "bash", script, line], program: Program.find("bash")!)
      #expect(offered.errors.isEmpty && offered.output.split(separator: "\n").contains { $0 == word }, "\(line): \(offered)")
    }
  }

  @Test(.enabled(if: Program.find("fish") != nil, "fish is not installed")) func fishCompletes() throws {
    let place = try Workplace(), script = try Self.script("fish", in: place)
    for (line, word) in Self.lines {
      let offered = try Program.run(
        ["--no-config", "-c", "source '\(script)'; complete -C '\(line)'"], program: Program.find("fish")!, environment: ["HOME": place.path])
      #expect(offered.output.split(separator: "\n").contains { $0.split(separator: "\t").first.map { $0 == word } ?? false }, "\(line): \(offered)")
    }
  }

  /// zsh completes at a terminal only: the script is read and loaded as `compinit` does.
  @Test(.enabled(if: Program.find("zsh") != nil, "zsh is not installed")) func zshReadsIt() throws {
    let place = try Workplace(), script = try Self.script("zsh", in: place), zsh = Program.find("zsh")!
    #expect(try Program.run(["-n", script], program: zsh).code == 0)
    let loaded = try Program.run(
      ["-f", "-c", "fpath=('\(place.path)' $fpath); autoload -Uz compinit; compinit -u -D; print ${_comps[runner]}; autoload +X _runner"], program: zsh,
      environment: ["HOME": place.path])
    #expect(loaded.code == 0 && loaded.output == "_runner\n", "\(loaded)")
    let words = try String(contentsOfFile: script, encoding: .utf8)
    for word in ["predict", "--split-touching", "model.base_filters="] { #expect(words.contains(word)) }
  }
}
