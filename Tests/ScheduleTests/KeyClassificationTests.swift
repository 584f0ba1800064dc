import ExperimentGraph
import Foundation
import Schedule
import Testing

@testable import ExperimentSpec

/// Which jobs each key of the spec runs again: a key that is not in this table fails the suite, so that a new one is thought about.
@Suite struct KeyClassificationTests {
  /// For each key another value than the defaults of `settings(for:)`, and the first job that it changes; all that stand behind it in the data's
  /// way change with it, and nothing else. nil: nothing changes.
  static let firstChanged: [String: (other: String, job: JobKind?)] = [
    "seed": ("2", .preprocess),
    "model.architecture": ("unet++", .train), "model.base_filters": ("8", .train), "model.depth": ("4", .train), "model.l2": ("1e-4", .train),
    "model.upsampling": ("nearest", .train), "model.normalization": ("none", .train), "model.dropout": ("0.25", .train),
    "data.source": ("folder", .index), "data.root": ("/elsewhere", nil), "data.selection": ("grey", .index), "data.test_fraction": ("0.3", .index),
    "data.synthetic.train": ("30", .index), "data.synthetic.test": ("9", .index), "data.synthetic.side": ("300", .index), "data.synthetic.seed": ("8", .index),
    "preprocess.clahe_clip": ("0.02", .preprocess), "preprocess.clahe_tiles": ("4", .preprocess), "preprocess.tv_weight": ("0.2", .preprocess),
    "preprocess.tv_iterations": ("100", .preprocess),
    "augment.copies": ("2", .preprocess), "augment.blur": ("0.1", .preprocess), "augment.blur_radius": ("1", .preprocess), "augment.color": ("0.1", .preprocess),
    "augment.color_strength": ("0.1", .preprocess), "augment.flip": ("0.1", .preprocess), "augment.rotation": ("5", .preprocess), "augment.scale": ("0.2", .preprocess),
    "patches.size": ("128", .patches), "patches.crops_per_image": ("2", .patches), "patches.foreground_ratio": ("0.3", .patches), "patches.split": ("patch", .patches),
    "patches.validation_fraction": ("0.1", .patches),
    "train.epochs": ("25", .train), "train.batch": ("8", .train), "train.learning_rate": ("1e-3", .train), "train.bce_weight": ("0.5", .train),
    "train.dice_smooth": ("2", .train), "train.precision": ("bf16", .train),
    "train.fine_tune.epochs": ("4", .fineTune), "train.fine_tune.learning_rate": ("1e-5", .fineTune),
    "evaluate.on": ("validation", .evaluate), "evaluate.threshold": ("0.4", .evaluate), "evaluate.maximum_hole": ("0", .evaluate),
    "evaluate.minimum_object": ("10", .evaluate), "evaluate.connectivity": ("4", .evaluate), "evaluate.timing_passes": ("3", .time),
  ]

  /// Settings in which the key has an effect.
  static func settings(for key: Key) throws -> TrialSettings {
    var settings = TrialSettings.defaults(for: .unetPlus)
    settings.train.fineTune.epochs = 5
    settings.patches.split = .image
    let sources = DataSettings.Source.allCases.map { source in
      var settings = settings
      settings.data.source = source
      return settings
    }
    return try #require(sources.first { key.withoutEffect(in: $0) == nil }, "\(key.name) has no effect anywhere")
  }

  static func graph(_ settings: TrialSettings) -> ExperimentGraph {
    ScheduleTests.graph(experiment([("trial", settings.model.architecture, { $0 = settings })]))
  }

  @Test func everyKeyIsInTheTable() { #expect(Set(Self.firstChanged.keys) == Set(KeyTable.keys.map(\.name))) }

  @Test(arguments: KeyTable.keys.map(\.name)) func aKeyChangesItsJobAndExactlyWhatFollows(_ name: String) throws {
    let key = try #require(KeyTable[name]), (other, first) = try #require(Self.firstChanged[name])
    let settings = try Self.settings(for: key)
    var changed = settings
    key.write(&changed, try #require(key.accepted.value(of: Scalar(other))))
    #expect(changed != settings, "the table gives \(name)'s default")
    let before = Self.graph(settings), after = Self.graph(changed)
    #expect(after.kindsNotIn(before) == JobKind.allCases.filter { kind in first.map { kind >= $0 } ?? false })
    // And back: nothing is left of the change.
    key.write(&changed, key.value(in: settings))
    #expect(Self.graph(changed).fingerprints == before.fingerprints)
  }

  /// Raising one number in `meaningVersion` runs that kind of job again, because it is part of what the fingerprint covers.
  @Test func everyJobCoversTheMeaningOfItsCode() throws {
    var settings = TrialSettings.defaults(for: .unet)
    settings.train.fineTune.epochs = 5
    let jobs = Self.graph(settings).jobs
    #expect(jobs.map(\.kind) == JobKind.allCases)
    for job in jobs { #expect(job.settings.last == Setting(key: "meaning of \(job.kind.rawValue)", value: "\(job.kind.meaningVersion)")) }
  }
}

/// Specs that say the same in other words.
@Suite struct SameMeaningTests {
  static let lines = [
    "title: A title", "data: {source: synthetic, synthetic: {train: 9, test: 3}}", "model: {base_filters: 4, depth: 3}", "patches.size: 64",
    "train: {epochs: 3, learning_rate: 1e-3}", "evaluate.threshold: 0.4", "augment.copies: 2",
    "trials: [{name: A, model.architecture: unet, model.l2: 1e-4}, {name: B, model.architecture: unet+}]", "sweep: {grid: {seed: [1, 2]}, exclude: [{seed: 2, trial: A}]}",
  ]
  static let otherWords = [
    "title: >-\n  A\n  title", "data:\n  synthetic.test: 3  # images\n  source: synthetic\n  synthetic.train: 0x9", "model.depth: 3\nmodel.base_filters: 4",
    "patches:\n  size: 64", "train.learning_rate: 0.001\ntrain.epochs: 3", "evaluate: {threshold: 4.0e-1}", "augment: {copies: 2}",
    "trials:\n  - model: {l2: 0.0001, architecture: unet}\n    name: A\n  - {model.architecture: \"unet+\", name: B}",
    "sweep:\n  exclude: [{trial: A, seed: [2]}]\n  grid.seed: {from: 1, to: 2}",
  ]

  static func fingerprints(_ lines: [String]) throws -> [Fingerprint] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "same-meaning-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appending(path: "spec-\(lines.count).yaml")
    try (["name: same"] + lines).joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
    return graph(try Experiment.load(path: file.path)).fingerprints
  }

  @Test func orderCommentsPlaceAndWordingChangeNothing() throws {
    let expected = try Self.fingerprints(Self.lines)
    for _ in 0..<40 {
      // Each line in one wording or the other, in any order, with comments and blank lines between.
      let lines = zip(Self.lines, Self.otherWords).map { Bool.random() ? $0 : $1 }.shuffled()
      let spaced = lines.flatMap { Bool.random() ? [$0] : ["", "# a comment: \($0.prefix(5))", $0] }
      #expect(try Self.fingerprints(spaced) == expected, "\(spaced.joined(separator: "\n"))")
    }
  }

  @Test func aNewTitleMakesOnlyTheReportAgain() throws {
    let before = try Self.fingerprints(Self.lines), after = try Self.fingerprints(["title: Another"] + Self.lines.dropFirst())
    #expect(after.dropLast() == before.dropLast() && after.last != before.last)
  }
}
