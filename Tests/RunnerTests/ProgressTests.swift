import Testing

@testable import Runner

@Suite struct ProgressTests {
  static let progress = TrialProgress(
    label: "U-Net++, seed 2", phase: "train", epoch: 3, epochs: 20, batch: 105, batches: 420, loss: 0.31204, patchesPerSecond: 14.23, secondsLeft: 752)

  @Test func liveLineSaysAll() {
    #expect(
      ProgressText.live(Self.progress, columns: 200)
        == "U-Net++, seed 2  train 3/20  ━━━━╌╌╌╌╌╌╌╌╌╌╌╌  105/420  loss 0.3120  13 min left  14.2 patches/s")
  }

  @Test func liveLineFitsAnyWidth() {
    let full = ProgressText.live(Self.progress, columns: 200)
    for columns in 0...full.count {
      let line = ProgressText.live(Self.progress, columns: columns)
      #expect(line.count <= columns)
      if columns >= 28 { #expect(line.hasPrefix("U-Net++, seed 2  train 3/20")) }
    }
    #expect(ProgressText.live(Self.progress, columns: 80) == "U-Net++, seed 2  train 3/20  105/420  loss 0.3120  13 min left  14.2 patches/s")
    #expect(ProgressText.live(Self.progress, columns: 60) == "U-Net++, seed 2  train 3/20  105/420  loss 0.3120")
  }

  @Test func plainLinesHaveNoEscapeCodes() {
    let line = ProgressText.epochLine(
      Self.progress, validationLoss: 0.25, sweep: SweepProgress(trialsDone: 1, trials: 12, failed: 1, secondsLeft: 7500))
    #expect(
      line == "U-Net++, seed 2: train epoch 3/20, loss 0.3120, validation 0.2500, 14.2 patches/s, 13 min left; 1/12 trials done, 1 failed, 2 h 05 min left in all")
    #expect(line.unicodeScalars.allSatisfy { $0.value >= 32 })
  }

  @Test func phasesWithoutEpochs() {
    #expect(
      ProgressText.live(TrialProgress(label: "a", phase: "evaluate", batch: 26, batches: 53), columns: 80) == "a  evaluate  ━━━━━━━╌╌╌╌╌╌╌╌╌  26/53")
    #expect(ProgressText.live(TrialProgress(label: "a", phase: "patches", batch: 0, batches: 0), columns: 80) == "a  patches  ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  0/0")
  }

  @Test(arguments: [
    (-3.0, "0 s"), (45, "45 s"), (89.4, "89 s"), (90, "2 min"), (752, "13 min"), (5399, "90 min"), (5400, "1 h 30 min"), (7500, "2 h 05 min"),
    (172_799, "48 h 00 min"), (190_800, "2 d 5 h"), (.infinity, "?"), (.nan, "?"),
  ])
  func durations(seconds: Double, text: String) { #expect(ProgressText.duration(seconds) == text) }

  @Test(arguments: [
    (0.0, 2, "0.00"), (1.005, 1, "1.0"), (-0.04, 1, "0.0"), (-1.25, 1, "-1.3"), (12.5, 0, "13"), (0.06, 1, "0.1"), (.nan, 3, "NaN"), (.infinity, 3, "inf"),
  ])
  func fixedDecimals(value: Double, digits: Int, text: String) { #expect(ProgressText.fixed(value, digits) == text) }

  @Test(arguments: [(1, [1]), (20, Array(1...20)), (50, Array(1...50)), (100, [1] + stride(from: 2, through: 100, by: 2))])
  func aLogFileIsNotFloodedByEpochs(epochs: Int, shown: [Int]) {
    #expect((1...epochs).filter { ProgressText.isShown(epoch: $0, of: epochs) } == shown)
  }

  @Test(arguments: [51, 999, 100_000]) func atMostFiftyOneLinesATraining(epochs: Int) {
    let shown = (1...epochs).filter { ProgressText.isShown(epoch: $0, of: epochs) }
    #expect(shown.count <= 52 && shown.count > 24 && shown.first == 1 && shown.last == epochs)
  }
}
