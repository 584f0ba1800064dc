import Diagnostics
import Foundation
import Testing

@testable import ExperimentSpec

/// A folder of specs, written for one test and removed after it.
struct SpecFolder: ~Copyable {
  let url = FileManager.default.temporaryDirectory.appending(path: "spec-\(UUID().uuidString)")

  init(_ files: [String: String]) throws {
    for (name, text) in files {
      let file = url.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func load(_ name: String = "a.yaml", set overrides: [(key: String, value: String)] = []) throws -> Experiment {
    try Experiment.load(path: url.appending(path: name).path, overrides: overrides)
  }
}

@Suite struct ResolutionTests {
  private func load(_ text: String, set overrides: [(key: String, value: String)] = []) throws -> Experiment {
    try SpecFolder(["a.yaml": text]).load(set: overrides)
  }
  private func names(_ experiment: Experiment) -> [String] { experiment.trials.map { "\($0.name) \($0.settings.seed)" } }

  // MARK: Defaults

  @Test func defaultsAreThePapers() throws {
    let unet = TrialSettings.defaults(for: .unet), plusPlus = TrialSettings.defaults(for: .unetPlusPlus), plus = TrialSettings.defaults(for: .unetPlus)
    #expect([unet, plusPlus, plus].map(\.model.normalization) == [.none, .none, .batch])
    #expect([unet, plusPlus, plus].map(\.model.dropout) == [0.5, 0.5, 0])
    #expect(plus.model.architecture == .unetPlus && plus.model.baseFilters == 16 && plus.model.depth == 5 && plus.model.upsampling == .transposed)
    #expect(plus.train == TrainSettings(epochs: 20, batch: 16, learningRate: 5e-4, bceWeight: 1, diceSmooth: 1, fineTune: .init(epochs: 0, learningRate: 1e-4), precision: .f32))
    #expect(try load("name: a\nmodel.architecture: unet+").trials.map(\.settings) == [plus])
  }

  @Test func everyKeyReachesASettingOfItsOwn() throws {
    var seen: Set<String> = []
    for key in KeyTable.keys {
      #expect(seen.insert(key.name).inserted)
      let settings = TrialSettings.defaults(for: .unetPlus)
      var changed = settings
      key.write(&changed, other(than: key.value(in: settings), for: key))
      let differing = zip(KeyTable.values(of: settings), KeyTable.values(of: changed)).filter { $0.text != $1.text }.map(\.0.key)
      #expect(differing == [key.name])
      #expect(settings != changed)
      #expect(key.accepted.value(of: Scalar(key.value(in: settings).text)) == key.value(in: settings) || key.name == "data.root")
      #expect(!key.summary.isEmpty)
    }
    // A setting without a key could not be given, and would have no default: count the leaves of the encoded settings.
    func leaves(_ value: Any) -> Int { (value as? [String: Any])?.values.reduce(0) { $0 + leaves($1) } ?? 1 }
    let encoded = try JSONSerialization.jsonObject(with: JSONEncoder().encode(TrialSettings.defaults(for: .unet)))
    #expect(leaves(encoded) == KeyTable.keys.count)
  }

  private func other(than value: KeyValue, for key: Key) -> KeyValue {
    switch (value, key.accepted) {
    case (.integer(let value), .oneOf(let choices)): .integer(choices.first { $0 != value }!)
    case (.integer(let value), _): .integer(value + 1)
    case (.number(let value), _): .number(value / 2 + 0.01)
    case (.text(let value), .choice(let choices)): .text(choices.first { $0 != value }!)
    case (.text(let value), _): .text(value + "x")
    }
  }

  @Test func keysThePaperIsSilentAbout() {
    let silent = Set(KeyTable.keys.filter { !$0.statedInPaper }.map(\.name))
    #expect(silent.isSuperset(of: ["preprocess.clahe_clip", "preprocess.tv_weight", "augment.copies", "patches.crops_per_image", "evaluate.minimum_object",
      "evaluate.maximum_hole", "evaluate.connectivity", "train.batch", "train.dice_smooth", "model.dropout"]))
    #expect(silent.isDisjoint(with: ["model.base_filters", "patches.split", "patches.foreground_ratio", "train.epochs", "train.learning_rate", "evaluate.threshold"]))
  }

  // MARK: Keys and layers

  @Test(arguments: [
    "model: {architecture: unet, depth: 4}\ntrain: {fine_tune: {epochs: 3}}", "model.architecture: unet\nmodel.depth: 4\ntrain.fine_tune.epochs: 3",
    "model: {architecture: unet}\nmodel.depth: 4\ntrain.fine_tune: {epochs: 3}", "model: {architecture: unet, depth: 4}\ntrain: {fine_tune.epochs: 3}\naugment:\n",
    "trials: [{name: a, model: {architecture: unet, depth: 4}, train.fine_tune.epochs: 3}]",
    "model: &m {architecture: unet, depth: 3}\ntrials: [{name: a, <<: {model: *m}, model.depth: 4, train.fine_tune.epochs: 3}]",
  ]) func nestedAndDottedKeysAreTheSame(_ text: String) throws {
    let settings = try #require(try load("name: a\n" + text).trials.first?.settings)
    #expect(settings.model.depth == 4 && settings.train.fineTune.epochs == 3)
  }

  @Test func laterLayersWinAndOriginsSaySo() throws {
    let folder = try SpecFolder([
      "a.yaml": "name: a\nextends: base/b.yaml\nmodel.depth: 4\ntrials:\n  - {name: t, model.l2: 1e-3}\n  - {name: u}\nsweep.grid: {train.batch: [2]}\n",
      "base/b.yaml": "name: b\nextends: ../c.yaml\ntitle: B\nmodel: {architecture: unet+, depth: 3, l2: 1}\ntrain.batch: 4\n",
      "c.yaml": "model: {architecture: unet, base_filters: 4}\ntrials: [{name: never}]\nremark: C\n",
    ])
    let experiment = try folder.load(set: [("train.epochs", "1"), ("train.epochs", "2")])
    #expect(experiment.name == "a" && experiment.title == "B" && experiment.report.remark == "C")
    #expect(experiment.trials.map(\.name) == ["t train.batch=2", "u train.batch=2"])
    let trial = experiment.trials[0]
    #expect(trial.settings.model.architecture == .unetPlus && trial.settings.model.baseFilters == 4 && trial.settings.model.depth == 4)
    #expect(trial.settings.model.l2 == 1e-3 && experiment.trials[1].settings.model.l2 == 1)
    #expect(trial.settings.train.batch == 2 && trial.settings.train.epochs == 2)
    func place(_ key: String) -> String {
      switch trial.origins[key] {
      case .file(let location), .sweep(_, let location): relativePath(location.file, from: experiment.path) + ":\(location.line):\(location.column)"
      case .reference(let other, _): other
      case .commandLine: "set"
      case .defaulted(let because): because ?? "default"
      case nil: "none"
      }
    }
    #expect(place("model.depth") == "a.yaml:3:14")
    #expect(place("model.l2") == "a.yaml:5:25")
    #expect(place("train.batch") == "a.yaml:7:28")
    #expect(place("model.architecture") == "base/b.yaml:4:23")
    #expect(place("model.base_filters") == "c.yaml:1:43")
    #expect(place("train.epochs") == "set")
    #expect(place("patches.size") == "default")
    #expect(place("model.normalization") == "the paper's: batch for unet+ alone")
    #expect(trial.origins.count == KeyTable.keys.count)
  }

  // MARK: The sweep

  @Test func gridGoesThroughAllAndSeedsShareTheName() throws {
    let experiment = try load("name: a\nmodel.architecture: unet\ntrials: [{name: A}, {name: B}]\nsweep: {grid: {model: {l2: [0, 1e-4]}, seed: [1, 2]}, expect: 8}")
    #expect(names(experiment) == ["A model.l2=0 1", "A model.l2=0 2", "A model.l2=1e-4 1", "A model.l2=1e-4 2", "B model.l2=0 1", "B model.l2=0 2", "B model.l2=1e-4 1", "B model.l2=1e-4 2"])
    #expect(try names(load("name: a\nmodel.architecture: unet\nsweep.grid.seed: [3, 1]")) == ["a 3", "a 1"])
  }

  @Test func zipIncludeExclude() throws {
    let experiment = try load("""
      name: a
      model.architecture: unet
      sweep:
        zip: {model.base_filters: [4, 8], train.batch: [32, 16]}
        grid: {model.depth: [3, 4, 5]}
        include: [{model.base_filters: 2}]
        exclude: [{model.base_filters: 4, model.depth: 4}, {trial: a, model.depth: 3}]
        expect: 4
      """)
    #expect(experiment.trials.map { "\($0.settings.model.baseFilters) \($0.settings.train.batch) \($0.settings.model.depth)" } == ["4 32 5", "8 16 4", "8 16 5", "2 16 5"])
    #expect(experiment.trials[0].name == "a model.base_filters=4 train.batch=32 model.depth=5")
  }

  /// Exclusions are there for points that do not fit, and these are no fault then.
  @Test(arguments: [
    ("grid: {model.depth: [5, 7], patches.size: [48, 64]}, exclude: [{model.depth: 7, patches.size: 48}]", 3),
    ("grid: {evaluate.on: [test, validation]}, exclude: [{evaluate.on: validation, patches.split: patch}]", 1),
  ]) func exclusionsTakeOutWhatDoesNotFit(_ sweep: String, _ count: Int) throws {
    #expect(try load("name: a\nmodel.architecture: unet\nsweep: {\(sweep)}").trials.count == count)
  }

  @Test func pointsThatCoincideAreOneTrial() throws {
    let text = """
      name: a
      trials: [{name: U-Net, model.architecture: unet}, {name: U-Net+, model.architecture: unet+}]
      sweep: {grid: {model.upsampling: [transposed, nearest], seed: [1, 2]}, expect: 6}
      """
    let experiment = try load(text)
    #expect(names(experiment) == ["U-Net 1", "U-Net 2", "U-Net+ model.upsampling=transposed 1", "U-Net+ model.upsampling=transposed 2",
      "U-Net+ model.upsampling=nearest 1", "U-Net+ model.upsampling=nearest 2"])
    #expect(experiment.notes.map(\.message) == ["4 points of the sweep are 2 trials for 'U-Net' (model.upsampling has no effect with model.architecture unet)"])
  }

  @Test func settingsWithoutEffectAreNotedAndPutBack() throws {
    let experiment = try load("""
      name: a
      model: {architecture: unet++, upsampling: nearest}
      augment: {copies: 0, flip: 1}
      """, set: [("train.fine_tune.learning_rate", "0.5")])
    #expect(experiment.notes.map { "\($0.severity.rawValue) \($0.location?.line ?? 0) \($0.message)" } == [
      "note 2 model.upsampling has no effect with model.architecture unet++", "note 3 augment.flip has no effect with augment.copies 0",
      "note 0 --set train.fine_tune.learning_rate has no effect with train.fine_tune.epochs 0",
    ])
    var expected = TrialSettings.defaults(for: .unetPlusPlus)
    expected.augment.copies = 0
    #expect(experiment.trials[0].settings == expected)
    #expect(experiment.trials[0].origins["augment.flip"] == .defaulted(because: "without effect with augment.copies 0"))
    // In effect for one of the trials that it reaches: nothing to note. In a base: written for other specs too.
    #expect(try load("name: a\nmodel.upsampling: nearest\ntrials: [{name: A, model.architecture: unet}, {name: B, model.architecture: unet+}]").notes.isEmpty)
    #expect(try SpecFolder(["a.yaml": "name: a\nextends: b.yaml", "b.yaml": "model: {architecture: unet, upsampling: nearest}"]).load().notes.isEmpty)
  }

  @Test(arguments: [
    ("seed: {from: 1, to: 3}", "1, 2, 3"), ("seed: {from: 1, to: 10, step: 4}", "1, 5, 9"), ("model.base_filters: {from: 4, to: 64, factor: 2}", "4, 8, 16, 32, 64"),
    ("model.l2: {from: 1e-6, to: 1e-1, factor: 10}", "1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1"), ("model.l2: {from: 0, to: 0.7, step: 0.1}", "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7"),
    ("train.learning_rate: {from: 3e-4, to: 3e-3, factor: 3.1622776601683795}", "3e-4, 9.48683298051e-4, 0.003"), ("seed: {from: 5, to: 5}", "5"),
    ("model.l2: {from: 0.12345678901234, to: 0.2, step: 1}", "0.12345678901234"), ("model.l2: {from: 0.1234567890125, to: 0.1234567890125, step: 1}", "0.1234567890125"),
    ("model.l2: {from: 0.0234567890125, to: 0.1234567890125, step: 0.1}", "0.0234567890125, 0.1234567890125"), ("seed: {from: 1, to: 3.0}", "1, 2, 3"),
    ("seed: {from: 20240101, to: 20240103}", "20240101, 20240102, 20240103"), ("seed: {from: 9007199254740991, to: 9007199254740992}", "9007199254740991, 9007199254740992"),
  ]) func ranges(_ axis: String, _ expected: String) throws {
    let key = try #require(KeyTable[String(axis.prefix { $0 != ":" })])
    for sweep in ["sweep: {grid: {\(axis)}}", "sweep.zip: {\(axis)}", "sweep.when: [{if: {model.depth: 5}, set: {\(axis)}}]"] {
      let values = try load("name: a\nmodel.architecture: unet\n" + sweep).trials.map { key.value(in: $0.settings).text }
      #expect(values.joined(separator: ", ") == expected)
    }
  }

  @Test func conditionsAddToTheTrialsThatMeetThem() throws {
    let experiment = try load("""
      name: a
      trials: [{name: U-Net, model.architecture: unet}, {name: U-Net++, model.architecture: unet++}, {name: U-Net+, model.architecture: unet+}]
      sweep:
        grid: {seed: [1, 2]}
        when:
          - {if: {model.architecture: unet++}, set: {model.l2: [0, 1e-4], train.fine_tune.epochs: 5}}
          - {if: {model.architecture: [unet, unet+], seed: {from: 1, to: 2}}, set: {train.batch: 8}}
          - {if: {train.batch: 8, trial: U-Net, seed: 2}, set: {train.epochs: [1, 2]}}
        exclude: [{trial: U-Net++, seed: 2, model.l2: {from: 0, to: 1, step: 1}}]
        expect: 8
      """)
    #expect(names(experiment) == [
      "U-Net 1", "U-Net train.epochs=1 2", "U-Net train.epochs=2 2", "U-Net++ model.l2=0 1", "U-Net++ model.l2=1e-4 1", "U-Net++ model.l2=1e-4 2", "U-Net+ 1", "U-Net+ 2",
    ])
    #expect(experiment.trials.map(\.settings.train.batch) == [8, 8, 8, 16, 16, 16, 8, 8])
    #expect(experiment.trials.map(\.settings.train.fineTune.epochs) == [0, 0, 0, 5, 5, 5, 0, 0])
    // A condition may look at what --set says, and what is set so is not gone through; a condition that --set made idle is noted.
    let text = "name: a\nmodel.architecture: unet\nsweep.when: [{if: {model.depth: 5}, set: {model.l2: [0, 1]}}]"
    #expect(try names(load(text, set: [("model.l2", "2")])) == ["a 1"])
    let shallow = try load(text, set: [("model.depth", "4")])
    #expect(names(shallow) == ["a 1"] && shallow.notes.map(\.message) == ["this condition holds for no trial with what --set says"])
    // What one entry repairs is no fault of the point before it.
    #expect(try load("name: a\nmodel: {architecture: unet}\npatches.size: 36\nsweep.when: [{if: {model.depth: 5}, set: {model.depth: 3}}]").trials[0].settings.model.depth == 3)
  }

  @Test func referencesTakeTheValueOfAnotherKey() throws {
    let experiment = try load("""
      name: a
      model.architecture: unet
      data: {source: synthetic, synthetic.seed: "${seed}"}
      train.epochs: ${train.fine_tune.epochs}
      train.fine_tune.epochs: ${model.depth}
      train.bce_weight: ${model.base_filters}
      sweep: {grid: {seed: [3, 4], train.batch: [16, "${model.base_filters}", 2]}}
      """, set: [("model.depth", "4"), ("model.base_filters", "${model.depth}")])
    #expect(names(experiment) == ["a train.batch=16 3", "a train.batch=4 3", "a train.batch=2 3", "a train.batch=16 4", "a train.batch=4 4", "a train.batch=2 4"])
    #expect(experiment.trials.map(\.settings.data.syntheticSeed) == [3, 3, 3, 4, 4, 4])
    let settings = experiment.trials[0].settings
    #expect(settings.train.epochs == 4 && settings.train.fineTune.epochs == 4 && settings.model.baseFilters == 4 && settings.train.bceWeight == 4)
    #expect(try experiment.explain("train.epochs").contains("a.yaml:4:15, ${train.fine_tune.epochs}: "))
    #expect(try experiment.explain("train.epochs").contains("a.yaml:5:25, ${model.depth}: --set"))
    #expect(try experiment.explain("model.base_filters").contains("--set, ${model.depth}: --set"))
    #expect(experiment.resolvedYAML().contains(", ${model.depth}\n"))
    #expect(experiment.resolvedYAML().contains("train.epochs: 4  # from a.yaml:4:15, ${train.fine_tune.epochs}\n"))
    #expect(experiment.resolvedYAML().contains("data.synthetic.seed: \"${seed}\"  # 3, from a.yaml:3:43, ${seed}\n"), "what follows the seed goes on doing so")
  }

  /// What lets references be followed after the defaults are laid on.
  @Test func noDefaultDependsOnAKeyThatCanReferToAnother() {
    for key in KeyTable.keys {
      let settings = TrialSettings.defaults(for: .unetPlus), value = other(than: key.value(in: settings), for: key)
      var changed = settings
      key.write(&changed, value)
      guard KeyTable.keys.contains(where: { $0.defaultValue(settings).value != $0.defaultValue(changed).value }) else { continue }
      for target in KeyTable.keys where target.name != key.name {
        let values = if case .choice(let choices) = target.accepted { choices } else { [target.value(in: settings).text] }
        #expect(values.allSatisfy { key.accepted.value(of: Scalar($0)) == nil }, "\(key.name) could refer to \(target.name)")
      }
    }
  }

  @Test func setTakesThePlaceOfASweep() throws {
    let text = "name: a\nmodel.architecture: unet\nsweep: {grid: {seed: [1, 2, 3], model.depth: [3, 4]}, expect: 6}"
    let experiment = try load(text, set: [("seed", "7"), ("model.l2", "0.5")])
    #expect(names(experiment) == ["a model.depth=3 7", "a model.depth=4 7"])
    #expect(experiment.trials.allSatisfy { $0.settings.model.l2 == 0.5 })
    #expect(experiment.notes.map(\.message) == ["--set seed takes the place of this sweep"])
  }

  @Test func setGivesAnEmptyTextBack() throws {
    let text = "name: a\nmodel.architecture: unet\ndata.root: images"
    #expect(try load(text).trials[0].settings.data.root == "images")
    #expect(try load(text, set: [("data.root", "")]).trials[0].settings.data.root.isEmpty)
  }

  /// Their text in fingerprints is that of the integer.
  @Test(arguments: ["train.epochs: 5.0", "train.epochs: 0.5e1", "train.epochs: +5"]) func wholeNumbersAreIntegers(_ line: String) throws {
    let epochs = try #require(KeyTable["train.epochs"])
    #expect(try epochs.value(in: load("name: a\nmodel.architecture: unet\n\(line)").trials[0].settings).text == "5")
  }

  // MARK: The report

  @Test func reportOfTable1() throws {
    let experiment = try Experiment.load(path: ShippedTests.root.appending(path: "experiments/table1.yaml").path)
    #expect(experiment.report.rows == ["average_iou", "average_precision", "parameters", "ms_per_patch"])
    #expect(experiment.report.published[0] == .init(
      trial: "U-Net", values: ["average_iou": 0.533, "average_iou_sd": 0.173, "average_precision": 0.6, "parameters": 1_941_000, "gpu_ms_per_patch": 14.9],
      tolerance: ["average_iou": 0.03, "average_precision": 0.03, "parameters": 500], source: "Table 1"))
    #expect(experiment.report.published.map(\.trial) == ["U-Net", "U-Net++", "U-Net+ (T.C.)", "U-Net+ (U.S.)"])
    let claims = experiment.report.claims
    #expect(claims.contains(
      Claim("U-Net+ (T.C.) exceeds U-Net by more than 2 %", metric: "average_iou", .greater, "U-Net+ (T.C.)", .trial("U-Net"), margin: .init(.perCent, 2))))
    #expect(claims.contains(Claim("U-Net+ (T.C.) needs less than 8 MB", metric: "size_mb", .less, "U-Net+ (T.C.)", .number(8), test: "exact")))
    #expect(claims.filter { $0.metric == "parameters" }.allSatisfy { $0.test == "exact" })
    #expect(claims.filter { $0.metric == "ms_per_patch" }.allSatisfy { $0.test == "rank_sum" })
    #expect(experiment.trials.filter { $0.settings.model.l2 == 1e-4 && $0.settings.train.fineTune.epochs == 5 }.map(\.name) == ["U-Net++", "U-Net++", "U-Net++"])
  }

  /// What the resolved spec writes of a claim reads back as the same claim.
  @Test(arguments: ["table1", "table2", "lambda", "width"]) func claimsSurviveTheResolvedSpec(_ name: String) throws {
    let experiment = try Experiment.load(path: ShippedTests.root.appending(path: "experiments/\(name).yaml").path)
    #expect(try load(experiment.resolvedYAML()).report == experiment.report && !experiment.report.claims.isEmpty)
  }

  @Test func aPlainNumberIsALevelAndAQuotedOneATrial() throws {
    let trials = "name: a\nmodel.architecture: unet\ntrials: [{name: A}, {name: \"8\", seed: 2}]\nreport:\n  claims:\n"
    func claim(_ text: String) throws -> Claim { try load(trials + "    - {claim: c, metric: \(text)}").report.claims[0] }
    #expect(try claim("size_mb, less: [A, 8]") == Claim("c", metric: "size_mb", .less, "A", .number(8), test: "exact"))
    #expect(try claim("size_mb, less: [A, \"8\"]") == Claim("c", metric: "size_mb", .less, "A", .trial("8"), test: "exact"))
    #expect(try claim("val_loss, less: [A, 1], by.per_cent: [1, 2]").margin == .init(.perCent, 1, 2))
    #expect(try claim("average_iou, alike: [A, 1], within: {points: 1.5}, test: exact") == Claim(
      "c", metric: "average_iou", .alike, "A", .number(1), margin: .init(.points, 1.5), test: "exact"))
    let less = try claim("average_iou, less: [A, 1], by: {points: [1, 3]}")
    #expect(less.range == (-3, -1) && abs(less.quantity(0.98, 1) + 2) < 1e-12)
    #expect(try claim("average_iou, alike: [A, 1], within: {points: 2}").range == (-2, 2))
  }
}

@Suite struct SlurmSettingsTests {
  @Test func whatAClusterIsAskedForGoesThroughBasesKeyByKey() throws {
    let folder = NSTemporaryDirectory() + "/slurm-spec-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try "slurm: {partition: long, time: 90, memory: 4G, options: [--account=lab]}".write(toFile: "\(folder)/base.yaml", atomically: true, encoding: .utf8)
    try "name: x\nextends: base.yaml\nmodel.architecture: unet\nslurm.time: 2-12:30\nslurm: {cpus: 8, options: []}\n"
      .write(toFile: "\(folder)/x.yaml", atomically: true, encoding: .utf8)
    let slurm = try Experiment.load(path: "\(folder)/x.yaml").slurm
    #expect(slurm.partition == "long" && slurm.time == "2-12:30" && slurm.memory == "4G" && slurm.cpus == 8 && slurm.options.isEmpty && slurm.grace == 120)
    #expect(try !Experiment.load(path: "\(folder)/x.yaml").resolvedYAML().contains("slurm"), "where it runs is no part of what it is")
  }
}
