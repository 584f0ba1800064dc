import Diagnostics
import ExperimentSpec

extension DatasetRegistry {
  /// Where `runner data fetch` puts the public images: `$XDG_CACHE_HOME/runner/dsb2018` or `~/.cache/runner/dsb2018`; nil without either variable.
  public static func cacheFolder(environment: [String: String]) -> String? {
    if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return "\(cache)/runner/dsb2018" }
    if let home = environment["HOME"], !home.isEmpty { return "\(home)/.cache/runner/dsb2018" }
    return nil
  }

  /// The data's folder: `--data`, then `data.root`, then `$RUNNER_DATA`, then the cache folder.
  ///
  /// The first that is named is the one: a `--data` that does not exist is an error, never a reason to use other data silently.
  /// Throws `UserError` (exit 5).
  public static func locate(_ settings: DataSettings, commandLineRoot: String?, environment: [String: String]) throws -> String {
    let named = [
      ("--data", commandLineRoot ?? ""), ("data.root", settings.root), ("$RUNNER_DATA", environment["RUNNER_DATA"] ?? ""),
    ]
    if let (origin, path) = named.first(where: { !$0.1.isEmpty }) {
      switch Disk.kind(path) {
      case .folder: return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
      case .file: throw UserError.missing(path, "not a folder (named by \(origin))", hints: hints(settings.source))
      case .nothing: throw UserError.missing(path, "no such data folder (named by \(origin))", hints: hints(settings.source))
      }
    }
    let cache = cacheFolder(environment: environment)
    if settings.source == .dsb2018, let cache, Disk.kind(cache) == .folder { return cache }
    let looked = "--data, data.root, $RUNNER_DATA" + (settings.source == .dsb2018 ? cache.map { ", \($0)" } ?? "" : "")
    throw UserError(
      "the data (data.source: \(settings.source.rawValue)) is nowhere: looked for in \(looked)",
      exitCode: .inputOrOutputFailed, hints: hints(settings.source))
  }

  private static func hints(_ source: DataSettings.Source) -> [String] {
    let elsewhere = "or name the folder that holds it: --data DIR, data.root in the spec, or the variable RUNNER_DATA"
    let made = "or use images made by the program: --set data.source=synthetic"
    return source == .dsb2018
      ? ["get the public images with: swift run runner data fetch", elsewhere, made]
      : ["name the folder that holds images/ and masks/: --data DIR, data.root in the spec, or the variable RUNNER_DATA", made]
  }
}
