import Diagnostics
import Engine
import Files
import Foundation
import Report

extension Runner {
  /// Copies a trial's weights to `file` and writes a card of what they are, from the trial's own record and log.
  ///
  /// - Parameters:
  ///   - place: a results folder, or the folder of one of its trials.
  ///   - pattern: the trial's name; nil: the only one there is.
  ///   - seed: nil: the first of the trial's seeds. Their losses do not compare: each seed has validation patches of its own.
  ///   - card: nil: `README.md` beside `file`, or `<file>.md` where that is somebody else's or another file's card.
  /// - Throws: `UserError`: exit 2 where it is not said which trial is meant, or where the card's place is taken, exit 5 where its weights are not there, exit 6 where
  ///   they are damaged.
  public static func publish(
    _ place: String, trial pattern: String?, seed: Int?, to file: String, card: String?, _ surroundings: Surroundings
  ) throws -> ExitCode {
    let chosen = try PublishedTrial.choose(place, pattern: pattern, seed: seed)
    let weights = chosen.folder.weights
    guard FileManager.default.fileExists(atPath: weights) else {
      throw UserError(
        "\(weights): the trial's weights are not there", exitCode: .inputOrOutputFailed,
        hints: ["weights are not committed; a run makes them where it needs them (scores outstanding, or --fresh)"])
    }
    guard let training = chosen.folder.trainedWeights(), training.losses == chosen.record.losses else {
      throw UserError("\(weights): of another training than \(chosen.folder.record) says", exitCode: .damagedData)
    }
    let model = try TrainedModel(path: weights, overrides: [])
    let bytes: Data
    do { bytes = try Data(contentsOf: URL(fileURLWithPath: weights)) } catch {
      throw UserError("\(weights): cannot be read: \(error.localizedDescription)", exitCode: .inputOrOutputFailed)
    }
    let folder = parentFolder(of: file)
    if !folder.isEmpty { try DurableFile.makeFolder(folder) }
    let text = try ModelCard(chosen, model, fileName: (file as NSString).lastPathComponent, bytes: bytes).text
    let place = try card ?? placeOfCard(for: file)
    try DurableFile.write(bytes, to: file)
    try DurableFile.write(text, to: place)
    surroundings.console.print("\(file): \(chosen.record.trial), seed \(chosen.record.seed); its card: \(place)")
    return .done
  }
}

/// Beside `file`; what is there and is not this file's card stays.
/// - Throws: `UserError`: exit 2 where neither place is free, exit 5 where what is there cannot be read.
private func placeOfCard(for file: String) throws -> String {
  let path = file as NSString, folder = parentFolder(of: file), own = path.deletingPathExtension + ".md"
  for place in [folder.isEmpty ? "README.md" : "\(folder)/README.md", own] {
    guard let there = try DurableFile.contents(of: place) else { return place }
    if ModelCard.isCard(String(decoding: there, as: UTF8.self), of: path.lastPathComponent) { return place }
  }
  throw UserError("\(own): is there, and is not this model's card", exitCode: .badCommandOrSpec, hints: ["--card names another place"])
}

/// The trial that is published, and why this one.
struct PublishedTrial {
  var folder: TrialFolder
  var record: TrialRecord
  /// Of the results folder.
  var experiment: String
  /// Seeds of which it is the first; empty where the seed was named or is the only one.
  var others: [Int]

  /// - Throws: `UserError`: exit 2 where it is not said which is meant, exit 5 where none is there.
  static func choose(_ place: String, pattern: String?, seed: Int?) throws -> PublishedTrial {
    let path = place.count > 1 && place.hasSuffix("/") ? String(place.dropLast()) : place, single = TrialFolder(path: path)
    let isTrial = FileManager.default.fileExists(atPath: single.record)
    let results = isTrial ? parentFolder(of: parentFolder(of: path)) : path
    let found = try (isTrial ? [single] : ResultsFolder(path: path).allTrials()).compactMap { folder in folder.readRecord().map { (folder: folder, record: $0) } }
    let trained = found.filter { $0.record.failure == nil && !$0.record.losses.isEmpty }
    if trained.isEmpty, try (isTrial ? [single] : ResultsFolder(path: path).allTrials()).contains(where: \.hasDamagedRecord) {
      throw UserError("\(place): no record of a training is left that is not damaged", exitCode: .damagedData)
    }
    guard !trained.isEmpty else { throw UserError("\(place): no record of a training that ended well", exitCode: .inputOrOutputFailed) }
    let meant = trained.filter { item in
      pattern.map { matches(item.record.trial, pattern: $0) } ?? true && seed.map { item.record.seed == $0 } ?? true
    }
    let names = Set((meant.isEmpty ? trained : meant).map(\.record.trial)).sorted().map { "'\($0)'" }.joined(separator: ", ")
    guard !meant.isEmpty else {
      throw UserError("\(place): no trial\(pattern.map { " '\($0)'" } ?? "")\(seed.map { " of seed \($0)" } ?? "")", exitCode: .badCommandOrSpec, hints: ["there are: \(names)"])
    }
    let seeds = meant.map(\.record.seed)
    guard Set(meant.map(\.record.trial)).count == 1, Set(seeds).count == seeds.count else {
      throw UserError(
        "\(place): more than one trial is meant", exitCode: .badCommandOrSpec,
        hints: ["there are: \(names)", "--trial and --seed, or the folder of one, say which: " + meant[0].folder.path])
    }
    let first = meant.min { $0.record.seed < $1.record.seed }!
    return PublishedTrial(
      folder: first.folder, record: first.record, experiment: (results as NSString).lastPathComponent, others: seeds.count > 1 ? seeds.sorted() : [])
  }
}
