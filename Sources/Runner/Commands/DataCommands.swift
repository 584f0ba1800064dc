import Datasets
import Diagnostics
import Engine
import ExperimentSpec
import Foundation
import Synchronization

extension Runner {
  /// Reads and checks all data; counts and digest.
  public static func verifyData(root: String?, threads: Int?, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    let settings = TrialSettings.defaults(for: .unet).data
    let place = try DatasetRegistry.locate(settings, commandLineRoot: root, environment: surroundings.environment)
    try show(DatasetRegistry.verify(root: place, settings: settings, threads: threads ?? Processor.cores), json: json, surroundings.console)
    return .done
  }

  private static func show(_ verification: Verification, json: Bool, _ console: Console) throws {
    if json {
      console.put(try jsonText(verification))
      return
    }
    for (name, value) in verification.counts {
      console.print(name.replacing("_", with: " ").padding(toLength: 24, withPad: " ", startingAt: 0) + "\(value)")
    }
    console.print("digest".padding(toLength: 24, withPad: " ", startingAt: 0) + verification.digest)
  }

  /// Writes the synthetic nuclei as a folder of images and masks.
  public static func synthesizeData(
    to folder: String, training: Int?, test: Int?, side: Int?, seed: Int?, threads: Int?, _ surroundings: Surroundings
  ) throws -> ExitCode {
    var settings = TrialSettings.defaults(for: .unet).data
    settings.source = .synthetic
    if let training { settings.syntheticTrain = training }
    if let test { settings.syntheticTest = test }
    if let side { settings.syntheticSide = side }
    if let seed { settings.syntheticSeed = seed }
    for (key, value) in [
      ("data.synthetic.train", settings.syntheticTrain), ("data.synthetic.test", settings.syntheticTest),
      ("data.synthetic.side", settings.syntheticSide), ("data.synthetic.seed", settings.syntheticSeed),
    ] {
      guard case .integer(let range)? = KeyTable[key]?.accepted, range.contains(value) else {
        throw UserError("\(key) cannot be \(value); accepted: \(KeyTable[key]?.accepted.description ?? "")", exitCode: .badCommandOrSpec)
      }
    }
    if FileManager.default.fileExists(atPath: folder), (try? FileManager.default.contentsOfDirectory(atPath: folder))?.isEmpty != true {
      throw UserError("\(folder): is there already and not empty", exitCode: .inputOrOutputFailed, hints: ["name a new folder: --out DIR"])
    }
    try Synthetic.write(to: folder, settings, threads: threads ?? Processor.cores)
    surroundings.console.print(
      "\(folder): \(settings.syntheticTrain) training and \(settings.syntheticTest) test images of \(settings.syntheticSide) × \(settings.syntheticSide); "
        + "use them with data: {source: folder, root: \(folder)}")
    return .done
  }

  /// Brings the public images into the user's cache, verified.
  public static func fetchData(url: String?, out: String?, threads: Int?, json: Bool, _ surroundings: Surroundings) throws -> ExitCode {
    guard let folder = out ?? DatasetRegistry.cacheFolder(environment: surroundings.environment) else {
      throw UserError("neither XDG_CACHE_HOME nor HOME is set: there is no cache folder", exitCode: .badCommandOrSpec, hints: ["name a folder: --out DIR"])
    }
    let console = surroundings.console
    let fetch = Fetch(base: url ?? Fetch.publicBase, folder: folder, threads: threads ?? Processor.cores)
    let display = FetchDisplay(console, quiet: json)
    let verification = try fetch.run(settings: TrialSettings.defaults(for: .unet).data) { display.show($0) }
    display.finish()
    if !json { console.print("\(folder):") }
    try show(verification, json: json, console)
    return .done
  }
}

/// A fetch's progress: on a terminal a line that changes, elsewhere one line a file and tenth of it.
private final class FetchDisplay: Sendable {
  private let console: Console
  private let quiet: Bool
  private let last = Mutex("")

  init(_ console: Console, quiet: Bool) { (self.console, self.quiet) = (console, quiet) }

  func show(_ step: Fetch.Step) {
    if quiet { return }
    let (fine, coarse) = Self.lines(step)
    last.withLock { last in
      let line = console.isLive ? fine : coarse
      if line == last { return }
      last = line
      if console.isLive { console.put("\r\u{1B}[K" + line.prefix(console.columns - 1)) } else { console.print(line) }
    }
  }

  func finish() { if console.isLive, !quiet { console.put("\r\u{1B}[K") } }

  /// A line to show as it changes, and one that changes seldom.
  private static func lines(_ step: Fetch.Step) -> (fine: String, coarse: String) {
    func megabytes(_ bytes: Int) -> String { ProgressText.fixed(Double(bytes) / 1e6, 1) }
    switch step {
    case .downloading(let file, let received, let total?):
      let share = total > 0 ? received * 10 / total * 10 : 100
      return ("\(file): \(megabytes(received)) of \(megabytes(total)) MB", "\(file): \(share) % of \(megabytes(total)) MB")
    case .downloading(let file, let received, nil): return ("\(file): \(megabytes(received)) MB", "\(file): downloading")
    case .unpacking(let archive, let files, let total):
      return ("unpacking \(archive): \(files) of \(total) files", "unpacking \(archive), \(total) files")
    case .verifying: return ("verifying", "verifying")
    }
  }
}
