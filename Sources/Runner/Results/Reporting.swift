import Datasets
import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Imaging
import Metrics
import NetworkGraph
import Ops
import OrderedCollections
import Report

/// From records, logs and, where it is at hand, the data to everything a report shows.
struct Reporting {
  let session: Session
  private let earlier: EarlierTrials
  /// For each trial of the experiment its folder, where it has a record.
  private let folders: [Int: TrialFolder]
  private let records: [Int: TrialRecord]

  /// Takes each trial's record by its fingerprint; where there is none, `lenient` takes one of the same settings that ran on something else.
  ///
  /// - Throws: `UserError` (exit 5) where a record or a log is there and cannot be read.
  init(_ session: Session, lenient: Bool) throws {
    self.session = session
    earlier = try EarlierTrials(session.folder)
    var folders: [Int: TrialFolder] = [:]
    var records: [Int: TrialRecord] = [:]
    for (index, trial) in session.experiment.trials.enumerated() {
      var candidates = [session.folder.trial(session.graph.fingerprint(ofTrial: index))]
      if lenient {
        candidates += earlier.entries(like: session.graph.settings(ofTrial: index)).map(\.folder)
      }
      for folder in candidates {
        guard var record = try folder.reportedRecord() else { continue }
        // A record's name is that of its first run; the spec says what the trial is called now.
        (record.trial, record.seed) = (trial.name, trial.settings.seed)
        (folders[index], records[index]) = (folder, record)
        break
      }
    }
    (self.folders, self.records) = (folders, records)
  }

  /// Writes the report and all that belongs to it. Returns what could not be drawn.
  func write(isNewRun: Bool) async throws -> [Diagnostic] {
    let folder = session.folder
    try DurableFile.makeFolder(folder.path)
    try DurableFile.makeFolder("\(folder.path)/figures")
    // A report from the folder itself was read from this very file, which alone knows where each value came from.
    if session.experiment.path != folder.resolvedSpec { try DurableFile.write(session.experiment.resolvedYAML(), to: folder.resolvedSpec) }
    let inputs = try inputs(isNewRun: isNewRun)
    try folder.retractReport()
    try Report.write(inputs, to: folder.url)
    return await Report.renderPictures(in: folder.url)
  }

  private func inputs(isNewRun: Bool) throws -> ReportInputs {
    let trials = session.experiment.trials
    let figures = try figures()
    return ReportInputs(
      name: session.experiment.name, title: session.experiment.title, report: session.experiment.report,
      expected: trials.map { ExpectedTrial(trial: $0.name, seed: $0.settings.seed) },
      records: trials.indices.compactMap { records[$0] }, timings: trials.indices.flatMap(timings(ofTrial:)),
      settings: settingRows { $0.statedInPaper }, notStated: settingRows { !$0.statedInPaper }, withoutKey: withoutKey, data: dataRows(),
      provenance: try provenance(isNewRun: isNewRun), scored: scoredImages, segmentation: figures.segmentation, preprocessing: figures.preprocessing, examples: figures.examples, networks: networks(),
      profiles: profiles())
  }

  private func timings(ofTrial index: Int) -> [TimingRecord] {
    let trial = session.experiment.trials[index]
    return (folders[index].flatMap { earlier.entry(of: $0.fingerprint)?.timings.times } ?? []).map { timing in
      var timing = timing
      (timing.trial, timing.seed) = (trial.name, trial.settings.seed)
      return timing
    }
  }

  /// Where the time goes, of the first seed of each name that was looked at.
  private func profiles() -> [(trial: String, profile: OperationProfile)] {
    var named: Set<String> = []
    return session.experiment.trials.enumerated().compactMap { index, trial in
      guard let profile = folders[index].flatMap({ earlier.entry(of: $0.fingerprint)?.timings.profile }), named.insert(trial.name).inserted else { return nil }
      return (trial.name, profile)
    }
  }

