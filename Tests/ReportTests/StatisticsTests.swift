import Diagnostics
import ExperimentSpec
import Foundation
import TensorCore
import Testing

@testable import Report

@Suite struct StatisticsTests {
  private func data(_ inputs: ReportInputs) -> ReportData {
    ReportData(trials: Tabulation.trials(inputs), images: Tabulation.images(inputs), losses: Tabulation.losses(inputs), timings: Tabulation.timings(inputs))
  }

  /// Two seeds of one trial with given average IoUs, the third image empty.
  private func twoSeeds(_ first: [Double], _ second: [Double]) -> ReportInputs {
    func record(_ seed: Int, _ values: [Double]) -> TrialRecord {
      var record = MadeUp.record("U-Net", seed: seed, quality: 0.5, epochs: 2)
      record.images = values.enumerated().map { index, value in
        var score = MadeUp.score(index, quality: 0.5)
        score.averageIoU = value
        return score
      } + [MadeUp.empty]
      return record
    }
    return ReportInputs(
      name: "x", title: "x", report: ReportSettings(rows: [], published: [], claims: [], figureImages: [], remark: ""),
      expected: [.init(trial: "U-Net", seed: 1), .init(trial: "U-Net", seed: 2)], records: [record(1, first), record(2, second)])
  }

  @Test func meansOverImagesThenSeeds() throws {
    let statistic = data(twoSeeds([0.2, 0.4], [0.6, 1.0])).statistic(try Metric.named("average_iou"), of: "U-Net")
    #expect(abs(statistic.mean! - 0.55) < 1e-12)
    #expect(abs(statistic.imagesDeviation! - 0.15) < 1e-12)  // population: 0.1 and 0.2
    #expect(abs(statistic.seedsDeviation! - 0.5 / 2.0.squareRoot()) < 1e-12)  // sample: means 0.3 and 0.8
    #expect(statistic.seeds == 2)
  }

  @Test func oneSeedHasNoSpreadOverSeeds() throws {
    var inputs = twoSeeds([0.2, 0.4], [])
    inputs.expected.removeLast()
    let statistic = data(inputs).statistic(try Metric.named("average_iou"), of: "U-Net")
    #expect(statistic.seedsDeviation == nil && statistic.seeds == 1 && abs(statistic.mean! - 0.3) < 1e-12)
  }

  @Test func failedAndMissingTrialsCount() throws {
    let data = data(GoldenTests.inputs(.seeds))
    #expect(data.trials.map(\.status) == ["done", "done", "failed", "done", "done", "missing"])
    #expect(data.statistic(try Metric.named("average_iou"), of: "U-Net").seeds == 2)
    #expect(data.images.allSatisfy { !($0.trial == "U-Net" && $0.seed == 3) })
  }

  @Test func tableHasNoTimes() {
    #expect(!data(MadeUp.table1).table(MadeUp.table1.report).contains { $0.metric.hasPrefix("ms_") || $0.metric.hasPrefix("train_s") || $0.metric.hasPrefix("peak") })
  }

  @Test func aKnownDifferenceHolds() {
    let bootstrap = PairedBootstrap(differences: (0..<30).map { 0.05 + 0.03 * Double($0 % 5 - 2) })
    #expect(abs(bootstrap.difference - 0.05) < 1e-12 && bootstrap.p < 0.001 && bootstrap.low > 0 && bootstrap.high < 0.1)
    // The normal interval of a mean of 30 with a population deviation of 0.03·√2.
    let half = 1.96 * 0.03 * 2.0.squareRoot() / 30.0.squareRoot()
    #expect(abs(bootstrap.low - (0.05 - half)) < 0.002 && abs(bootstrap.high - (0.05 + half)) < 0.002)
  }

  @Test func theOtherWayIsItsMirror() {
    let differences = (0..<20).map { 0.05 + 0.1 * Double($0 % 7 - 3) }
    let one = PairedBootstrap(differences: differences), other = PairedBootstrap(differences: differences.map { -$0 })
    #expect(one.p == other.p && one.difference == -other.difference && abs(one.low + other.high) < 1e-12)
  }

