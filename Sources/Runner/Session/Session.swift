import Datasets
import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Foundation
import OrderedCollections
import Report
import Schedule

/// One experiment, checked against data, machine and results folder, with its plan: all that can be known before anything runs.
struct Session: Sendable {
  var experiment: Experiment
  var folder: ResultsFolder
  var graph: ExperimentGraph
  var plan: Plan
  /// What this process may use of the machine, as it was found.
  var limits: ProcessLimits
  /// What other experiments have done of it.
  var reuse: Reuse
  /// How many trials run at once, with how many threads each.
  var allotment: Allotment
  /// Times are taken alone, and so with all cores unless another number was asked for.
  var timingThreads: Int
  /// The trials asked for, ascending.
  var selected: [Int]
  /// By the settings that name it; without what could not be found.
  var data: [DataSettings: OpenData]
  /// Why data is missing, where it is.
  var missingData: [DataSettings: UserError]
  /// A warning for each file of the results that is damaged.
  var damage: [Diagnostic]

  enum Purpose {
    case run
    /// Writes nothing, not even caches.
    case plan
    /// Works with what is there.
    case report
  }

  /// - Throws: `UserError`: exit 2 (the spec does not fit the program or the machine), 5 or 6 (data). Data that is nowhere is an error only
  ///   where something that needs it must run: exit 5, and 6 where a damaged record is what makes it run.
  init(_ experiment: Experiment, _ options: RunOptions, for purpose: Purpose, _ surroundings: Surroundings) throws {
    let folder = ResultsFolder(path: options.out ?? "results/\(experiment.name)")
    limits = .current
    timingThreads = options.threads ?? limits.cores
    let threads = timingThreads
    let earlier = try EarlierTrials(folder)
    var reuse = try Reuse(experiment, folder)
    let lenders = reuse
    var data: [DataSettings: OpenData] = [:]
    var missing: [DataSettings: UserError] = [:]
    for settings in Set(experiment.trials.map(\.settings.data)).sorted(by: { $0.order < $1.order }) {
      do {
        data[settings] = try OpenData(settings, commandLineRoot: options.data, threads: threads, remember: purpose == .run, surroundings)
      } catch let error as UserError where error.exitCode == .inputOrOutputFailed || purpose == .report {
        missing[settings] = error
      }
    }
    let found = data, all = Set(experiment.trials.map(\.settings.data))
    let conditions = ExperimentGraph.Conditions(instructionSet: { Processor.arithmetic(for: .init($0)) }) { settings in
      if settings.source == .synthetic { return nil }
      if let digest = found[settings]?.index.digest { return digest }
      // Without the data, it is taken to be what the records were made of: a clone reports without it. Records do not say which folder that was, so
      // not where an experiment has several of the kind.
      guard all.count(where: { $0.source == settings.source && $0.selection == settings.selection }) == 1 else { return nil }
      if let digest = earlier.digest(of: settings) { return digest }
      // Who names a place means that, and nothing that others had.
      return settings.root.isEmpty && options.data == nil ? lenders.digest(of: settings) : nil
    }
    graph = ExperimentGraph(experiment, under: conditions)
    selected = try Self.select(graph, options.only)
    if options.onlyFailed { selected = selected.filter { [graph] in folder.trial(graph.fingerprint(ofTrial: $0)).readRecord()?.failure != nil } }
    damage = []
    var snapshot = options.fresh ? Snapshot() : try Snapshot(of: folder, graph, earlier, damage: &damage)
    if !options.fresh { reuse.find(graph, in: folder, &snapshot) }
    self.reuse = reuse
    for settings in data.keys {
      for trial in experiment.trials.indices where experiment.trials[trial].settings.data == settings {
        snapshot.finished.insert(graph.job(.index, of: trial)!.fingerprint)
      }
    }
    plan = Plan(graph, given: snapshot, only: Set(selected))
    (self.experiment, self.folder, self.data, missingData) = (experiment, folder, data, missing)
    let open = purpose == .report ? [] : Self.open(plan, selected)
    allotment = Allotment(limits, plan, open, jobs: options.jobs, threads: options.threads)
    if purpose != .report { try checkNetworks() }
    if purpose == .run {
      try checkFigureImages()
      // Times in turn are of all trials that were asked for, done or not.
      for trial in options.retime ? selected : open {
        guard let error = missing[experiment.trials[trial].settings.data] else { continue }
        guard folder.trial(graph.fingerprint(ofTrial: trial)).hasDamagedRecord else { throw error }
        throw UserError(damage + error.diagnostics, exitCode: .damagedData)
      }
    }
  }