  /// How weights begin, and the constants of the optimiser and of batch norm.
  private var withoutKey: String {
    guard session.experiment.trials.contains(where: { $0.settings.model.architecture.isNetwork }) else { return "" }
    func text(_ value: Float) -> String { canonicalText(Double(value.description)!) }
    return "kernels begin with He's normal distribution (truncated, variance 2 / fan-in), as in the public U-Net, and so do its last convolution and U-Net++'s transposed ones, to which the public codes leave Keras's default (Glorot); biases at 0; "
      + "Adam's ε is \(canonicalText(TrainingConfiguration.adamEpsilon)), batch norm's ε \(text(BatchNormalization.epsilon)) "
      + "and its momentum \(text(BatchNormalization.momentum)), the defaults of Keras 2.2.4. Its running averages begin at 0 and 1, as in later versions of Keras; "
      + "2.2.4 takes that beginning out again, which is of weight in the first few hundred steps."
  }

  /// One row a key that has an effect in some trial; where trials differ, each value with the trials that have it.
  private func settingRows(_ isWanted: (Key) -> Bool) -> [SettingRow] {
    let trials = session.experiment.trials
    return KeyTable.keys.filter(isWanted).compactMap { key in
      var names: [(value: String, trials: [String])] = []
      for trial in trials where key.withoutEffect(in: trial.settings) == nil {
        let value = key.value(in: trial.settings).text
        if let place = names.firstIndex(where: { $0.value == value }) {
          if !names[place].trials.contains(trial.name) { names[place].trials.append(trial.name) }
        } else {
          names.append((value, [trial.name]))
        }
      }
      // Where the data lies is no setting of the experiment, and would name this machine's folders.
      if names.isEmpty || key.name == "data.root" { return nil }
      let having = OrderedSet(names.flatMap(\.trials)), without = OrderedSet(trials.map(\.name)).subtracting(having)
      // One value, or several seeds of every trial, are a list, and it is told who has none; anything else that differs names its trials.
      let isList = names.allSatisfy { $0.trials.count == having.count }
      let whose = without.isEmpty ? "" : without.count < having.count ? " (not \(list(without)))" : " (\(list(having)))"
      let value =
        if isList { names.map(\.value).joined(separator: ", ") + whose }
        else { names.map { "\($0.value) (\(list($0.trials)))" }.joined(separator: "; ") }
      return SettingRow(key: key.name, value: value, doc: key.summary)
    }
  }

  /// Trials' names, kept apart where they have commas of their own.
  private func list(_ names: some Collection<String>) -> String {
    names.joined(separator: names.contains { $0.contains(",") } ? "; " : ", ")
  }

  private var scoredImages: ScoredImages {
    let kinds = Set(session.experiment.trials.map(\.settings.evaluate.on))
    return kinds.count > 1 ? .mixed : kinds == [.validation] ? .validation : .test
  }

  /// What the data is: from the data, or from the log of the trial that was run on it.
  private func dataRows() -> [NamedValue] {
    var groups: [(rows: [LogText], trials: [String])] = []
    for (index, trial) in session.experiment.trials.enumerated() {
      guard
        let rows = folders[index].flatMap({ earlier.entry(of: $0.fingerprint)?.data })
          ?? session.data[trial.settings.data]?.summary(patchSize: trial.settings.patches.size)
      else { continue }
      if let place = groups.firstIndex(where: { $0.rows == rows }) { groups[place].trials.append(trial.name) } else { groups.append((rows, [trial.name])) }
    }
    if groups.count == 1 { return groups[0].rows.map { NamedValue(key: $0.key, value: $0.value) } }
    return groups.flatMap { group in
      group.rows.map { NamedValue(key: "\($0.key) (\(list(OrderedSet(group.trials))))", value: $0.value) }
    }
  }

