/// What a job does; the order of the cases is the order of the data's way.
public enum JobKind: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
  /// Which images there are, which of them are used, and the truth that goes with each.
  case index
  /// Augmentation, CLAHE, total-variation de-noising and rescaling of every used image; its output goes into `patches` without being kept.
  case preprocess
  /// Grid patches of training and test images, random crops, and the split into training and validation.
  case patches
  case train
  /// Further epochs at another learning rate; only where `train.fine_tune.epochs` > 0.
  case fineTune = "fine-tune"
  case evaluate
  /// Milliseconds a patch; runs alone on the machine.
  case time
  case report

  public static func < (a: JobKind, b: JobKind) -> Bool { a.order < b.order }
  private var order: Int { JobKind.allCases.firstIndex(of: self)! }

  /// The version of the *meaning* of the code that computes this kind: raise it when the same settings and inputs give another
  /// output, and only then; every finished job of the kind, and what depends on it, then runs again.
  public var meaningVersion: Int {
    switch self {
    case .index: 1
    case .preprocess: 1
    case .patches: 1
    case .train: 1
    case .fineTune: 1
    case .evaluate: 1
    case .time: 1
    case .report: 1
    }
  }

  /// Whether the output's bits depend on the instruction set that computes it.
  var dependsOnInstructionSet: Bool { self == .train || self == .fineTune || self == .evaluate || self == .time }

  /// Whether nothing else may run on the machine meanwhile.
  public var isExclusive: Bool { self == .time }
}

/// One piece of work; trials that need the same piece share the job.
public struct Job: Sendable, Hashable, Identifiable {
  /// `<kind>-<fingerprint>`.
  public var id: String
  public var kind: JobKind
  /// The trials it serves, as indices into the experiment's `trials`, ascending; all of them for the report.
  public var trials: [Int]
  /// Jobs that must be done before it.
  public var inputs: [Job.ID]
  public var fingerprint: Fingerprint
  /// All that the fingerprint covers beside the kind and the inputs: the settings the job depends on, in the key table's order, then the
  /// conditions: the data's digest, the instruction set and the meaning of the code.
  public var settings: [Setting]
}

/// One resolved setting: its dotted key and the canonical text of its value (`1e-4` and `0.0001` are one text).
public struct Setting: Sendable, Hashable, Codable {
  public var key: String
  public var value: String
  public init(key: String, value: String) { (self.key, self.value) = (key, value) }
}
