import ExperimentSpec

/// All a report is made of. The runner fills it from the resolved spec, the records and, where it has them at hand, the pictures.
public struct ReportInputs: Sendable {
  public var name: String
  public var title: String
  public var report: ReportSettings
  /// The trials the experiment asks for, in the order of the report; one without a record is shown as missing.
  public var expected: [ExpectedTrial]
  public var records: [TrialRecord]
  public var timings: [TimingRecord]
  /// What was set, for "Settings"; where trials differ, the value says so.
  public var settings: [SettingRow]
  /// The choices where the paper is silent, for "Not stated in the paper".
  public var notStated: [SettingRow]
  /// What the paper does not state and no key sets, as the rest of a sentence; empty where no network is trained.
  public var withoutKey: String
  public var data: [NamedValue]
  public var provenance: [ProvenanceRow]
  public var scored: ScoredImages
  /// nil where masks and images are not at hand: a figure that is already in the folder is kept.
  public var segmentation: SegmentationFigure?
  public var preprocessing: PreprocessingFigure?
  public var examples: ExamplesFigure?
  /// One a kind of network; file names under `figures/` without their ending.
  public var networks: [(file: String, figure: NetworkFigure)]
  /// By trial's name, in the order of the report.
  public var profiles: [(trial: String, profile: OperationProfile)]

  public init(
    name: String, title: String, report: ReportSettings, expected: [ExpectedTrial], records: [TrialRecord], timings: [TimingRecord] = [],
    settings: [SettingRow] = [], notStated: [SettingRow] = [], withoutKey: String = "", data: [NamedValue] = [], provenance: [ProvenanceRow] = [],
    scored: ScoredImages = .test, segmentation: SegmentationFigure? = nil, preprocessing: PreprocessingFigure? = nil, examples: ExamplesFigure? = nil,
    networks: [(file: String, figure: NetworkFigure)] = [], profiles: [(trial: String, profile: OperationProfile)] = []
  ) {
    (self.name, self.title, self.report, self.expected) = (name, title, report, expected)
    (self.records, self.timings, self.settings, self.notStated) = (records, timings, settings, notStated)
    (self.withoutKey, self.data, self.provenance, self.scored) = (withoutKey, data, provenance, scored)
    (self.segmentation, self.preprocessing, self.examples) = (segmentation, preprocessing, examples)
    (self.networks, self.profiles) = (networks, profiles)
  }
}

/// Which images the trials of an experiment are scored on (`evaluate.on`).
public enum ScoredImages: Sendable, Hashable {
  case test, validation
  /// Some trials on the one, some on the other.
  case mixed

  /// "test images".
  var name: String {
    switch self {
    case .test: "test images"
    case .validation: "validation images"
    case .mixed: "scored images"
    }
  }

  var capitalizedName: String { name.prefix(1).uppercased() + name.dropFirst() }

  /// What a reader must know before any number; empty for the test images, which is what a score is taken to be of.
  var warning: String {
    switch self {
    case .test: ""
    case .validation:
      "**Scored on validation images**: training images that each seed drew for validation, on which the kept epoch was chosen too. The test images were not looked at."
    case .mixed: "**Not all trials are scored on the same images**: some on test images, some on validation images (`evaluate.on` under Settings)."
    }
  }
}

/// One trial and seed the report waits for.
public struct ExpectedTrial: Sendable, Hashable {
  public var trial: String
  public var seed: Int
  public init(trial: String, seed: Int) { (self.trial, self.seed) = (trial, seed) }
}

/// A setting: dotted key, value as text, and what it means or why it was chosen.
public struct SettingRow: Sendable, Hashable {
  public var key: String
  public var value: String
  public var doc: String
  public init(key: String, value: String, doc: String) { (self.key, self.value, self.doc) = (key, value, doc) }
}

public struct NamedValue: Sendable, Hashable {
  public var key: String
  public var value: String
  public init(key: String, value: String) { (self.key, self.value) = (key, value) }
}

/// A line of the provenance: `key` is a name of `provenance.json` (snake case); `clock` where it depends on the clock or the machine.
public struct ProvenanceRow: Sendable, Hashable {
  public var key: String
  public var value: String
  public var clock: Bool
  public init(key: String, value: String, clock: Bool) { (self.key, self.value, self.clock) = (key, value, clock) }
}
