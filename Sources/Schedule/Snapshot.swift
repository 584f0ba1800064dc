import ExperimentGraph

/// What is there of an experiment's jobs, as the executor found it: all that a schedule knows of the outside.
public struct Snapshot: Sendable {
  /// Jobs whose output is there.
  public var finished: Set<Fingerprint> = []
  /// Trainings that were cut off.
  public var checkpoints: [Fingerprint: Checkpoint] = [:]
  /// Why an evaluation that has a record is not done: the trial failed.
  public var failures: [Fingerprint: String] = [:]
  /// Trials that ran before, oldest first; only to say what changed.
  public var earlier: [EarlierTrial] = []

  public init() {}

  public struct Checkpoint: Sendable, Hashable {
    /// Epochs of the phase that are done, of how many.
    public var epoch: Int
    public var epochs: Int
    public init(epoch: Int, epochs: Int) { (self.epoch, self.epochs) = (epoch, epochs) }
  }

  /// A trial as it ran before: `ExperimentGraph.settings(ofTrial:)` of then.
  public struct EarlierTrial: Sendable, Hashable {
    public var trial: String
    public var seed: Int
    public var settings: [String: String]
    public init(trial: String, seed: Int, settings: [String: String]) { (self.trial, self.seed, self.settings) = (trial, seed, settings) }
  }
}
