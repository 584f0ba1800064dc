import ArgumentParser
import Runner

/// Prints what a shell needs to complete command lines.
struct Completions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a script by which a shell completes commands, options, files and keys.",
    discussion: """
      Example: runner completions bash > ~/.local/share/bash-completion/completions/runner

      zsh: runner completions zsh > DIR/_runner, where DIR is in $fpath before compinit runs. fish: runner completions fish > \
      ~/.config/fish/completions/runner.fish. The program is then to be called `runner`, from the PATH or by its path.
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }
  @Argument(help: "bash, zsh or fish.") var shell: Shell

  func run() async throws {
    let script = RunnerCommand.completionScript(for: CompletionShell(rawValue: shell.rawValue)!)
    try await finish { Runner.show(script, $0) }
  }
}

extension CompletionKind {
  static var specs: CompletionKind { .file(extensions: ["yaml", "yml"]) }
  static var weights: CompletionKind { .file(extensions: ["safetensors"]) }
  static var keys: CompletionKind { .list(Runner.keys) }
  static var assignments: CompletionKind { .list(Runner.keys.map { $0 + "=" }) }
}
