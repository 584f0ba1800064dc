import Engine
import ExperimentSpec
import Files
import Foundation
import Report

/// What a published weights file is, as Markdown: every number is from the trial's record, its log or the file itself.
struct ModelCard {
  private(set) var text = ""

  private static let mark = "<!-- Made by `runner publish`. -->"

  /// Whether a text is a card that was made of the file of this name.
  static func isCard(_ text: String, of fileName: String) -> Bool { text.contains(mark) && text.contains("`\(fileName)`") }

  /// - Parameter bytes: the file's.
  /// - Throws: `UserError` (exit 5) where the trial's log cannot be read.
  init(_ trial: PublishedTrial, _ model: TrainedModel, fileName: String, bytes: Data) throws {
    let record = trial.record, lines = try trial.folder.log.lines(), start = lines.start
    let data = Dictionary(start?.data.map { ($0.key, $0.value) } ?? [], uniquingKeysWith: { first, _ in first })
    let isPublicSet = data["source"] == DataSettings.Source.dsb2018.rawValue
    let isGreyDark = data["selection"].map { $0 == DataSettings.Selection.greyDark.rawValue } ?? true
    text += "# \(Self.cell(record.trial)), B = \(record.baseFilters)\n\n\(Self.mark)\n\n"
    add(
      "`\(fileName)`", "weights of \(record.architecture) with B = \(record.baseFilters), N = \(record.depth), \(Self.grouped(record.parameters)) in all; "
        + "\(ProgressText.fixed(Double(bytes.count) / 1e6, 2)) MB, safetensors, float32."
        + (isGreyDark ? " They find bright nuclei on a dark background, which is all that they have seen." : ""))
    text += "\n## Use\n\n```sh\nrunner predict IMAGE… --out DIR --weights \(fileName)\n```\n\n"
    text += """
      The file states how images are prepared and what is done with the probabilities (metadata `settings`, the first of the tables below). Elsewhere:

      ```python
      from safetensors.numpy import load_file
      weights = load_file("\(fileName)")   # \(model.weights.parameters.count) arrays: kernels [out, in, k, k], transposed [in, out, k, k]; batch norm's four
      ```


      """
    scores(record, areValidation: start?.settings["evaluate.on"] == EvaluateSettings.Images.validation.rawValue)
    let own = Set(model.settings.stated.keys)
    table("What decides a mask", model.settings.stated.sorted { $0.key < $1.key }.map { (Self.name($0.key), $0.value) })
    let others = (start?.settings ?? [:]).filter { KeyTable[$0.key] != nil && !own.contains($0.key) }
    table("What else was set", others.sorted { $0.key < $1.key }.map { (Self.name($0.key), $0.value) })
    text += "† Not stated in the paper: the choice is this program's.\n\n"
    training(trial, start?.settings["instruction set"])
    table("Data", (start?.data ?? []).map { ($0.key, $0.value) })
    if isPublicSet {
      text += """
        The images are those of BBBC038v1 (Caicedo et al., Nature Methods 16, 2019), Broad Bioimage Benchmark Collection, published under CC0 1.0.

        ## Licence

        [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/), as the images.

        """
    }
    text += "\nSHA-256 of the file: `\(String(decoding: Seal.hash(bytes), as: UTF8.self))`\n"
  }

  private mutating func add(_ name: String, _ what: String) { text += "\(name): \(what)\n" }

  private mutating func scores(_ record: TrialRecord, areValidation: Bool) {
    guard let mean = ScoreSummary(record.images) else { return }
    func number(_ value: Double) -> String { ProgressText.fixed(value, 3) }
    text += "## Scores\n\nMeans over \(mean.images) \(areValidation ? "validation images" : "test images, which decided nothing of it")"
    text += mean.images_empty > 0 ? " (\(mean.images_empty) with neither truth nor prediction left out).\n\n" : ".\n\n"
    text += "| | true objects by connected regions (the paper's way) | by annotated nucleus (the contest's) |\n|---|---:|---:|\n"
    text += "| average IoU | \(number(mean.average_iou)) ± \(number(mean.average_iou_sd)) | \(number(mean.annotated_average_iou)) |\n"
    text += "| IoU at 0.5 | \(number(mean.iou_at_050)) ± \(number(mean.iou_at_050_sd)) | \(number(mean.annotated_iou_at_050)) |\n"
    text += "| average precision | \(number(mean.average_precision)) | \(number(mean.annotated_average_precision)) |\n"
    text += "| contest score | \(number(mean.contest_score_by_regions)) | \(number(mean.contest_score)) |\n\n± is the spread over images.\n\n"
  }

  private mutating func training(_ trial: PublishedTrial, _ instructionSet: String?) {
    let record = trial.record
    var rows = [
      ("trial", "\(trial.experiment), \(record.trial), seed \(record.seed)"), ("record", "`results/\(trial.experiment)/trials/\(record.fingerprint)/record.json`"),
      ("patches", "\(Self.grouped(record.trainingPatches)) for training, \(Self.grouped(record.validationPatches)) for validation"),
      ("epochs", "\(record.losses.count); the weights are those of epoch \(record.bestEpoch), which has the least validation loss"),
      ("validation loss", ProgressText.fixed(record.validationLoss, 4)), ("multiply–adds of a patch", Self.grouped(record.multiplyAdds)),
    ]
    if !trial.others.isEmpty { rows.append(("why this seed", "the first of seeds \(trial.others.map(String.init).joined(separator: ", ")): no score chose it")) }
    if let instructionSet { rows.append(("instruction set", instructionSet)) }
    rows.append(("program", "runner \(Runner.version)"))
    table("Training", rows)
  }

  private mutating func table(_ title: String, _ rows: [(String, String)]) {
    text += "## \(title)\n\n| | |\n|---|---|\n" + rows.map { "| \($0) | \(Self.cell($1)) |\n" }.joined() + "\n"
  }

  private static func name(_ key: String) -> String { "`\(key)`" + (KeyTable[key]?.statedInPaper == false ? " †" : "") }
  private static func cell(_ text: String) -> String { text.split(whereSeparator: \.isNewline).joined(separator: " ").replacing("|", with: "\\|").replacing("<", with: "&lt;") }

  private static func grouped(_ value: Int) -> String {
    var text = String(value)
    for place in stride(from: text.count - 3, to: 0, by: -3) { text.insert(",", at: text.index(text.startIndex, offsetBy: place)) }
    return text
  }
}
