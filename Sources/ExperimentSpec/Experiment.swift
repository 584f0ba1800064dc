import Diagnostics

/// A whole experiment file, validated and fully resolved.
public struct Experiment: Sendable {
  public var name: String
  public var title: String
  /// One for each named trial and point of the sweep, in the order of the report.
  public var trials: [Trial]
  public var report: ReportSettings
  /// What `--executor slurm` asks the cluster for.
  public var slurm: SlurmSettings
  /// Names of experiments whose finished trials count as this one's where they are the same.
  public var reuse: [String]
  /// Settings without effect, coinciding grid points: shown, not fatal.
  public var notes: [Diagnostic]
  /// Where each of `report.figureImages` stands.
  public var figureImagePlaces: [SourceLocation]
  /// The spec file as the user named it; origins in files are written relative to its folder.
  public var path: String
  public init(
    name: String, title: String, trials: [Trial], report: ReportSettings, slurm: SlurmSettings = SlurmSettings(), notes: [Diagnostic], reuse: [String] = [],
    figureImagePlaces: [SourceLocation] = [], path: String = ""
  ) {
    (self.name, self.title, self.trials, self.report, self.slurm) = (name, title, trials, report, slurm)
    (self.notes, self.reuse, self.figureImagePlaces, self.path) = (notes, reuse, figureImagePlaces, path)
  }
}

/// One training and evaluation: a named row of the report at one seed.
public struct Trial: Sendable {
  /// The report's column; trials that differ only in seed share it.
  public var name: String
  public var settings: TrialSettings
  /// For each dotted key, where its value came from.
  public var origins: [String: ValueOrigin]
  public init(name: String, settings: TrialSettings, origins: [String: ValueOrigin]) {
    (self.name, self.settings, self.origins) = (name, settings, origins)
  }

  /// Whether `key`, by references that end in `seed`, has the seed for its value: what trials of one name may differ in.
  func followsSeed(_ key: String) -> Bool {
    guard case .reference(let other, _)? = origins[key], let key = KeyTable[key], other == "seed" || followsSeed(other) else { return false }
    // A seed without effect goes back to its default, and what has referred to it does not.
    return key.accepted.value(of: Scalar(String(settings.seed))) == key.value(in: settings)
  }
}

public indirect enum ValueOrigin: Sendable, Hashable {
  /// The key table's default; where it depends on another key, why.
  case defaulted(because: String?)
  case file(SourceLocation)
  /// A value that a sweep goes through; `part` is `sweep.grid`, `sweep.zip`, `sweep.include` or `sweep.when`.
  case sweep(part: String, SourceLocation)
  /// `--set key=value`.
  case commandLine
  /// `${to}`, which stands where `from` says: the value is that of the key it names.
  case reference(to: String, from: ValueOrigin)

  /// Where it stands in a file.
  var location: SourceLocation? {
    switch self {
    case .file(let location), .sweep(_, let location): location
    case .reference(_, let from): from.location
    case .defaulted, .commandLine: nil
    }
  }
}

/// What the report shows, and what it is held against.
public struct ReportSettings: Sendable, Hashable, Codable {
  /// Metrics (rows of the paper's table), e.g. `average_iou`, `average_precision`, `parameters`, `ms_per_patch`.
  public var rows: [String]
  public var published: [Published]
  public var claims: [Claim]
  /// Test images of the segmentation figure, by id; empty: the report picks a dim, a crowded and a large one by rule.
  public var figureImages: [String]
  /// Free text shown under the title (what this run is and is not).
  public var remark: String
  public init(rows: [String], published: [Published], claims: [Claim], figureImages: [String], remark: String) {
    (self.rows, self.published, self.claims, self.figureImages, self.remark) = (rows, published, claims, figureImages, remark)
  }

  /// Published numbers of one trial, keyed by metric; `<metric>_sd` is its printed spread.
  public struct Published: Sendable, Hashable, Codable {
    public var trial: String
    public var values: [String: Double]
    public var tolerance: [String: Double]
    public var source: String
    public init(trial: String, values: [String: Double], tolerance: [String: Double], source: String) {
      (self.trial, self.values, self.tolerance, self.source) = (trial, values, tolerance, source)
    }
  }
}