  /// What the trials ran on, from their logs, and the rest as the last run says it: a report made again keeps that.
  /// - Throws: `UserError` (exit 5) where what was said before cannot be read.
  private func provenance(isNewRun: Bool) throws -> [ProvenanceRow] {
    let report = session.graph.jobs.last!.fingerprint.description
    let settings = session.experiment.trials.map(\.settings)
    func distinct(_ values: [String]) -> String { Array(Set(values)).sorted().joined(separator: ", ") }
    // As the fingerprints have it: also where the data is not at hand.
    let digests = session.experiment.trials.indices.compactMap { session.graph.settings(ofTrial: $0)["data digest"] }
    let isSynthetic = settings.allSatisfy { $0.data.source == .synthetic }
    let stated = try session.folder.stated()
    let entries = folders.values.compactMap { earlier.entry(of: $0.fingerprint) }
    let instructionSets = entries.compactMap { $0.settings["instruction set"] }, trainThreads = Set(entries.compactMap { $0.timing?.timing.trainThreads }).sorted()
    // Logs from before they named the processor leave it to the report of where they were made, and where that names several to what stands here.
    let own = try session.folder.statedProcessors()
    let processors = try entries.flatMap { entry in
      try entry.processors.flatMap { named -> [String] in
        if let named { return [named] }
        guard let lent = try session.reuse.processors(of: entry.folder.fingerprint) else { return own }
        let shared = lent.filter(own.contains)
        return lent.count == 1 || shared.isEmpty ? lent : shared
      }
    }
    var rows = [
      ProvenanceRow(key: "program_version", value: Runner.version, clock: false),
      ProvenanceRow(key: "data_digest", value: isSynthetic ? "synthetic" : digests.isEmpty ? "not known" : distinct(digests), clock: false),
      ProvenanceRow(key: "instruction_set", value: distinct(instructionSets), clock: true),
      ProvenanceRow(key: "precision", value: distinct(settings.map(\.train.precision.rawValue)), clock: false),
      ProvenanceRow(key: "processor", value: distinct(processors), clock: true),
      ProvenanceRow(key: "threads", value: trainThreads.isEmpty ? "\(session.threads)" : trainThreads.map(String.init).joined(separator: ", "), clock: true),
      ProvenanceRow(key: ResultsFolder.reportKey, value: report, clock: false),
    ]
    let madeAnew = [ResultsFolder.reportKey, "instruction_set", "processor"] + (trainThreads.isEmpty ? [] : ["threads"])
    if isNewRun { return rows }
    for place in rows.indices where !madeAnew.contains(rows[place].key) {
      if let value = stated[rows[place].key] { rows[place].value = value }
    }
    return rows
  }

  // MARK: Figures

  /// One drawing an architecture: of the first trial that has it.
  private func networks() -> [(file: String, figure: NetworkFigure)] {
    var drawn: Set<ModelSettings.Architecture> = []
    return session.experiment.trials.compactMap { trial in
      let model = trial.settings.model, side = trial.settings.patches.size
      guard model.architecture.isNetwork, drawn.insert(model.architecture).inserted,
        let network = try? trial.settings.networkConfiguration.network(height: side, width: side)
      else { return nil }
      let file = "network-" + model.architecture.rawValue.replacingOccurrences(of: "+", with: "-plus")
      return (file, NetworkFigure(title: "\(trial.name): B = \(model.baseFilters), N = \(model.depth)", graph: BlockGraph(network)))
    }
  }

  /// Figures 2 and 4; nil where the data or a mask is not at hand: figures that are there then stay.
  private func figures() throws -> (segmentation: SegmentationFigure?, preprocessing: PreprocessingFigure?, examples: ExamplesFigure?) {
    let trials = session.experiment.trials
    guard let first = trials.first?.settings, let data = session.data[first.data] else { return (nil, nil, nil) }
    var images: [String: GrayImage] = [:]
    var truths: [String: Mask] = [:]
    var candidates: [FigureCandidate] = []
    do {
      for item in data.scoredImages(first) {
        let decoded = try data.dataset.image(item), truth = try data.dataset.truth(item)
        (images[item.id], truths[item.id]) = (decoded.gray, truth.mask)
        candidates.append(
          FigureCandidate(
            image: item.id, meanIntensity: decoded.meanIntensity, nuclei: item.objects, foregroundPixels: truth.mask.pixels.reduce(0) { $0 + ($1 == 0 ? 0 : 1) },
            grain: decoded.gray.grain(within: truth.mask)))
      }
    } catch is UserError {
      return (nil, nil, nil)
    }
    let choices = try choices(candidates)
    return (try segmentation(choices, images, truths, data.dataset.settings), preprocessing(choices.prefix(3), images, first), examples(candidates, images, truths))
  }

  /// Cut out of each image where the most nuclei are, so that a pixel is a pixel.
  private func examples(_ candidates: [FigureCandidate], _ images: [String: GrayImage], _ truths: [String: Mask]) -> ExamplesFigure? {
    let rows = chooseExamples(candidates).map { variety, names in
      (label: variety.label, images: names.map { images[$0]!.cropped(toMostOf: truths[$0]!, side: 256) }, stretched: variety != .illumination)
    }
    return rows.isEmpty ? nil : ExamplesFigure(rows: rows)
  }

