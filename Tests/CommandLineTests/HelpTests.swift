import Foundation
import Testing

/// What the parser says of a command, for tests that visit all of them.
struct CommandTree: Decodable {
  struct Command: Decodable {
    struct Argument: Decodable {
      struct Name: Decodable { var kind: String, name: String }
      var kind: String
      var names: [Name]?
      var abstract: String?
      var shouldDisplay: Bool
    }
    var superCommands: [String]?
    var commandName: String
    var abstract: String?
    var discussion: String?
    var subcommands: [Command]?
    var arguments: [Argument]?
    var words: [String] { (superCommands ?? []).dropFirst() + [commandName] }
    var below: [Command] { (subcommands ?? []).filter { $0.commandName != "help" }.flatMap { [$0] + $0.below } }
  }
  var command: Command

  static func read() throws -> Command {
    try JSONDecoder().decode(CommandTree.self, from: Data(Program.run(["--experimental-dump-help"]).output.utf8)).command
  }
}

@Suite(.enabled(if: Program.isBuilt, "the program is not built")) struct HelpTests {
  @Test func theProgramAloneShowsWhatItCanDo() throws {
    let alone = try Program.run([])
    #expect(alone.code == 0 && alone.errors.isEmpty)
    for command in ["runner experiments/quickstart.yaml", "runner predict ", "runner evaluate "] { #expect(alone.output.contains(command)) }
    for command in try CommandTree.read().subcommands ?? [] where command.commandName != "help" { #expect(alone.output.contains(command.commandName)) }
    #expect(alone.output.split(separator: "\n").allSatisfy { $0.count <= 140 })
  }

  /// Every command, those below `data` too: says what it does, has an example whose options it knows, and says what each argument is.
  @Test func everyHelpHasAnExample() throws {
    let root = try CommandTree.read(), commands = root.below
    #expect(commands.count >= 17)
    for command in commands {
      let name = command.words.joined(separator: " "), help = try Program.run(command.words + ["--help"])
      #expect(help.code == 0 && help.errors.isEmpty && help.output.contains("Example: runner "), "\(name)")
      #expect(!(command.abstract ?? "").isEmpty, "\(name)")
      let example = (command.discussion ?? "").split(separator: "\n").first { $0.hasPrefix("Example: runner ") } ?? ""
      #expect(example.hasPrefix("Example: runner \(name)"), "\(name): \(example)")
      let known = Set((command.arguments ?? []).flatMap { ($0.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name } })
      let exampleCommand = try #require(example.split(separator: ">").first)
      for word in exampleCommand.split(separator: " ") where word.hasPrefix("--") && command.subcommands == nil {
        #expect(known.contains(String(word)), "\(name): its example has \(word)")
      }
      for argument in command.arguments ?? [] where argument.shouldDisplay {
        #expect(!(argument.abstract ?? "").isEmpty, "\(name): \(argument.names?.first?.name ?? argument.kind) says nothing")
      }
    }
    for words in [["--help"], ["help", "predict"], ["--version"]] { #expect(try Program.run(words).code == 0) }
  }

  @Test(arguments: [
    (["predcit", "images", "--out", "found"], "did you mean 'runner predict'?"), (["evalute"], "did you mean 'runner evaluate'?"),
    (["predict", "x.png", "--out", "y", "--probabilites"], "--probabilities"), (["predict", "--out", "y"], "images"), (["predict", "x.png"], "--out"),
    (["predict", "x.png", "--out", "y", "--pixel-size", "0"], "above 0"), (["evaluate", "--truth", "x"], "--predictions"), (["completions", "tcsh"], "bash"),
    (["publish", "x"], "--out"),
  ])
  func aWrongCommandIsExit2(_ arguments: [String], _ message: String) throws {
    let outcome = try Program.run(arguments)
    #expect(outcome.code == 2 && outcome.output.isEmpty && outcome.errors.contains(message), "\(outcome)")
  }

  /// `scripts/runner.1` is what `runner manual` prints; RECORD_GOLDENS=1 writes it anew, and fails.
  @Test func theManualIsUpToDate() throws {
    let file = "\(Program.package)/scripts/runner.1", page = try Program.run(["manual"])
    #expect(page.code == 0)
    if ProcessInfo.processInfo.environment["RECORD_GOLDENS"] != nil {
      try page.output.write(toFile: file, atomically: true, encoding: .utf8)
      Issue.record("recorded \(file)")
    }
    let same = try String(contentsOfFile: file, encoding: .utf8) == page.output
    #expect(same, "scripts/runner.1 is not what `runner manual` prints: RECORD_GOLDENS=1 writes it anew")
    for command in try CommandTree.read().below where command.subcommands == nil {
      #expect(page.output.contains(".SS \"runner \(command.words.joined(separator: " "))\""), "\(command.words)")
    }
    for code in ["0 done", "1 some", "2 the command", "5 input missing", "6 damaged"] { #expect(page.output.contains(code)) }
  }

  @Test(.enabled(if: Program.find("groff") != nil, "groff is not installed")) func theManualIsWellFormed() throws {
    let checked = try Program.run(["-man", "-ww", "-Kutf8", "-Tutf8", "\(Program.package)/scripts/runner.1"], program: Program.find("groff")!)
    #expect(checked.code == 0 && checked.errors.isEmpty, "\(checked.errors)")
    #expect(checked.output.contains("predict"))
  }
}
