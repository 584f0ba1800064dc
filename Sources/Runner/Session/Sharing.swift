import Engine
import ExperimentGraph
import ExperimentSpec
import Foundation
import Schedule
import Synchronization
import TensorCore

/// How a session's open trials share this machine.
extension Session {
  /// The trials with work, those with most left first where several run side by side, else in the report's order; one that others fine-tune from always
  /// comes before them.
  var openTrials: [Int] {
    let open = Self.open(plan, selected)
    guard allotment.jobs > 1 else { return mainTrainingsFirst(open) }
    let works = plan.workLeft(ofTrials: open)
    let longestFirst = open.indices.sorted { (-works[$0], $0) < (-works[$1], $1) }
    return mainTrainingsFirst(longestFirst.map { open[$0] })
  }

  /// Whether any of the trials has begun here, on whatever machine. Throws `UserError` (exit 5) where a log cannot be read.
  func hasTrace() throws -> Bool {
    if experiment.trials.indices.contains(where: { FileManager.default.fileExists(atPath: folder(ofTrial: $0).path) }) { return true }
    let earlier = try EarlierTrials(folder)
    return experiment.trials.indices.contains { !earlier.entries(like: graph.settings(ofTrial: $0)).isEmpty }
  }

  /// The trials whose scores or times are to be made: all else is made for these, also where trials that are done share it.
  static func open(_ plan: Plan, _ selected: [Int]) -> [Int] {
    let working = Set(plan.work.filter { [.evaluate, .time].contains($0.job.kind) }.flatMap(\.job.trials))
    return selected.filter(working.contains)
  }

  private func mainTrainingsFirst(_ trials: [Int]) -> [Int] {
    var order: [Int] = []
    for trial in trials {
      if let main = graph.job(.fineTune, of: trial).flatMap({ _ in graph.job(.train, of: trial) }) {
        order += main.trials.filter { graph.trainingJob(of: $0)?.id == main.id && trials.contains($0) && !order.contains($0) }
      }
      if !order.contains(trial) { order.append(trial) }
    }
    return order
  }

  func roster() -> Roster {
    let entries = openTrials.map { trial in
      Roster.Entry(trial: trial, group: plan.group(ofTrial: trial), megabytes: plan.megabytesLeft(ofTrial: trial, threads: threads))
    }
    return Roster(entries.filter { $0.megabytes <= limits.megabytes }, jobs: allotment.jobs, megabytes: limits.megabytes)
  }

  /// Trials that can never be admitted, and why.
  func refusals() -> [(trial: Int, reason: String)] {
    openTrials.compactMap { trial in
      let planned = plan.megabytesLeft(ofTrial: trial, threads: threads)
      guard planned > limits.megabytes else { return nil }
      let batch = experiment.trials[trial].settings.train.batch, trains = plan.trains(trial)
      return (
        trial,
        "its \(trains ? "training" : "scoring") is planned to take \(Int(planned.rounded(.up))) MB (\(trains ? "train.batch \(batch), " : "")\(threads) thread\(threads == 1 ? "" : "s")), "
          + "more than the \(Int(limits.megabytes)) MB \(limits.memorySource)"
      )
    }
  }
}

extension Plan {
  /// Multiply–adds of the epochs that each trial has left, for one patch: the measure by which the machine is shared out. A training that
  /// trials share counts for the first of them. What is only to be scored and timed counts as one epoch: it is less, but goes side by side as well.
  func workLeft(ofTrials trials: [Int]) -> [Double] {
    var counted: Set<Job.ID> = []
    return trials.map { trial in
      let settings = graph.experiment.trials[trial].settings
      let epochs = [(JobKind.train, settings.train.epochs), (.fineTune, settings.train.fineTune.epochs)].reduce(0.0) { sum, phase in
        guard let step = step(phase.0, of: trial), counted.insert(step.job.id).inserted else { return sum }
        return sum + step.left * Double(phase.1)
      }
      return settings.multiplyAdds * max(1, epochs)
    }
  }

