import Diagnostics
import ExperimentSpec
import Files
import Foundation
import Imaging
import Subprocess

/// Results folders: records → CSV files → (read back) → table, claims, figures and `report.md`.
public enum Report {
  /// Writes everything of the results folder that is made from records: the CSV files, `figures/`, `report.md` and, last, `provenance.json`.
  ///
  /// Each file is written whole or not at all. The same inputs give the same bytes, but for `timings.csv`, `provenance.json` and the
  /// lines of `report.md` that carry `<!-- clock -->`. PNG copies of the SVG figures are made by `renderPictures(in:)`.
  /// - Throws: `UserError`: exit 2 for a metric, claim or test there is not, exit 5 where the folder cannot be written.
  public static func write(_ inputs: ReportInputs, to folder: URL) throws {
    func file(_ name: String) -> String { folder.appendingPathComponent(name).path }
    try DurableFile.makeFolder(file("figures"))
    try DurableFile.write(CSVFile.text(Tabulation.trials(inputs)), to: file(TrialRow.file))
    try DurableFile.write(CSVFile.text(Tabulation.images(inputs)), to: file(ImageRow.file))
    try DurableFile.write(CSVFile.text(Tabulation.losses(inputs)), to: file(LossRow.file))
    try DurableFile.write(CSVFile.text(Tabulation.timings(inputs)), to: file(TimingRow.file))

    // From here on the CSV files are the only source of numbers.
    let data = try ReportData.read(folder)
    try DurableFile.write(CSVFile.text(data.table(inputs.report)), to: file(TableRow.file))
    let claims = try data.claims(inputs.report, clock: false)
    if claims.isEmpty {
      try DurableFile.remove(file(ClaimRow.file))
    } else {
      try DurableFile.write(CSVFile.text(claims), to: file(ClaimRow.file))
    }
    let figures = try writeFigures(inputs, data, folder.appendingPathComponent("figures"))
    let page = ReportPage(
      inputs: inputs, data: data, table: try CSVFile.read(in: folder), claims: claims.isEmpty ? [] : try CSVFile.read(in: folder),
      clockClaims: try data.claims(inputs.report, clock: true), figures: figures)
    try DurableFile.write(try page.text(), to: file("report.md"))
    // Last of all: it says which report this is.
    try DurableFile.write(try Provenance(inputs.provenance, data).json(), to: file("provenance.json"))
  }

  /// What the report in a folder shows of its trials; nil where there is none, or one that cannot be read.
  public static func shown(in folder: URL) -> [ShownTrial]? {
    guard let trials: [TrialRow] = try? CSVFile.read(in: folder), let timings: [TimingRow] = try? CSVFile.read(in: folder) else { return nil }
    return trials.map { row in
      let times = timings.map(\.timing).filter { $0.trial == row.trial && $0.seed == row.seed }
      return ShownTrial(
        trial: row.trial, seed: row.seed, status: row.status, fingerprint: row.fingerprint, milliseconds: Set(times.map(\.millisecondsPerPatchMedian)))
    }
  }