  private func choices(_ candidates: [FigureCandidate]) throws -> [FigureChoice] {
    let asked = session.experiment.report.figureImages
    if asked.isEmpty { return chooseFigureImages(candidates) }
    for image in asked where !candidates.contains(where: { $0.image == image }) {
      throw UserError("report.figure_images: no scored image is called \(image)", exitCode: .badCommandOrSpec)
    }
    return asked.map { FigureChoice(image: $0, kind: "") }
  }

  /// One column a trial that has masks of these images: the first seed of each name.
  private func segmentation(
    _ choices: [FigureChoice], _ images: [String: GrayImage], _ truths: [String: Mask], _ data: DataSettings
  ) throws -> SegmentationFigure? {
    var columns: [(name: String, masks: [String: Mask])] = []
    for (index, trial) in session.experiment.trials.enumerated() where trial.settings.data == data && !columns.contains(where: { $0.name == trial.name }) {
      guard records[index]?.failure == nil, let masks = try folders[index]?.readMasks() else { continue }
      let fits = choices.allSatisfy { choice in
        guard let mask = masks[choice.image], let image = images[choice.image] else { return false }
        return mask.width == image.width && mask.height == image.height
      }
      if fits { columns.append((trial.name, masks)) }
    }
    if columns.isEmpty || choices.isEmpty { return nil }
    return SegmentationFigure(
      rows: choices.map { choice in
        let label = choice.kind.isEmpty ? String(choice.image.prefix(10)) : "\(choice.kind)\n\(choice.image.prefix(10))"
        return (label, images[choice.image]!, truths[choice.image]!, columns.map { $0.masks[choice.image]! })
      }, columns: columns.map(\.name))
  }

  private func preprocessing(_ choices: ArraySlice<FigureChoice>, _ images: [String: GrayImage], _ settings: TrialSettings) -> PreprocessingFigure? {
    if choices.isEmpty { return nil }
    let steps = settings.preprocess
    return PreprocessingFigure(
      rows: choices.map { choice in
        let image = images[choice.image]!
        let equalized = steps.claheClip > 0 ? image.equalizedAdaptively(clipLimit: steps.claheClip, tiles: steps.claheTiles) : image
        let denoised =
          steps.tvWeight > 0 ? equalized.denoisedByTotalVariation(weight: steps.tvWeight, maximumIterations: steps.tvIterations) : equalized
        let patches = patchOrigins(height: image.height, width: image.width, size: settings.patches.size).map { (y: $0.y, x: $0.x) }
        return ("\(choice.kind)\n\(choice.image.prefix(10))", image, equalized, denoised.rescaled(), patches)
      }, patchSize: settings.patches.size)
  }
}

extension Image where Pixel == Float {
  /// Standard deviation within a mask, by the mean there; 0 where that is 0.
  fileprivate func grain(within mask: Mask) -> Double {
    let values = zip(pixels, mask.pixels).lazy.filter { $0.1 != 0 }.map { Double($0.0) }
    guard let spread = Spread(Array(values)), spread.mean > 0 else { return 0 }
    return spread.standardDeviation / spread.mean
  }

  /// The square of the patch grid that holds the most of `mask`; less where the image is narrower.
  fileprivate func cropped(toMostOf mask: Mask, side: Int) -> GrayImage {
    let origins = patchOrigins(height: height, width: width, size: side).map { (y: max(0, $0.y), x: max(0, $0.x)) }
    func foreground(_ origin: (y: Int, x: Int)) -> Int {
      (origin.y..<min(height, origin.y + side)).reduce(0) { sum, y in
        (origin.x..<min(width, origin.x + side)).reduce(sum) { $0 + (mask[y, $1] == 0 ? 0 : 1) }
      }
    }
    let best = origins.max { foreground($0) < foreground($1) }!
    let (rows, columns) = (best.y..<min(height, best.y + side), best.x..<min(width, best.x + side))
    return GrayImage(width: columns.count, height: rows.count, pixels: rows.flatMap { y in columns.map { self[y, $0] } })
  }
}
