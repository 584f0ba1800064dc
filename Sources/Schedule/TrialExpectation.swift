/// What a trial is expected to take: its network exactly, memory by the engine's plan, time by what is known of this machine.
public struct TrialExpectation: Sendable, Hashable {
  /// Index into the experiment's trials.
  public var trial: Int
  public var parameters: Int
  /// Of one patch, forward.
  public var multiplyAdds: Int
  /// Of all phases.
  public var epochs: Int
  /// To train.
  public var megabytes: Int
  /// To train through all epochs; nil where nothing tells.
  public var seconds: Double?
  /// Of these, what is still to be done.
  public var secondsLeft: Double?
  /// The time in words, with what it goes by: "about 12 min, by U-Net of before", "about 3 min left of 12 min, by …".
  public var time: String

  public init(trial: Int, parameters: Int, multiplyAdds: Int, epochs: Int, megabytes: Int, seconds: Double?, secondsLeft: Double?, time: String) {
    (self.trial, self.parameters, self.multiplyAdds, self.epochs) = (trial, parameters, multiplyAdds, epochs)
    (self.megabytes, self.seconds, self.secondsLeft, self.time) = (megabytes, seconds, secondsLeft, time)
  }

  static let header = ["trial", "parameters", "multiply–adds a patch", "epochs", "training memory", "training time"]

  func row(_ label: String) -> [String] { [label, "\(parameters)", "\(multiplyAdds)", "\(epochs)", "\(megabytes) MB", time] }
}
