import Datasets
import Diagnostics
import Engine
import ExperimentGraph
import ExperimentSpec
import Files
import Foundation
import Imaging
import Report

/// From records, logs and, where it is at hand, the data to everything a report shows.
struct Reporting {
  let session: Session
  private let earlier: EarlierTrials
  /// For each trial of the experiment its folder, where it has a record.
  private let folders: [Int: TrialFolder]
  private let records: [Int: TrialRecord]

  /// Takes each trial's record by its fingerprint; where there is none, `lenient` takes one of the same settings that was made under other
  /// conditions (another instruction set, data that is not at hand).
  init(_ session: Session, lenient: Bool) {
    self.session = session
    earlier = EarlierTrials(session.folder)
    var folders: [Int: TrialFolder] = [:]
    var records: [Int: TrialRecord] = [:]
    for (index, trial) in session.experiment.trials.enumerated() {
      var candidates = [session.folder.trial(session.graph.fingerprint(ofTrial: index))]
      if lenient {
        let wanted = Self.withoutConditions(session.graph.settings(ofTrial: index))
        candidates += earlier.entries.reversed().filter { Self.withoutConditions($0.settings) == wanted }.map(\.folder)
      }
      for folder in candidates {
        guard var record = folder.readRecord() else { continue }
        // A record's name is that of its first run; the spec says what the trial is called now.
        (record.trial, record.seed) = (trial.name, trial.settings.seed)
        (folders[index], records[index]) = (folder, record)
        break
      }
    }
    (self.folders, self.records) = (folders, records)
  }

  private static func withoutConditions(_ settings: [String: String]) -> [String: String] { settings.filter { $0.key.contains(".") || $0.key == "seed" } }

  /// Writes the report and all that belongs to it. Returns what could not be drawn.
  func write(isNewRun: Bool) async throws -> [Diagnostic] {
    let folder = session.folder
    try DurableFile.makeFolder(folder.path)
    try DurableFile.makeFolder("\(folder.path)/figures")
    // A report from the folder itself was read from this very file, which alone knows where each value came from.
    if session.experiment.path != folder.resolvedSpec { try DurableFile.write(session.experiment.resolvedYAML(), to: folder.resolvedSpec) }
    try Report.write(inputs(isNewRun: isNewRun), to: folder.url)
    return await Report.renderPictures(in: folder.url)
  }

  private func inputs(isNewRun: Bool) throws -> ReportInputs {
    let trials = session.experiment.trials
    let figures = try figures()
    return ReportInputs(
      name: session.experiment.name, title: session.experiment.title, report: session.experiment.report,
      expected: trials.map { ExpectedTrial(trial: $0.name, seed: $0.settings.seed) },
      records: trials.indices.compactMap { records[$0] }, timings: trials.indices.compactMap(timing(ofTrial:)),
      settings: settingRows { $0.statedInPaper }, notStated: settingRows { !$0.statedInPaper }, data: dataRows(), provenance: provenance(isNewRun: isNewRun),
      scored: scoredImages, segmentation: figures.segmentation, preprocessing: figures.preprocessing)
  }

  private func timing(ofTrial index: Int) -> TimingRecord? {
    guard let folder = folders[index], var timing = earlier.entry(of: folder.fingerprint)?.timing?.timing else { return nil }
    (timing.trial, timing.seed) = (session.experiment.trials[index].name, session.experiment.trials[index].settings.seed)
    return timing
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
      let everyone = Set(trials.map(\.name)).count
      let isOne = names.count == 1 && names[0].trials.count == everyone
      // Several seeds of every trial are a list; anything else that differs names its trials.
      let isList = names.allSatisfy { $0.trials.count == everyone }
      let value =
        if isOne { names[0].value }
        else if isList { names.map(\.value).joined(separator: ", ") }
        else { names.map { "\($0.value) (\($0.trials.joined(separator: ", ")))" }.joined(separator: "; ") }
      return SettingRow(key: key.name, value: value, doc: key.summary)
    }
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
      group.rows.map { NamedValue(key: "\($0.key) (\(NSOrderedSet(array: group.trials).compactMap { $0 as? String }.joined(separator: ", ")))", value: $0.value) }
    }
  }

  /// A new run says what it ran on; a report made again keeps what its runs said.
  private func provenance(isNewRun: Bool) -> [ProvenanceRow] {
    let report = session.graph.jobs.last!.fingerprint.description
    let settings = session.experiment.trials.map(\.settings)
    func distinct(_ values: [String]) -> String { Array(Set(values)).sorted().joined(separator: ", ") }
    let digests = session.data.filter { $0.key.source != .synthetic }.map(\.value.index.digest)
    var rows = [
      ProvenanceRow(key: "program_version", value: Runner.version, clock: false),
      ProvenanceRow(key: "data_digest", value: digests.isEmpty ? "synthetic" : distinct(digests), clock: false),
      ProvenanceRow(key: "instruction_set", value: distinct(settings.map { Processor.arithmetic(for: .init($0.train.precision)) }), clock: true),
      ProvenanceRow(key: "precision", value: distinct(settings.map(\.train.precision.rawValue)), clock: false),
      ProvenanceRow(key: "processor", value: Processor.name, clock: true),
      ProvenanceRow(key: "threads", value: "\(session.threads)", clock: true),
      ProvenanceRow(key: "report_fingerprint", value: report, clock: false),
    ]
    guard !isNewRun, let data = try? Data(contentsOf: URL(fileURLWithPath: session.folder.provenance)),
      let stated = try? JSONDecoder().decode([String: Stated].self, from: data)
    else { return rows }
    for place in rows.indices where rows[place].key != "report_fingerprint" {
      if let value = stated[rows[place].key]?.text { rows[place].value = value }
    }
    return rows
  }

  /// A value of `provenance.json`: text, or something else that is made anew.
  private struct Stated: Decodable {
    var text: String?
    init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
  }

  // MARK: Figures

  /// Figures 2 and 4; nil where the data or a mask is not at hand: figures that are there then stay.
  private func figures() throws -> (segmentation: SegmentationFigure?, preprocessing: PreprocessingFigure?) {
    let trials = session.experiment.trials
    guard let first = trials.first?.settings, let data = session.data[first.data] else { return (nil, nil) }
    var images: [String: GrayImage] = [:]
    var truths: [String: Mask] = [:]
    var candidates: [FigureCandidate] = []
    do {
      for item in data.scoredImages(first) {
        let decoded = try data.dataset.image(item), truth = try data.dataset.truth(item)
        (images[item.id], truths[item.id]) = (decoded.gray, truth.mask)
        candidates.append(
          FigureCandidate(
            image: item.id, meanIntensity: decoded.meanIntensity, nuclei: item.objects, foregroundPixels: truth.mask.pixels.reduce(0) { $0 + ($1 == 0 ? 0 : 1) }))
      }
    } catch is UserError {
      return (nil, nil)
    }
    let choices = try choices(candidates)
    return (segmentation(choices, images, truths, data.dataset.settings), preprocessing(choices.prefix(3), images, first))
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
  ) -> SegmentationFigure? {
    var columns: [(name: String, masks: [String: Mask])] = []
    for (index, trial) in session.experiment.trials.enumerated() where trial.settings.data == data && !columns.contains(where: { $0.name == trial.name }) {
      guard records[index]?.failure == nil, let masks = folders[index]?.readMasks() else { continue }
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
