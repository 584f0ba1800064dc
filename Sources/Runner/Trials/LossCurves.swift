import Engine
import Foundation
import TensorBoard

/// A trial's training as TensorBoard shows it: losses, penalty and learning rate, an epoch a step.
struct LossCurves {
  private let file: EventFile
  /// An epoch's time is its line's in the log, so that a resumed run states the same bytes again.
  private var times: [Int: Double]
  /// Epochs in the file, as far as this process knows.
  private var written = 0

  /// Throws `UserError` (exit 5) where the trial's log cannot be read.
  init(_ folder: TrialFolder) throws { (file, times) = (EventFile(path: folder.events), try folder.log.lines().timesOfEpochs) }

  /// Makes the file hold `epochs`, all that are done; those that are new and not in the log were done at `time`.
  mutating func hold(_ epochs: [EpochResult], at time: Date) throws {
    guard epochs.count > written else { return }
    for epoch in epochs.dropFirst(written) where times[epoch.epoch] == nil { times[epoch.epoch] = time.timeIntervalSince1970.rounded(.down) }
    if !file.isThere { written = 0 }  // somebody took it away
    let steps = epochs.dropFirst(written).map { epoch in
      EventFile.Step(
        epoch.epoch, time: times[epoch.epoch]!,
        [
          .init("loss/train", epoch.trainLoss), .init("loss/validation", epoch.validationLoss), .init("penalty", epoch.penalty),
          .init("learning_rate", epoch.learningRate),
        ])
    }
    if written == 0 { try file.begin(with: steps) } else { try file.append(steps) }
    written = epochs.count
  }
}