  private static func select(_ graph: ExperimentGraph, _ patterns: [String]) throws -> [Int] {
    let all = Array(graph.experiment.trials.indices)
    if patterns.isEmpty { return all }
    var selected: Set<Int> = []
    for pattern in patterns {
      let meant = all.filter {
        let trial = graph.experiment.trials[$0]
        return matches(trial.name, pattern: pattern) || matches("\(trial.name), seed \(trial.settings.seed)", pattern: pattern)
      }
      guard !meant.isEmpty else {
        let names = OrderedSet(all.map { graph.experiment.trials[$0].name })
        throw UserError(
          "--only '\(pattern)': no trial of \(graph.experiment.name) is called so", exitCode: .badCommandOrSpec, hints: ["trials: \(names.joined(separator: "; "))"])
      }
      selected.formUnion(meant)
    }
    return selected.sorted()
  }

  /// bf16 where any trial asks for it, f32 elsewhere: who computes a part of this session needs the instruction set of both.
  var precision: NetworkConfiguration.Precision { experiment.trials.contains { $0.settings.train.precision == .bf16 } ? .bf16 : .f32 }

  /// What only the engine knows of a spec: whether each network fits its patches.
  private func checkNetworks() throws {
    var faults: [Diagnostic] = []
    for trial in selected where experiment.trials[trial].settings.model.architecture.isNetwork {
      let settings = experiment.trials[trial].settings
      do {
        _ = try NetworkFacts.of(settings.networkConfiguration, side: settings.patches.size)
      } catch {
        faults.append(Diagnostic(.error, "\(graph.label(ofTrial: trial)): \(error)"))
      }
    }
    if !faults.isEmpty { throw UserError(faults, exitCode: .badCommandOrSpec) }
  }

  /// Images that the figures are to show and that are not among those scored would be found out after all training.
  private func checkFigureImages() throws {
    guard let settings = experiment.trials.first?.settings, let scored = data[settings.data]?.scoredImages(settings) else { return }
    let ids = Set(scored.map(\.id))
    let faults = zip(experiment.report.figureImages, experiment.figureImagePlaces).filter { !ids.contains($0.0) }.map { image, place in
      Diagnostic(.error, "no scored image is called '\(image)'", at: place, hints: scored.first.map { ["for example: \($0.id)"] } ?? [])
    }
    if !faults.isEmpty { throw UserError(faults, exitCode: .badCommandOrSpec) }
  }

  /// What data is missing, as warnings.
  var warnings: [Diagnostic] {
    missingData.values.flatMap(\.diagnostics).sorted { $0.message < $1.message }.map { Diagnostic(.warning, $0.message, hints: $0.hints) }
  }

  /// Of each trial.
  var threads: Int { allotment.threads }
  /// For what uses all cores by itself.
  var cores: Int { max(allotment.jobs * allotment.threads, timingThreads) }

  func folder(ofTrial trial: Int) -> TrialFolder { folder.trial(graph.fingerprint(ofTrial: trial)) }

  /// The data of a trial that is to run; its absence was an error before.
  func data(ofTrial trial: Int) -> OpenData {
    guard let found = data[experiment.trials[trial].settings.data] else { preconditionFailure("a trial runs without its data") }
    return found
  }

  func state(_ kind: JobKind, of trial: Int) -> Plan.State? { plan.step(kind, of: trial)?.state }
}

extension DataSettings {
  /// A fixed order among the settings of one experiment, so that the first error is always the same.
  fileprivate var order: String {
    "\(source.rawValue) \(root) \(selection.rawValue) \(testFraction) \(syntheticSeed) \(syntheticTrain) \(syntheticTest) \(syntheticSide)"
  }
}

extension NetworkConfiguration.Precision {
  /// As the spec names it.
  init(_ setting: TrainSettings.Precision) { self = setting == .bf16 ? .bf16 : .f32 }
}

extension TrialSettings {
  var networkConfiguration: NetworkConfiguration {
    NetworkConfiguration(
      architecture: model.architecture.rawValue, baseFilters: model.baseFilters, depth: model.depth,
      upsampling: model.upsampling == .transposed ? .transposed : .nearest, batchNormalization: model.normalization == .batch,
      dropout: Float(model.dropout), precision: .init(train.precision))
  }

  var trainingConfiguration: TrainingConfiguration {
    TrainingConfiguration(seed: seed, batch: train.batch, l2: model.l2, bceWeight: train.bceWeight, diceSmooth: train.diceSmooth)
  }

  /// One phase, or two with fine-tuning.
  var phases: [TrainingPhase] {
    let main = TrainingPhase(name: "train", epochs: train.epochs, learningRate: train.learningRate)
    guard train.fineTune.epochs > 0 else { return [main] }
    return [main, TrainingPhase(name: "fine-tune", epochs: train.fineTune.epochs, learningRate: train.fineTune.learningRate)]
  }
}
