/// A sentence of the paper as a comparison the report can judge: a metric of one trial beside that of another, or beside a number.
///
///     greater: [U-Net+ (T.C.), U-Net]                               more at all
///     greater: [U-Net+ (T.C.), U-Net], by: {points: 2}              by more than two points of a score
///     less: [U-Net+ (T.C.), U-Net++], by: {per_cent: [14.5, 15.5]}  by about 15 % of U-Net++'s
///     less: [U-Net+ (T.C.), 8]                                      below a level
///     alike: [U-Net, 0.14], within: {absolute: 0.01}                between 0.13 and 0.15
public struct Claim: Sendable, Hashable, Codable {
  public enum Relation: String, Sendable, Hashable, Codable, CaseIterable { case greater, less, alike }

  /// What the trial is held against.
  public enum Reference: Sendable, Hashable, Codable {
    case trial(String)
    /// In the metric's own unit.
    case number(Double)
  }

  /// How far apart the two are said to be.
  public struct Margin: Sendable, Hashable, Codable {
    public enum Unit: String, Sendable, Hashable, Codable, CaseIterable {
      /// The metric's own unit.
      case absolute
      /// Hundredths of a score.
      case points
      /// Of the reference.
      case perCent = "per_cent"
    }
    public var unit: Unit
    /// More than this; for `alike` at most this, either way.
    public var low: Double
    /// And less than this.
    public var high: Double?
    public init(_ unit: Unit, _ low: Double, _ high: Double? = nil) { (self.unit, self.low, self.high) = (unit, low, high) }
    /// The order alone.
    public static let none = Margin(.absolute, 0)
  }

  /// The sentence.
  public var claim: String
  public var metric: String
  public var relation: Relation
  public var trial: String
  public var reference: Reference
  public var margin: Margin
  /// One of `ReportSettings.tests`.
  public var test: String

  public init(
    _ claim: String, metric: String, _ relation: Relation, _ trial: String, _ reference: Reference, margin: Margin = .none, test: String = "paired_bootstrap"
  ) {
    (self.claim, self.metric, self.relation, self.trial) = (claim, metric, relation, trial)
    (self.reference, self.margin, self.test) = (reference, margin, test)
  }

  /// Where `quantity` must lie for the claim to hold; the ends do not belong to it.
  public var range: (low: Double, high: Double) {
    let (low, high) = (margin.low, margin.high ?? .infinity)
    return switch relation {
    case .greater: (low, high)
    case .less: (-high, -low)
    case .alike: (-low, low)
    }
  }

  /// The difference of two values of the metric, in the margin's unit.
  public func quantity(_ value: Double, _ reference: Double) -> Double {
    switch margin.unit {
    case .absolute: value - reference
    case .points: 100 * (value - reference)
    case .perCent: 100 * (value - reference) / reference
    }
  }

  /// As a spec writes it.
  public var yaml: String {
    let right = switch reference {
    case .trial(let name): yamlText(name)
    case .number(let number): canonicalText(number)
    }
    var fields = ["claim: \(yamlText(claim))", "metric: \(metric)", "\(relation.rawValue): [\(yamlText(trial)), \(right)]"]
    if margin != .none {
      let low = canonicalText(margin.low), size = margin.high.map { "[\(low), \(canonicalText($0))]" } ?? low
      fields.append("\(relation == .alike ? "within" : "by"): {\(margin.unit.rawValue): \(size)}")
    }
    return "{\((fields + ["test: \(test)"]).joined(separator: ", "))}"
  }
}
