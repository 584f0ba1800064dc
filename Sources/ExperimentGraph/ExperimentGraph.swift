import ExperimentSpec

/// An experiment as jobs: index → preprocess → patches → train → fine-tune → evaluate → time → report.
///
/// Threads, paths and names for show enter no fingerprint: moving a folder, commenting a spec or renaming a trial repeats nothing.
public struct ExperimentGraph: Sendable {
  public let experiment: Experiment
  /// Every job after its inputs: trial by trial in the report's order, a shared job where its first trial needs it, the report last.
  public let jobs: [Job]
  private let indices: [Job.ID: Int]
  private let places: [JobKind: [Int: Int]]
  /// Names that run at several seeds.
  private let namesOfSeveralSeeds: Set<String>

  /// What the fingerprints cover beside the spec.
  public struct Conditions: Sendable {
    /// What decides the bits of a trial's computations in a precision, as `Processor.arithmetic` names it.
    public var instructionSet: @Sendable (TrainSettings.Precision) -> String
    /// Digest of the data each trial reads, nil where there is none to read (the synthetic set is made from its settings).
    public var dataDigest: @Sendable (DataSettings) -> String?
    public init(
      instructionSet: @escaping @Sendable (TrainSettings.Precision) -> String, dataDigest: @escaping @Sendable (DataSettings) -> String?
    ) {
      (self.instructionSet, self.dataDigest) = (instructionSet, dataDigest)
    }
  }

  public init(_ experiment: Experiment, under conditions: Conditions) {
    self.experiment = experiment
    var builder = Builder(conditions: conditions)
    for (index, trial) in experiment.trials.enumerated() { builder.addTrial(trial.settings, index) }
    builder.addReport(experiment)
    (jobs, indices, places) = (builder.jobs, builder.indices, builder.places)
    let seeds = Dictionary(experiment.trials.map { ($0.name, Set([$0.settings.seed])) }, uniquingKeysWith: { $0.union($1) })
    namesOfSeveralSeeds = Set(seeds.filter { $1.count > 1 }.keys)
  }

  public subscript(id: Job.ID) -> Job {
    guard let index = indices[id] else { preconditionFailure("no job \(id) in this experiment's graph") }
    return jobs[index]
  }

  /// The job of `kind` that serves trial number `trial`; nil where the trial has none (no fine-tuning, nothing to train).
  public func job(_ kind: JobKind, of trial: Int) -> Job? { place(kind, of: trial).map { jobs[$0] } }

  /// Where in `jobs` that job stands.
  public func place(_ kind: JobKind, of trial: Int) -> Int? { places[kind]?[trial] }

  /// The last job that changes the trial's weights; nil where it has none.
  public func trainingJob(of trial: Int) -> Job? { job(.fineTune, of: trial) ?? job(.train, of: trial) }

  /// The fingerprint that names the trial's folder and record: that of its evaluation, which covers everything before it.
  public func fingerprint(ofTrial trial: Int) -> Fingerprint { job(.evaluate, of: trial)!.fingerprint }

  /// All that the trial's jobs depend on, by key: what a later plan compares itself with to say what changed.
  public func settings(ofTrial trial: Int) -> [String: String] {
    let jobs = JobKind.allCases.filter { $0 != .report }.compactMap { job($0, of: trial) }
    return Dictionary(jobs.flatMap { $0.settings.map { ($0.key, $0.value) } }, uniquingKeysWith: { first, _ in first })
  }

  /// How messages call a trial: its name, and its seed where the experiment runs that name at several.
  public func label(ofTrial index: Int) -> String {
    let trial = experiment.trials[index]
    return namesOfSeveralSeeds.contains(trial.name) ? "\(trial.name), seed \(trial.settings.seed)" : trial.name
  }
}

/// Collects jobs; a job that is there already only gains a trial.
private struct Builder {
  let conditions: ExperimentGraph.Conditions
  var jobs: [Job] = []
  var indices: [Job.ID: Int] = [:]
  /// By kind and trial.
  var places: [JobKind: [Int: Int]] = [:]

  mutating func addTrial(_ settings: TrialSettings, _ trial: Int) {
    let index = add(.index, settings, trial, inputs: [])
    let prepared = add(.preprocess, settings, trial, inputs: [index])
    let patches = add(.patches, settings, trial, inputs: [prepared])
    guard settings.model.architecture.isNetwork else {
      // Nothing to train, and no network to time.
      add(.evaluate, settings, trial, inputs: [patches])
      return
    }
    var weights = add(.train, settings, trial, inputs: [patches])
    if settings.train.fineTune.epochs > 0 { weights = add(.fineTune, settings, trial, inputs: [patches, weights]) }
    let evaluated = add(.evaluate, settings, trial, inputs: [patches, weights])
    add(.time, settings, trial, inputs: [patches, weights, evaluated])
  }

  /// The report waits for every trial; it alone depends on names, which are what it shows.
  mutating func addReport(_ experiment: Experiment) {
    let inputs = jobs.filter { $0.kind == .evaluate || $0.kind == .time }.map(\.id)
    var settings = reportSettings(of: experiment)
    // Which trial is which: inputs are the same set where two trials change places.
    for trial in experiment.trials.indices {
      let own = [JobKind.evaluate, .time].compactMap { places[$0]?[trial] }.map { jobs[$0].fingerprint.description }
      settings.append(Setting(key: "jobs of trials[\(trial)]", value: own.joined(separator: " ")))
    }
    append(.report, settings, trials: Array(experiment.trials.indices), inputs: inputs)
  }

  @discardableResult private mutating func add(_ kind: JobKind, _ settings: TrialSettings, _ trial: Int, inputs: [Job.ID]) -> Job.ID {
    var covered = kind.settings(of: settings)
    if kind == .index, let digest = conditions.dataDigest(settings.data) { covered.append(Setting(key: "data digest", value: digest)) }
    if kind.dependsOnInstructionSet {
      covered.append(Setting(key: "instruction set", value: conditions.instructionSet(settings.train.precision)))
    }
    return append(kind, covered, trials: [trial], inputs: inputs)
  }

  @discardableResult
  private mutating func append(_ kind: JobKind, _ settings: [Setting], trials: [Int], inputs: [Job.ID]) -> Job.ID {
    var covered = settings
    covered.append(Setting(key: "meaning of \(kind.rawValue)", value: "\(kind.meaningVersion)"))
    let fingerprint = Fingerprint(of: [kind.rawValue] + inputs + covered.flatMap { [$0.key, $0.value] })
    let id = "\(kind.rawValue)-\(fingerprint)"
    let place = indices[id] ?? jobs.count
    for trial in trials { places[kind, default: [:]][trial] = place }
    if place < jobs.count {
      jobs[place].trials += trials
    } else {
      indices[id] = place
      jobs.append(Job(id: id, kind: kind, trials: trials, inputs: inputs, fingerprint: fingerprint, settings: covered))
    }
    return id
  }
}
