import ExperimentSpec

extension JobKind {
  /// Exactly the resolved settings a job of this kind depends on, in the key table's order. A new key of a section enters here by its
  /// prefix, without a line of its own; a key without effect under the other settings stays out, so that changing it repeats nothing.
  func settings(of trial: TrialSettings) -> [Setting] {
    KeyTable.keys.filter { dependsOn($0.name, in: trial) && $0.withoutEffect(in: trial) == nil }
      .map { Setting(key: $0.name, value: $0.value(in: trial).text) }
  }

  private func dependsOn(_ key: String, in trial: TrialSettings) -> Bool {
    let section = key.prefix { $0 != "." }
    switch self {
    // A folder's place is not its content: the data's digest stands for that.
    case .index: return section == "data" && key != "data.root"
    case .preprocess: return section == "preprocess" || section == "augment" || (key == "seed" && trial.augment.copies > 0)
    case .patches: return section == "patches" || key == "seed"
    case .train: return section == "model" || (section == "train" && !key.hasPrefix("train.fine_tune")) || key == "seed"
    case .fineTune: return key.hasPrefix("train.fine_tune")
    // Before there was a choice every record was of the test images: those stay valid.
    case .evaluate where key == "evaluate.on": return trial.evaluate.on != .test
    // Of a network, the weights stand for all that is said of the model.
    case .evaluate where key == "model.architecture": return !trial.model.architecture.isNetwork
    case .evaluate: return (section == "evaluate" && key != "evaluate.timing_passes") || key == "patches.size"
    case .time: return key == "evaluate.timing_passes"
    case .report: return false
    }
  }
}

/// What the report depends on beside the records: names, titles, and what it is held against.
func reportSettings(of experiment: Experiment) -> [Setting] {
  var settings = [
    Setting(key: "name", value: experiment.name), Setting(key: "title", value: experiment.title),
    Setting(key: "report.remark", value: experiment.report.remark),
    Setting(key: "report.table.rows", value: experiment.report.rows.joined(separator: ", ")),
    Setting(key: "report.figure_images", value: experiment.report.figureImages.joined(separator: ", ")),
  ]
  for (index, trial) in experiment.trials.enumerated() {
    settings.append(Setting(key: "trials[\(index)]", value: "\(trial.name), seed \(trial.settings.seed)"))
  }
  for (index, row) in experiment.report.published.enumerated() {
    let values = (row.values.map { "\($0.key) \($0.value)" } + row.tolerance.map { "± \($0.key) \($0.value)" }).sorted()
    settings.append(Setting(key: "report.published[\(index)]", value: ([row.trial, row.source] + values).joined(separator: "; ")))
  }
  for (index, claim) in experiment.report.claims.enumerated() {
    settings.append(Setting(key: "report.claims[\(index)]", value: claim.yaml))
  }
  return settings
}
