import ExperimentGraph
import ExperimentSpec
import Schedule

typealias Change = @Sendable (inout TrialSettings) -> Void
let unchanged: Change = { _ in }

/// An experiment made in code: `trials` are names and what each changes in the defaults of its architecture.
func experiment(_ trials: [(String, ModelSettings.Architecture, Change)]) -> Experiment {
  Experiment(
    name: "test", title: "Test",
    trials: trials.map { name, architecture, change in
      var settings = TrialSettings.defaults(for: architecture)
      change(&settings)
      return Trial(name: name, settings: settings, origins: [:])
    },
    report: ReportSettings(rows: ["average_iou"], published: [], claims: [], figureImages: [], remark: ""), notes: [])
}

/// Three networks, the second fine-tuned.
func threeNetworks(_ change: @escaping Change = unchanged) -> Experiment {
  experiment([
    ("U-Net", .unet, change), ("U-Net++", .unetPlusPlus, { change(&$0); $0.train.fineTune.epochs = 5 }), ("U-Net+", .unetPlus, change),
  ])
}

func graph(_ experiment: Experiment, instructionSet: String = "avx2", digest: String? = "d1") -> ExperimentGraph {
  ExperimentGraph(experiment, under: .init(instructionSet: { _ in instructionSet }, dataDigest: { _ in digest }))
}

extension ExperimentGraph {
  var fingerprints: [Fingerprint] { jobs.map(\.fingerprint) }
  /// Kinds of the jobs that `other` does not have, in order.
  func kindsNotIn(_ other: ExperimentGraph) -> [JobKind] {
    let known = Set(other.jobs.map(\.id))
    return jobs.filter { !known.contains($0.id) }.map(\.kind)
  }
}