  /// The first job of a trial's training of which any is left.
  private func openTraining(ofTrial trial: Int) -> Job? { [JobKind.train, .fineTune].lazy.compactMap { step($0, of: trial) }.first { $0.left > 0 }?.job }

  /// Whether any of a trial's training is left.
  func trains(_ trial: Int) -> Bool { openTraining(ofTrial: trial) != nil }

  /// What is left of a trial is planned to take so much memory, 10⁶ bytes: its training, or, where that is done, the predictions to be scored.
  /// The engine's; the patches, mapped from their file, go when memory is asked for.
  func megabytesLeft(ofTrial trial: Int, threads: Int) -> Double {
    graph.experiment.trials[trial].settings.plannedMegabytes(training: trains(trial), threads: threads)
  }

  /// What trials share that is not to be done twice at once, an open training; else a trial's own scores.
  func group(ofTrial trial: Int) -> Job.ID { openTraining(ofTrial: trial)?.id ?? graph.job(.evaluate, of: trial)!.id }
}

extension Allotment {
  /// For the open trials of a plan.
  init(_ limits: ProcessLimits, _ plan: Plan, _ open: [Int], jobs: Int?, threads: Int?) {
    let workloads = zip(open, plan.workLeft(ofTrials: open)).map { trial, work in
      Workload(
        work: work, serialShare: serialShare(ofMultiplyAdds: plan.graph.experiment.trials[trial].settings.multiplyAdds), group: plan.group(ofTrial: trial),
        megabytes: { plan.megabytesLeft(ofTrial: trial, threads: $0) })
    }
    self.init(of: Capacity(cores: limits.cores, megabytes: limits.megabytes), to: workloads, jobs: jobs, threads: threads)
  }
}

/// The share of a training step that further threads do not shorten: small layers end before a team has gathered.
///
/// Measured as 2·t₂/t₁₁ − 1 with `runner bench --mode train --batch 16` on two cores, where t₂ is one network's time with two threads and t₁₁
/// that of two networks side by side with one each. By multiply–adds a patch: 0.5e6 0.95; 7e6 0.33; 45e6 0.33 and 0.73; 0.9e9 0.01; 1.2e9
/// 0.15; 1.9e9 0.32; 3.4e9 0.08. The curve goes through the middle of these.
private func serialShare(ofMultiplyAdds multiplyAdds: Double) -> Double { 0.1 + 0.9 * 20e6 / (20e6 + multiplyAdds) }

/// What the memory plan depends on. The trials of a sweep share few networks, and the choice of an allotment asks for each many times.
private struct PlannedWork: Hashable {
  var network: NetworkConfiguration
  var side, batch, threads: Int
  var isTraining: Bool

  static let known = Mutex<[PlannedWork: Double]>([:])
}

extension TrialSettings {
  /// Of its network, for one patch; 0 where the network does not fit its patches.
  fileprivate var multiplyAdds: Double { Double((try? NetworkFacts.of(networkConfiguration, side: patches.size))?.multiplyAdds ?? 0) }

  /// Of its training, or of its scoring alone, 10⁶ bytes, or at least so many where that is more than the system would ever give; 0 where the
  /// network does not fit its patches, which is an error of its own.
  func plannedMegabytes(training: Bool = true, threads: Int) -> Double {
    let work = PlannedWork(
      network: networkConfiguration, side: patches.size, batch: training ? train.batch : Evaluation.batch, threads: threads, isTraining: training)
    if let megabytes = PlannedWork.known.withLock({ $0[work] }) { return megabytes }
    let megabytes: Double
    do { megabytes = try work.network.plannedMegabytes(side: work.side, batch: work.batch, training: training, threads: threads) } catch {
      megabytes = (error as? OutOfMemory).map { Double($0.bytes) / 1e6 } ?? 0
    }
    PlannedWork.known.withLock { $0[work] = megabytes }
    return megabytes
  }
}
