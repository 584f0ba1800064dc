import ArgumentParser
import Foundation
import Runner

// Argument parsing only: what the commands do stands in `Runner`.
exit(await status())

/// Parses the command line and runs what it asks for; the exit code.
func status() async -> Int32 {
  let arguments = Array(CommandLine.arguments.dropFirst())
  if arguments.isEmpty {
    Console.standard().print(Overview.text)
    return 0
  }
  if let message = Overview.misspelt(arguments) { return refuse(message) }
  do {
    var command = try RunnerCommand.parseAsRoot()
    if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
    return 0
  } catch let code as ExitCode {
    return code.rawValue
  } catch {
    let message = RunnerCommand.fullMessage(for: error)
    // Help that was asked for is an answer. A wrong command line is exit 2, whatever the parser's own code for it.
    guard RunnerCommand.exitCode(for: error) == .success else { return refuse(message) }
    Console.standard().print(message)
    return 0
  }
}

/// Says what is wrong with the command line, in the format that it asks for as far as it can be read; the exit code.
func refuse(_ message: String) -> Int32 {
  let words = CommandLine.arguments
  let asksForJSON = words.contains("--log-format=jsonl") || zip(words, words.dropFirst()).contains { $0 == ("--log-format", "jsonl") }
  return Console.standard(format: asksForJSON ? .jsonl : .text).refuse(message).rawValue
}

/// Ends the process with the command's exit code, its diagnostics printed.
func finish(_ format: LogFormat = .text, _ command: (Surroundings) async throws -> Runner.Exit) async throws {
  let environment = ProcessInfo.processInfo.environment
  let folders = Runner.modelFolders(program: Bundle.main.executablePath, workingFolder: FileManager.default.currentDirectoryPath)
  let surroundings = Surroundings(console: .standard(format: format, environment: environment), environment: environment, modelFolders: folders)
  throw ExitCode(await Runner.exitCode(surroundings) { try await command(surroundings) }.rawValue)
}
