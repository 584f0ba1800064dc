import ArgumentParser
import Foundation
import Runner

/// Prints the manual page, which is made of the same words as `--help`.
struct Manual: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the manual page: every command, its options and an example.",
    discussion: "Example: runner manual > ~/.local/share/man/man1/runner.1")

  func run() async throws {
    let tree = try JSONDecoder().decode(CommandTree.self, from: Data(RunnerCommand._dumpHelp().utf8))
    try await finish { Runner.show(ManualPage(tree.command, version: Runner.version).text, $0) }
  }
}

/// The commands and their arguments, as the parser tells them (`--experimental-dump-help`); what of it a manual wants.
struct CommandTree: Decodable {
  struct Command: Decodable {
    var superCommands: [String]?
    var commandName: String
    var abstract: String?
    var discussion: String?
    var shouldDisplay: Bool?
    var subcommands: [Command]?
    var arguments: [Argument]?

    var name: String { ((superCommands ?? []) + [commandName]).joined(separator: " ") }
    /// The arguments of its own.
    var shown: [Argument] { (arguments ?? []).filter { $0.shouldDisplay && !($0.names ?? []).contains { ["help", "version"].contains($0.name) } } }
    /// Itself, where it does something, and those below it.
    var all: [Command] {
      let below = (subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay != false }
      return below.isEmpty ? [self] : below.flatMap(\.all)
    }
  }

  struct Argument: Decodable {
    enum Kind: String, Decodable { case positional, option, flag }
    struct Name: Decodable {
      var kind: String
      var name: String
      var text: String { (kind == "long" ? "--" : "-") + name }
    }
    var kind: Kind
    var shouldDisplay: Bool
    var isOptional: Bool
    var isRepeating: Bool
    var names: [Name]?
    var valueName: String?
    var defaultValue: String?
    var abstract: String?
  }
  var command: Command
}

/// `runner.1` in the man(7) macros. It carries no date: the same program gives the same bytes.
struct ManualPage {
  private(set) var text: String

  init(_ root: CommandTree.Command, version: String) {
    text = ".\\\" Made by `runner manual`.\n.TH RUNNER 1 \"\" \"runner \(Self.plain(version))\" \"User commands\"\n"
    section("NAME", "runner \\- \(Self.sentence(root.abstract))")
    section("SYNOPSIS", root.all.map { ".B \(Self.plain($0.name))\n\(Self.synopsis($0))" }.joined(separator: "\n.br\n"))
    let description = Self.paragraphs(root.discussion)
    section("DESCRIPTION", description.hasPrefix(".PP\n") ? String(description.dropFirst(4)) : description)
    section("COMMANDS", "")
    for command in root.all { add(command) }
    section("ENVIRONMENT", Self.environment.map { Self.entry("\\fB\($0)\\fR", $1) }.joined())
    section("FILES", Self.files.map { Self.entry("\\fI\(Self.plain($0))\\fR", $1) }.joined())
  }

  private static let environment = [
    ("RUNNER_DATA", "The data's folder, where neither --data nor the spec names one."),
    ("RUNNER_WEIGHTS", "The weights of predict, where --weights does not name them."),
    ("XDG_CACHE_HOME", "Downloaded images and indices stand in its folder runner; ~/.cache by default."),
    ("NO_COLOR", "Diagnostics without colour."),
  ]
  private static let files = [
    ("results/<name>/report.md", "What a run was for; everything else of the results stands beside it."),
    ("results/<name>/trials/<fingerprint>/best.safetensors", "A trial's weights, for predict --weights."),
    (Runner.defaultWeights, "The model that predict takes by default; looked for beside the program and in the folders above it."),
  ]

  private mutating func section(_ title: String, _ body: String) {
    text += ".SH \(title)\n" + (body.isEmpty || body.hasSuffix("\n") ? body : body + "\n")
  }

  private mutating func add(_ command: CommandTree.Command) {
    text += ".SS \"\(Self.plain(command.name))\"\n\(Self.plain(command.abstract ?? ""))\n\(Self.paragraphs(command.discussion))"
    for argument in command.shown {
      text += Self.entry(Self.heading(argument), Self.withDefault(argument))
    }
  }

  private static func withDefault(_ argument: CommandTree.Argument) -> String {
    let text = argument.abstract ?? ""
    guard let value = argument.defaultValue, !value.isEmpty, argument.kind != .flag else { return text }
    return text + (text.isEmpty ? "" : " ") + "Default: \(value)."
  }

  private static func heading(_ argument: CommandTree.Argument) -> String {
    let value = "\\fI\(plain(argument.valueName ?? ""))\\fR", names = (argument.names ?? []).map { "\\fB\(plain($0.text))\\fR" }.joined(separator: ", ")
    return switch argument.kind {
    case .positional: value
    case .option: "\(names) \(value)"
    case .flag: names
    }
  }

  /// Positional arguments and options that must be given; the rest is “[option …]”.
  private static func synopsis(_ command: CommandTree.Command) -> String {
    let shown = command.shown
    let always = shown.filter { $0.kind == .positional || !$0.isOptional }.map { argument in
      let text = heading(argument) + (argument.isRepeating ? " ..." : "")
      return argument.isOptional && !(argument.kind == .positional && argument.isRepeating) ? "[\(text)]" : text
    }
    let hasOptions = shown.contains { $0.kind != .positional && $0.isOptional }
    return (always + (hasOptions ? ["[option ...]"] : [])).joined(separator: " ")
  }

  private static func paragraphs(_ text: String?) -> String {
    (text ?? "").components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { paragraph in
      guard let command = paragraph.firstRange(of: "Example: "), command.lowerBound == paragraph.startIndex else { return ".PP\n\(plain(paragraph))\n" }
      return ".PP\nExample:\n.PP\n.RS\n.nf\n\(plain(String(paragraph[command.upperBound...])))\n.fi\n.RE\n"
    }.joined()
  }

  private static func entry(_ heading: String, _ text: String) -> String { ".TP\n\(heading)\n\(plain(text))\n" }

  private static func sentence(_ text: String?) -> String { plain((text ?? "").trimmingCharacters(in: ["."])) }

  /// User's text: a backslash is one, a hyphen can be copied, and no line begins with a control character.
  private static func plain(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("\"", with: "\\(dq")
    return escaped.split(separator: "\n", omittingEmptySubsequences: false).map { $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&\($0)" : String($0) }
      .joined(separator: "\n")
  }
}