  /// The figures that stand in `folder` afterwards.
  private static func writeFigures(_ inputs: ReportInputs, _ data: ReportData, _ folder: URL) throws -> Set<String> {
    try write(LossFigure(data)?.svg, as: "losses", in: folder)
    for network in inputs.networks { try write(network.figure.svg, as: network.file, in: folder) }
    if let picture = inputs.segmentation?.rendered() {
      try PNG.write(picture, to: folder.appendingPathComponent("segmentation.png").path)
    }
    if let picture = inputs.preprocessing?.rendered() {
      try PNG.write(picture, to: folder.appendingPathComponent("preprocessing.png").path)
    }
    if let picture = inputs.examples?.rendered() {
      try PNG.write(picture, to: folder.appendingPathComponent("examples.png").path)
    }
    return Set((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
  }

  /// A drawing that is not there any more is taken away.
  private static func write(_ svg: String?, as name: String, in folder: URL) throws {
    let file = folder.appendingPathComponent(name + ".svg")
    if let svg, (try? Data(contentsOf: file)) == Data(svg.utf8) { return }
    // A picture of another drawing must not stand beside this one, should nothing be there to render it.
    for kind in ["svg", "png"] { try DurableFile.remove(file.deletingPathExtension().appendingPathExtension(kind).path) }
    if let svg { try DurableFile.write(svg, to: file.path) }
  }

  /// Renders `figures/*.svg` to PNG at twice their size with `rsvg-convert`, where it is installed.
  ///
  /// The report embeds the SVG, so nothing is lost without it.
  /// - Returns: what could not be rendered and why, to be shown; empty where all is well.
  public static func renderPictures(in folder: URL) async -> [Diagnostic] {
    let figures = folder.appendingPathComponent("figures")
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: figures.path)) ?? []).filter { $0.hasSuffix(".svg") }.sorted()
    for name in names {
      let source = figures.appendingPathComponent(name), target = source.deletingPathExtension().appendingPathExtension("png")
      let beside = figures.appendingPathComponent(".\(name).\(ProcessInfo.processInfo.processIdentifier).tmp")
      defer { try? FileManager.default.removeItem(at: beside) }
      do {
        let result = try await run(
          .name("rsvg-convert"), arguments: ["--zoom", "2", "--output", beside.path, source.path], output: .discarded, error: .discarded)
        guard result.terminationStatus.isSuccess, rename(beside.path, target.path) == 0 else {
          return [Diagnostic(.warning, "rsvg-convert could not render figures/\(name); the report shows the SVG")]
        }
      } catch {
        return [
          Diagnostic(
            .note, "rsvg-convert is not installed: the figures are there as SVG, without PNG copies", hints: ["Debian, Ubuntu: apt-get install librsvg2-bin"])
        ]
      }
    }
    return []
  }

  /// A published value that ours is not within its tolerance of, or that there is nothing to hold against.
  public struct Violation: Sendable, Hashable, CustomStringConvertible {
    public var trial: String
    public var metric: String
    /// nil where the trial is missing or failed.
    public var measured: Double?
    public var published: Double
    public var tolerance: Double

    public var description: String {
      let ours = measured.map { "\(Numbers.shortest($0)) is \(Numbers.shortest(abs($0 - published))) from" } ?? "there is no result to hold against"
      return "\(trial), \(metric): \(ours) the published \(Numbers.shortest(published)) (tolerance \(Numbers.shortest(tolerance)))"
    }
  }

  /// The published values with a tolerance that the results in `folder` do not meet, in the order of the report: exit 3 where there are any.
  /// - Throws: `UserError` (exit 2) for a tolerance on an unknown metric, (exit 5) where the CSV files cannot be read.
  public static func check(_ folder: URL, against settings: ReportSettings) throws -> [Violation] {
    let data = try ReportData.read(folder)
    let trials = (data.names + settings.published.map(\.trial)).uniqued
    return try trials.flatMap { trial in
      let keys = Set(settings.published.filter { $0.trial == trial }.flatMap(\.tolerance.keys))
      for key in keys.sorted() { _ = try Metric.named(key) }
      return Metric.all.filter { keys.contains($0.key) }.compactMap { metric -> Violation? in
        let row = data.row(metric, of: trial, settings)
        guard row.verdict == "outside" || row.verdict == "missing", let published = row.published, let tolerance = row.tolerance else { return nil }
        return Violation(trial: trial, metric: metric.key, measured: row.mean, published: published, tolerance: tolerance)
      }
    }
  }
}

/// `provenance.json`: the given names and values, and each trial's fingerprint. Names in alphabetic order.
private struct Provenance: Encodable {
  struct Fingerprint: Encodable {
    var trial: String, seed: Int, fingerprint: String
  }

  var values: [String: String]
  var fingerprints: [Fingerprint]

  init(_ rows: [ProvenanceRow], _ data: ReportData) {
    values = Dictionary(rows.map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last })
    fingerprints = data.trials.filter { !$0.fingerprint.isEmpty }.map { Fingerprint(trial: $0.trial, seed: $0.seed, fingerprint: $0.fingerprint) }
  }

  private struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Name.self)
    for (key, value) in values { try object.encode(value, forKey: Name(stringValue: key)) }
    try object.encode(fingerprints, forKey: Name(stringValue: "fingerprints"))
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
  }
}

/// What a report shows of a trial: as what (`done`, `failed`, `missing`), of which fingerprint ("" where it is missing), and with which times.
public struct ShownTrial: Sendable, Hashable {
  public var trial: String
  public var seed: Int
  public var status: String
  public var fingerprint: String
  public var milliseconds: Set<Double>
}
