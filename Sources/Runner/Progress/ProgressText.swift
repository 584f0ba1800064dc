/// How far one trial's training is.
public struct TrialProgress: Sendable, Hashable {
  /// The trial's name, with its seed where there are several.
  public var label: String
  /// `patches`, `train`, `fine-tune`, `evaluate` or `time`.
  public var phase: String
  /// Counted from 1; 0 of 0 in phases without epochs.
  public var epoch: Int
  public var epochs: Int
  /// Batches done of the epoch, or images of the test.
  public var batch: Int
  public var batches: Int
  /// Mean over the epoch so far; nil where there is none.
  public var loss: Double?
  public var patchesPerSecond: Double?
  /// Until the trial is done.
  public var secondsLeft: Double?

  public init(
    label: String, phase: String, epoch: Int = 0, epochs: Int = 0, batch: Int, batches: Int, loss: Double? = nil,
    patchesPerSecond: Double? = nil, secondsLeft: Double? = nil
  ) {
    (self.label, self.phase, self.epoch, self.epochs, self.batch, self.batches) = (label, phase, epoch, epochs, batch, batches)
    (self.loss, self.patchesPerSecond, self.secondsLeft) = (loss, patchesPerSecond, secondsLeft)
  }
}

/// How far the whole sweep is.
public struct SweepProgress: Sendable, Hashable {
  public var trialsDone: Int
  public var trials: Int
  public var failed: Int
  public var secondsLeft: Double?
  public init(trialsDone: Int, trials: Int, failed: Int = 0, secondsLeft: Double? = nil) {
    (self.trialsDone, self.trials, self.failed, self.secondsLeft) = (trialsDone, trials, failed, secondsLeft)
  }
}

/// Progress as text; pure.
public enum ProgressText {
  /// The live line of a running trial, at most `columns` cells; what matters least goes first when it does not fit.
  ///
  ///     U-Net++, seed 2  train 3/20  ━━━━━━╌╌╌╌  128/420  loss 0.3120  14.2 patches/s  12 min left
  public static func live(_ progress: TrialProgress, columns: Int) -> String {
    let all = parts(progress)
    let bar = bar(progress.batch, of: progress.batches)
    var candidates = [[all.head, bar] + all.rest]
    candidates.append([all.head] + all.rest)
    for kept in stride(from: all.rest.count - 1, through: 0, by: -1) { candidates.append([all.head] + all.rest.prefix(kept)) }
    let lines = candidates.map { $0.joined(separator: "  ") }
    return lines.first { $0.count <= columns } ?? String(lines.last!.prefix(max(0, columns)))
  }

  /// The line under the running trials.
  public static func live(_ sweep: SweepProgress, columns: Int) -> String { String(text(sweep).prefix(max(0, columns))) }

  /// One line a finished epoch, for a log file: no escape codes, nothing that moves.
  public static func epochLine(_ progress: TrialProgress, validationLoss: Double, sweep: SweepProgress) -> String {
    var parts = ["\(progress.label): \(progress.phase) epoch \(progress.epoch)/\(progress.epochs)"]
    if let loss = progress.loss { parts.append("loss \(fixed(loss, 4))") }
    parts.append("validation \(fixed(validationLoss, 4))")
    if let rate = progress.patchesPerSecond { parts.append("\(fixed(rate, 1)) patches/s") }
    if let left = progress.secondsLeft { parts.append("\(duration(left)) left") }
    return parts.joined(separator: ", ") + "; " + text(sweep)
  }

  /// Whether a log file gets a line for the epoch: at most some fifty of a training, its first and last among them.
  public static func isShown(epoch: Int, of epochs: Int) -> Bool {
    let step = (epochs + 49) / 50
    return epoch == 1 || epoch == epochs || epoch % step == 0
  }

  public static func text(_ sweep: SweepProgress) -> String {
    var text = "\(sweep.trialsDone)/\(sweep.trials) trials done"
    if sweep.failed > 0 { text += ", \(sweep.failed) failed" }
    if let left = sweep.secondsLeft { text += ", \(duration(left)) left in all" }
    return text
  }

  /// `45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`.
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "?" }
    let whole = Int(max(0, seconds).rounded())
    switch whole {
    case ..<90: return "\(whole) s"
    case ..<5400: return "\((whole + 30) / 60) min"
    case ..<172_800:
      let minutes = (whole + 30) / 60
      return "\(minutes / 60) h \(minutes % 60 < 10 ? "0" : "")\(minutes % 60) min"
    default: return "\(whole / 86400) d \(whole % 86400 / 3600) h"
    }
  }

  /// `value` with `digits` decimals; what is not finite is named.
  public static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return value.isNaN ? "NaN" : "\(value)" }
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((abs(value) * scale).rounded())
    let text = String(scaled)
    let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
    let sign = value < 0 && scaled != 0 ? "-" : ""
    return digits == 0 ? sign + padded : sign + padded.dropLast(digits) + "." + padded.suffix(digits)
  }

  private static func parts(_ progress: TrialProgress) -> (head: String, rest: [String]) {
    var head = "\(progress.label)  \(progress.phase)"
    if progress.epochs > 0 { head += " \(progress.epoch)/\(progress.epochs)" }
    var rest = ["\(progress.batch)/\(progress.batches)"]
    if let loss = progress.loss { rest.append("loss \(fixed(loss, 4))") }
    if let left = progress.secondsLeft { rest.append("\(duration(left)) left") }
    if let rate = progress.patchesPerSecond { rest.append("\(fixed(rate, 1)) patches/s") }
    return (head, rest)
  }

  private static func bar(_ done: Int, of total: Int) -> String {
    let cells = 16
    let filled = total > 0 ? min(cells, done * cells / total) : 0
    return String(repeating: "━", count: filled) + String(repeating: "╌", count: cells - filled)
  }
}
