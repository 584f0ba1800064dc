import ExperimentSpec
import TensorCore
import Testing

@testable import Report

@Suite struct RankSumTests {
  /// scipy 1.17.1: mannwhitneyu(ours − value, theirs, method="exact"), whose p passes 0.05 at the interval's ends; binomtest.
  @Test func passesAreToldByTheirOrder() throws {
    let ours = [2.1, 2.2, 2.4, 2.0, 2.6, 3.9, 2.3], theirs = [2.5, 2.7, 2.45, 2.8, 2.9, 5.0, 2.55, 2.65, 2.75]
    let ranks = try #require(RankSum(ours, theirs, quantity: -))
    for (value, p) in [(0, 0.03111888111888112), (-0.2, 0.1737762237762238)] { #expect(abs(ranks.p(at: value + 1e-6) - p) < 1e-12, "\(value)") }
    #expect(abs(ranks.low - -0.7) < 1e-12 && abs(ranks.high - -0.05) < 1e-12, "\(ranks)")
    #expect(ranks.p(at: ranks.low - 1e-6) < 0.05 && ranks.p(at: ranks.low + 1e-6) > 0.05 && ranks.p(at: ranks.high + 1e-6) < 0.05 && ranks.p(at: ranks.high - 1e-6) > 0.05)
    // One pass that was held up, however long, changes nothing else; it only comes last.
    let held = try #require(RankSum(ours.map { $0 == 3.9 ? 99 : $0 }, theirs, quantity: -))
    #expect(held.p(at: 0) == RankSum(ours.map { $0 == 3.9 ? 6 : $0 }, theirs, quantity: -)?.p(at: 0))
    #expect(abs(try #require(RankSum([1, 2, 3, 4], [5, 6, 7, 8], quantity: -)).p(at: 0) - 2.0 / 70) < 1e-12)
    #expect(RankSum([1, 2, 3], [5, 6, 7], quantity: -) == nil && RankSum([], [5, 6, 7], quantity: -) == nil, "too few, however they lie")
    let level = try #require(RankSum([1, 3, 3.5, 4, 5, 6, 7]) { $0 - 2 })
    #expect(level.p(at: 0) == 0.125 && level.low == -1 && level.high == 5 && RankSum([1, 2, 3, 4, 5]) { $0 } == nil)
  }

  /// Passes that differ by chance alone are told apart no more often than once in twenty.
  @Test func ranksKeepTheirLevel() throws {
    var random = CounterRandom(seed: 13, purpose: .testing)
    let rejected = (0..<1000).count { _ in
      let sides = (0..<2).map { _ in (0..<6).map { _ in abs(Double(random.normal())) } }
      return RankSum(sides[0], sides[1], quantity: -)!.p(at: 0) < 0.05
    }
    // Exact, and with six against six 4.1 % of all orders.
    #expect((20...65).contains(rejected), "\(rejected) of 1000")
  }

  /// scipy 1.17.1: method="exact" up to 200 passes, method="asymptotic" beyond.
  @Test(arguments: [(100, 0.7689236170108991), (101, 0.7671599960380039), (300, 0.5606100997416572)]) func manyPassesAreNoDifferent(_ count: Int, _ p: Double) throws {
    let ours = (0..<count).map { Double($0) + 0.25 }, theirs = (0..<count).map { Double($0) * 1.03 + 0.001 }
    let ranks = try #require(RankSum(ours, theirs, quantity: -))
    #expect(abs(ranks.p(at: 0) - p) < 1e-9, "\(ranks.p(at: 0))")
    #expect(ranks.low < ranks.estimate && ranks.estimate < ranks.high && ranks.p(at: ranks.estimate) > 0.9)
    // The sign test, too, of more passes than a power of two can count.
    let level = try #require(RankSum((0..<(10 * count)).map(Double.init)) { $0 })
    #expect(level.p(at: Double(5 * count) - 0.5) == 1 && level.p(at: 1) < 1e-9)
  }

  /// Three trainings of one network are one network to the clock: a round counts once, and one round that was held up in all of them is one. What is told
  /// never contradicts its interval.
  @Test func aRoundCountsOnce() throws {
    var inputs = MadeUp.table1
    let claim = Claim("U-Net is slower", metric: "ms_per_patch", .greater, "U-Net", .trial("U-Net++"), test: "rank_sum")
    inputs.report.claims = [claim]
    func times(_ trial: String, _ seed: Int, _ passes: [Double]) -> TimingRecord {
      TimingRecord(
        trial: trial, seed: seed, threads: 2, precision: "f32", millisecondsPerPatchMedian: passes.median!, millisecondsPerPatchMinimum: passes.min()!, passes: passes, trainSeconds: 1,
        peakRSSMegabytes: 1, trainThreads: 2, isMain: true, turn: "one")
    }
    let ours = [[9.00, 9.01, 9.02, 9.03, 9.04], [9.05, 9.06, 9.07, 9.08, 9.09], [9.1, 9.11, 20, 20.1, 20.2]]
    inputs.timings = [1, 2, 3].flatMap { seed in [times("U-Net", seed, ours[seed - 1]), times("U-Net++", seed, (0..<5).map { 10 + 0.01 * Double(5 * seed + $0) })] }
    inputs.records = [1, 2, 3].flatMap { seed in ["U-Net", "U-Net++"].map { MadeUp.record($0, seed: seed, quality: 0.5, epochs: 2) } }
    let data = ReportData(trials: Tabulation.trials(inputs), images: Tabulation.images(inputs), losses: Tabulation.losses(inputs), timings: Tabulation.timings(inputs))
    let row = try #require(try data.claims(inputs.report, clock: true).first)
    #expect(row.verdict == "does not hold" && row.difference! < 0 && row.low! < row.difference! && row.difference! < row.high! && row.high! < 0, "\(row)")
    #expect(abs(row.leastP! - 2.0 / 252) < 1e-12 && row.p == row.leastP)
  }
}