  @Test func identicalTrialsCannotBeTold() {
    let bootstrap = PairedBootstrap(differences: Array(repeating: 0, count: 20))
    #expect(bootstrap == PairedBootstrap(differences: Array(repeating: 0, count: 20)) && bootstrap.p == 1 && bootstrap.difference == 0)
  }

  /// Where there is no difference, the test is to say so in about 19 of 20 cases.
  @Test func keepsItsLevel() {
    var random = CounterRandom(seed: 11, purpose: .testing)
    let rejected = (0..<120).count { _ in PairedBootstrap(differences: (0..<53).map { _ in Double(random.normal()) }).p < 0.05 }
    #expect((1...14).contains(rejected), "\(rejected) of 120")
  }

  @Test func holmStepsDown() {
    let adjusted = holmAdjusted([0.01, 0.04, 0.03, 0.005])
    for (a, b) in zip(adjusted, [0.03, 0.06, 0.06, 0.02]) { #expect(abs(a - b) < 1e-12) }
    #expect(holmAdjusted([]) == [] && holmAdjusted([0.9, 0.8]) == [1, 1])
  }

  @Test func claimsAreJudged() throws {
    var inputs = MadeUp.table1
    func claim(_ metric: String, _ greater: [String]) -> ReportSettings.Claim { .init(claim: metric, metric: metric, greater: greater, test: "paired_bootstrap") }
    inputs.report.claims = [
      claim("average_iou", ["U-Net+ (T.C.)", "U-Net"]), claim("average_iou", ["U-Net", "U-Net+ (T.C.)"]), claim("average_iou", ["U-Net", "U-Net"]),
      claim("parameters", ["U-Net+ (U.S.)", "U-Net++"]), claim("val_loss", ["U-Net", "U-Net++"]), claim("average_iou", ["U-Net", "V-Net"]),
      claim("ms_per_patch", ["U-Net", "U-Net++"]), claim("ms_per_patch", ["U-Net", "U-Net"]),
      .init(claim: "by the numbers", metric: "average_iou", greater: ["U-Net++", "U-Net"], test: "exact"),
    ]
    let data = data(inputs)
    #expect(try data.claims(inputs.report, clock: false).map(\.verdict) == [
      "holds", "does not hold", "cannot be told", "does not hold", "holds", "cannot be told", "holds",
    ])
    #expect(try data.claims(inputs.report, clock: true).map(\.verdict) == ["does not hold", "cannot be told"])
    // Holm counts the three that were tested: the surest is multiplied by three.
    let tested = try data.claims(inputs.report, clock: false).filter { $0.p != nil }
    #expect(tested.count == 3 && tested[0].pHolm == min(1, 3 * tested[0].p!))
  }

  @Test func tooFewImagesCannotBeTold() throws {
    var inputs = MadeUp.table1
    for index in inputs.records.indices { inputs.records[index].images.removeLast(8) }
    let rows = try data(inputs).claims(inputs.report, clock: false)
    #expect(rows[0].images == 5 && rows[0].p == nil && rows[0].verdict == "cannot be told" && abs(rows[0].difference! - 0.05) < 1e-9)
  }

  /// What a spec may name is what the report knows.
  @Test func everyMetricOfTheSpecIsKnown() throws {
    for key in ReportSettings.metrics { _ = try Metric.named(key) }
  }

  @Test(arguments: [
    ReportSettings.Claim(claim: "c", metric: "beauty", greater: ["U-Net", "U-Net++"], test: "paired_bootstrap"),
    ReportSettings.Claim(claim: "c", metric: "average_iou", greater: ["U-Net"], test: "paired_bootstrap"),
    ReportSettings.Claim(claim: "c", metric: "average_iou", greater: ["U-Net", "U-Net++"], test: "t_test"),
  ]) func unknownClaimsAreTheSpecsFault(_ claim: ReportSettings.Claim) async throws {
    var inputs = MadeUp.table1
    inputs.report.claims = [claim]
    let final = inputs
    await #expect { try await withFolder { try Report.write(final, to: $0) } } throws: { ($0 as? UserError)?.exitCode == .badCommandOrSpec }
  }
}
