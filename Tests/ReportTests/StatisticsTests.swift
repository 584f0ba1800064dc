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

  /// A bootstrap of differences: one seed a side, against zero.
  private func bootstrap(_ differences: [Double]) -> Bootstrap { Bootstrap([[differences]]) { $0[0] } }

  @Test func aKnownDifferenceHolds() {
    let bootstrap = bootstrap((0..<30).map { 0.05 + 0.03 * Double($0 % 5 - 2) })
    #expect(abs(bootstrap.quantity - 0.05) < 1e-12 && bootstrap.p(at: 0) < 0.001 && bootstrap.low > 0 && bootstrap.high < 0.1)
    // The normal interval of a mean of 30 with a population deviation of 0.03·√2.
    let half = 1.96 * 0.03 * 2.0.squareRoot() / 30.0.squareRoot()
    #expect(abs(bootstrap.low - (0.05 - half)) < 0.002 && abs(bootstrap.high - (0.05 + half)) < 0.002)
  }

  @Test func theOtherWayIsItsMirror() {
    let differences = (0..<20).map { 0.05 + 0.1 * Double($0 % 7 - 3) }
    let one = bootstrap(differences), other = bootstrap(differences.map { -$0 })
    #expect(one.p(at: 0) == other.p(at: 0) && one.quantity == -other.quantity && abs(one.low + other.high) < 1e-12)
  }

  @Test func identicalTrialsCannotBeTold() {
    let scores = [(0..<20).map { Double($0) / 20 }]
    let bootstrap = Bootstrap([scores, scores]) { $0[0] - $0[1] }
    #expect(bootstrap == Bootstrap([scores, scores]) { $0[0] - $0[1] } && bootstrap.p(at: 0) == 1 && bootstrap.low == 0 && bootstrap.high == 0)
  }

  /// Where there is no difference, the test is to say so in about 19 of 20 cases.
  @Test func keepsItsLevel() {
    var random = CounterRandom(seed: 11, purpose: .testing)
    let rejected = (0..<120).count { _ in bootstrap((0..<53).map { _ in Double(random.normal()) }).p(at: 0) < 0.05 }
    #expect((1...14).contains(rejected), "\(rejected) of 120")
  }

  /// The same with two and three seeds a side, which lie further apart than the images' means do: of one side by four times as far as of the other too.
  @Test(arguments: [(2, 0.02, 0.02), (3, 0.02, 0.02), (3, 0.024, 0.006)]) func keepsItsLevelOverSeeds(_ seeds: Int, _ one: Double, _ other: Double) {
    var random = CounterRandom(seed: 12, purpose: .testing)
    let rejected = (0..<150).count { _ in
      let hardness = (0..<8).map { _ in Double(random.normal()) * 0.2 }
      let sides = [one, other].map { deviation in
        (0..<seeds).map { _ in
          let training = Double(random.normal()) * deviation
          return hardness.map { 0.5 + $0 + training + Double(random.normal()) * 0.02 }
        }
      }
      return Bootstrap(sides) { $0[0] - $0[1] }.p(at: 0) < 0.05
    }
    #expect((1...16).contains(rejected), "\(rejected) of 150")
  }

  /// Images alike and seeds apart: Student's interval of one side's mean, and of two sides' difference with a common deviation. scipy 1.11: t.ppf.
  @Test func seedsAddTheirError() {
    func alike(_ seeds: [Double]) -> [[Double]] { seeds.map { Array(repeating: $0, count: 10) } }
    let seeds = [0.50, 0.53, 0.56, 0.61]
    let one = Bootstrap([alike(seeds)]) { $0[0] }, half = 3.1824463 * seeds.sampleDeviation! / 2
    #expect(abs(one.quantity - 0.55) < 1e-12)
    #expect(abs(one.low - (0.55 - half)) < 0.005 && abs(one.high - (0.55 + half)) < 0.005, "\(one.low) … \(one.high)")
    let two = Bootstrap([alike(seeds), alike(seeds.map { 0.95 - $0 })]) { $0[0] - $0[1] }, wide = 2.4469119 * seeds.sampleDeviation! / 2.0.squareRoot()
    #expect(abs(two.quantity - 0.15) < 1e-12)
    #expect(abs(two.low - (0.15 - wide)) < 0.005 && abs(two.high - (0.15 + wide)) < 0.005, "\(two.low) … \(two.high)")
    #expect(Bootstrap([alike([0.5])]) { $0[0] }.low == 0.5)
  }

  /// scipy 1.11: t.cdf and t.ppf.
  @Test(arguments: [(1, 12.7062047), (2, 4.3026527), (3, 3.1824463), (4, 2.7764451), (9, 2.2621572), (30, 2.0422725)])
  func studentsTIsTabulated(_ degrees: Int, _ t: Double) {
    #expect(abs(StudentT.quantile(0.95, degrees: degrees) - t) < 1e-6 && abs(StudentT.central(t, degrees: degrees) - 0.95) < 1e-8)
  }

  @Test func threeTrainings() throws {
    let t = try #require(StudentT([0.141, 0.145, 0.143]))
    // Standard error 0.002/√3; t = 2.598 at 0.14 with two degrees of freedom.
    #expect(abs(t.mean - 0.143) < 1e-12 && abs(t.p(at: 0.14) - 0.1217) < 1e-3 && t.p(at: 0.143) > 0.999)
    #expect(abs(t.high - t.mean - 4.3026527 * 0.002 / 3.0.squareRoot()) < 1e-6)
    // One training, and trainings all alike, say nothing of how far others lie.
    #expect(StudentT([0.1]) == nil && StudentT([2, 2]) == nil)
  }

  @Test func holmStepsDown() {
    let adjusted = holmAdjusted([0.01, 0.04, 0.03, 0.005])
    for (a, b) in zip(adjusted, [0.03, 0.06, 0.06, 0.02]) { #expect(abs(a - b) < 1e-12) }
    #expect(holmAdjusted([]) == [] && holmAdjusted([0.9, 0.8]) == [1, 1])
  }

  @Test func claimsAreJudged() throws {
    var inputs = MadeUp.table1
    func claim(_ metric: String, _ relation: Claim.Relation, _ trial: String, _ other: String, _ margin: Claim.Margin = .none) -> Claim {
      Claim(metric, metric: metric, relation, trial, .trial(other), margin: margin, test: ReportSettings.tests(of: metric)[0])
    }
    let (net, plus) = ("U-Net", "U-Net+ (T.C.)")  // 0.52 and 0.57 on every image
    let asked: [(Claim, ClaimRow.Verdict)] = [
      (claim("average_iou", .greater, plus, net), .holds), (claim("average_iou", .greater, net, plus), .doesNotHold),
      (claim("average_iou", .less, net, plus), .holds), (claim("average_iou", .greater, net, net), .open),
      (claim("average_iou", .greater, plus, net, .init(.points, 4)), .holds), (claim("average_iou", .greater, plus, net, .init(.points, 6)), .doesNotHold),
      (claim("average_iou", .greater, plus, net, .init(.points, 4, 6)), .holds), (claim("average_iou", .greater, plus, net, .init(.perCent, 6, 8)), .doesNotHold),
      (claim("average_iou", .alike, plus, net, .init(.perCent, 12)), .holds), (claim("average_iou", .alike, plus, net, .init(.points, 1)), .doesNotHold),
      (claim("parameters", .greater, "U-Net+ (U.S.)", "U-Net++"), .doesNotHold), (claim("parameters", .less, plus, "U-Net++", .init(.perCent, 14, 15)), .holds),
      (claim("val_loss", .greater, net, "U-Net++"), .open), (claim("average_iou", .greater, net, "V-Net"), .open),
      (Claim("a level", metric: "average_iou", .greater, net, .number(0.4)), .holds),
      (Claim("a level", metric: "size_mb", .less, plus, .number(8), test: "exact"), .holds),
      (Claim("by the numbers", metric: "average_iou", .greater, "U-Net++", .trial(net), test: "exact"), .holds),
    ]
    inputs.report.claims = asked.map(\.0)
    let rows = try data(inputs).claims(inputs.report, clock: false)
    for (row, (claim, verdict)) in zip(rows, asked) { #expect(row.verdict == verdict.rawValue, "\(claim.yaml): \(row)") }
    // Holm counts those that were tested: the surest is multiplied by their number.
    let tested = rows.filter { $0.p != nil }, surest = tested.min { $0.p! < $1.p! }!
    #expect(tested.count == 11 && surest.pHolm == min(1, 11 * surest.p!))

    inputs.report.claims = [
      claim("ms_per_patch", .greater, net, "U-Net++"), claim("ms_per_patch", .greater, net, net), claim("ms_per_patch", .less, net, plus, .init(.perCent, 25)),
      claim("ms_per_patch", .alike, net, net, .init(.perCent, 5)),
    ]
    #expect(try data(inputs).claims(inputs.report, clock: true).map(\.verdict) == ["does not hold", "cannot be told", "holds", "holds"])
    // Taken with one thread as well, and most trials so: times of one kind are compared.
    var more = inputs
    for timing in inputs.timings.dropFirst() {
      var alone = timing
      (alone.threads, alone.isMain) = (1, true)
      more.timings[more.timings.firstIndex { $0.trial == timing.trial }!].isMain = false
      more.timings.append(alone)
    }
    #expect(data(more).mainTimings(of: plus).map(\.threads) == [1])
    #expect(try data(more).claims(inputs.report, clock: true).map(\.verdict) == ["cannot be told", "cannot be told", "cannot be told", "holds"])
    more.timings.append(inputs.timings[0])
    more.timings[more.timings.count - 1].threads = 1
    more.timings[more.timings.count - 1].isMain = false
    #expect(data(more).mainTimings(of: net).map(\.threads) == [1])
    #expect(try data(more).claims(inputs.report, clock: true).map(\.verdict) == ["does not hold", "cannot be told", "holds", "holds"])
    inputs.timings[0].turn = "another"  // U-Net's: from one hour to the next the machine may change
    #expect(try data(inputs).claims(inputs.report, clock: true).map(\.verdict) == ["cannot be told", "cannot be told", "cannot be told", "holds"])
  }

  /// U-Net at 0.400 and 0.501, U-Net++ at 0.551: a difference is of the seed that both have, but how far U-Net's trainings lie apart counts.
  @Test func twoTrialsAreComparedAtTheSeedsBothHave() throws {
    var inputs = MadeUp.table1
    inputs.expected = [.init(trial: "U-Net", seed: 1), .init(trial: "U-Net", seed: 2), .init(trial: "U-Net++", seed: 2)]
    inputs.records = [
      MadeUp.record("U-Net", seed: 1, quality: 0.4), MadeUp.record("U-Net", seed: 2, quality: 0.5), MadeUp.record("U-Net++", seed: 2, quality: 0.55),
    ]
    inputs.report.claims = ["average_iou", "val_loss"].map {
      Claim("c", metric: $0, .greater, "U-Net++", .trial("U-Net"), test: ReportSettings.tests(of: $0)[0])
    }
    let rows = try data(inputs).claims(inputs.report, clock: false)
    #expect(rows.map(\.seeds) == [1, 1] && abs(rows[0].difference! - 0.05) < 1e-9)
    #expect(rows.map(\.verdict) == ["cannot be told", "cannot be told"] && rows[0].seedDegrees == 1)
    inputs.records[0] = MadeUp.record("U-Net", seed: 1, quality: 0.5)
    #expect(try data(inputs).claims(inputs.report, clock: false)[0].verdict == "holds")
    #expect(rows[1].difference == inputs.records[2].validationLoss - inputs.records[1].validationLoss)
    inputs.expected.remove(at: 1)  // no seed in common: all of each
    #expect(abs(try data(inputs).claims(inputs.report, clock: false)[0].difference! - 0.051) < 1e-9)
  }

  /// Otsu's threshold stands for every seed, and has no error of its own: against U-Net's three trainings the interval is Student's of one mean.
  @Test func aThresholdIsComparedWithEveryTraining() throws {
    var inputs = MadeUp.table1
    inputs.expected = [1, 2, 3].map { .init(trial: "U-Net", seed: $0) } + [.init(trial: "Otsu", seed: 1)]
    inputs.records = zip([1, 2, 3], [0.50, 0.53, 0.55]).map { MadeUp.record("U-Net", seed: $0, quality: $1) } + [MadeUp.record("Otsu", quality: 0.45)]
    inputs.records[3].architecture = "otsu"
    inputs.report.claims = [Claim("c", metric: "average_iou", .greater, "U-Net", .trial("Otsu"))]
    let row = try data(inputs).claims(inputs.report, clock: false)[0]
    let means = try [1, 2, 3].map { try #require(data(inputs).trials[$0 - 1].averageIoU) }, half = 4.3026527 * means.sampleDeviation! / 3.0.squareRoot()
    #expect(row.seeds == 3 && row.seedDegrees == 2 && abs(row.difference! - (means.mean! - row.referenceMean!)) < 1e-12)
    #expect(abs(row.high! - row.low! - 2 * half) < 0.1 * half, "\(row)")
  }

  /// Each seed has validation images of its own: two trials are paired by seed and image, not by the images that all seeds happen to share.
  @Test func seedsWithOtherImagesArePairedWithinTheirSeed() throws {
    var inputs = MadeUp.table1
    inputs.expected = ["U-Net", "U-Net++"].flatMap { name in [1, 2].map { .init(trial: name, seed: $0) } }
    inputs.records = inputs.expected.map { expected in
      var record = MadeUp.record(expected.trial, seed: expected.seed, quality: expected.trial == "U-Net" ? 0.5 : 0.55)
      for index in record.images.indices { record.images[index].image += " \(expected.seed)" }
      return record
    }
    inputs.report.claims = [Claim("c", metric: "average_iou", .greater, "U-Net++", .trial("U-Net"))]
    let row = try data(inputs).claims(inputs.report, clock: false)[0]
    #expect(row.images == 24 && row.verdict == "holds" && abs(row.difference! - 0.05) < 1e-9)
    #expect(abs(row.difference! - (row.trialMean! - row.referenceMean!)) < 1e-12)
  }

  /// Who finds nothing where there is nothing is right, and who finds something there is wrong.
  @Test func silenceWhereThereIsNothingCounts() throws {
    var inputs = MadeUp.table1
    let loud = inputs.records.firstIndex { $0.trial == "U-Net++" }!, last = inputs.records[loud].images.count - 1
    inputs.report.claims = [Claim("c", metric: "average_iou", .greater, "U-Net++", .trial("U-Net"))]
    let silent = try data(inputs).claims(inputs.report, clock: false)[0]
    (inputs.records[loud].images[last].empty, inputs.records[loud].images[last].averageIoU) = (false, 0)
    let row = try data(inputs).claims(inputs.report, clock: false)[0]
    #expect(silent.images == 12 && row.images == 13 && abs(row.difference! - (12 * silent.difference! - 1) / 13) < 1e-9)
  }

  @Test func lossesAreJudgedOverSeeds() throws {
    var inputs = twoSeeds([0.2, 0.4], [0.6, 1.0])
    (inputs.records[0].validationLoss, inputs.records[1].validationLoss) = (0.1401, 0.1403)
    let level = Claim("around 0.14", metric: "val_loss", .alike, "U-Net", .number(0.14), margin: .init(.absolute, 0.01), test: "over_seeds")
    inputs.report.claims = [level]
    let row = try data(inputs).claims(inputs.report, clock: false)[0]
    #expect(row.seeds == 2 && row.verdict == "holds" && abs(row.difference! - 0.0002) < 1e-12)
    inputs.records[1].validationLoss = 0.19
    #expect(try data(inputs).claims(inputs.report, clock: false)[0].verdict == "cannot be told")
  }

  /// The lowest loss of 8 epochs falls from 0.4 to 0.3 in the last two; fine-tuning is another matter.
  @Test func lateFallIsOfTheMainPhase() throws {
    var inputs = twoSeeds([0.2, 0.4], [])
    inputs.expected.removeLast()
    inputs.records[0].losses = [0.9, 0.7, 0.5, 0.4, 0.45, 0.6, 0.35, 0.3, 0.1].enumerated().map { index, loss in
      EpochLoss(phase: index < 8 ? "train" : "fine-tune", epoch: index + 1, trainLoss: loss, validationLoss: loss, penalty: 0, learningRate: 1e-4)
    }
    let row = Tabulation.trials(inputs)[0]
    #expect(row.mainValidationLoss == 0.3 && abs(row.lateFall! - 0.25) < 1e-12)
    inputs.records[0].losses = []
    let baseline = Tabulation.trials(inputs)[0]
    #expect(baseline.status == "done" && baseline.validationLoss == nil && baseline.bestEpoch == nil && baseline.lateFall == nil)
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
    Claim("c", metric: "beauty", .greater, "U-Net", .trial("U-Net++")),
    Claim("c", metric: "average_iou", .greater, "U-Net", .trial("U-Net++"), test: "t_test"),
    Claim("c", metric: "parameters", .greater, "U-Net", .trial("U-Net++"), test: "paired_bootstrap"),
  ]) func unknownClaimsAreTheSpecsFault(_ claim: Claim) async throws {
    var inputs = MadeUp.table1
    inputs.report.claims = [claim]
    let final = inputs
    await #expect { try await withFolder { try Report.write(final, to: $0) } } throws: { ($0 as? UserError)?.exitCode == .badCommandOrSpec }
  }
}
