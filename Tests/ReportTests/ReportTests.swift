import Diagnostics
import ExperimentSpec
import Foundation
import Imaging
import Testing

@testable import Report

@Suite struct ReportTests {
  @Test func theSameInputsGiveTheSameBytesWhereverTheyStand() async throws {
    try await withFolder { one in
      try await withFolder { other in
        var shuffled = MadeUp.table1
        shuffled.records.reverse()
        shuffled.records[0].images.reverse()
        shuffled.timings.reverse()
        try Report.write(MadeUp.table1, to: one)
        try Report.write(shuffled, to: other)
        for file in GoldenTests.files {
          let text = try contents(one, file)
          #expect(try text == contents(other, file))
          #expect(!text.contains(one.path) && !text.contains(one.lastPathComponent))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: one.path).allSatisfy { !$0.hasSuffix(".tmp") })
      }
    }
  }

  /// Other times, another machine: only the lines that say so, and the files that hold them, may change.
  @Test func onlyMarkedLinesDependOnTheClock() async throws {
    try await withFolder { one in
      try await withFolder { other in
        var slower = MadeUp.table1
        for index in slower.timings.indices {
          slower.timings[index].millisecondsPerPatchMedian *= 13
          slower.timings[index].passes = slower.timings[index].passes.map { 1000 - $0 }
          slower.timings[index].threads = 16
          slower.timings[index].peakRSSMegabytes = 9
          (slower.timings[index].processor, slower.timings[index].isOfTrainedWeights) = (index == 0 ? "another" : "a third", false)
        }
        slower.provenance[1].value = "another"
        try Report.write(MadeUp.table1, to: one)
        try Report.write(slower, to: other)
        for file in GoldenTests.files where file != "timings.csv" && file != "provenance.json" {
          let lines = try [one, other].map { try contents($0, file).split(separator: "\n").filter { !$0.contains("<!-- clock -->") } }
          #expect(lines[0] == lines[1], "\(file)")
        }
        #expect(try contents(one, "report.md") != contents(other, "report.md"))
      }
    }
  }

  @Test func numbersComeFromTheFiles() async throws {
    try await withFolder { folder in
      try Report.write(MadeUp.table1, to: folder)
      let url = folder.appendingPathComponent("images.csv")
      let before = try ReportData.read(folder).statistic(try Metric.named("contest_score"), of: "U-Net").mean!
      try Data(contents(folder, "images.csv").replacingOccurrences(of: "U-Net,1,made-up-00,10,9,0.42,", with: "U-Net,1,made-up-00,10,9,0.9,").utf8).write(to: url)
      let data = try ReportData.read(folder)
      #expect(data.statistic(try Metric.named("contest_score"), of: "U-Net").mean! == before)
      #expect(abs(data.statistic(try Metric.named("average_iou"), of: "U-Net").mean! - (0.513 + 0.04)) < 2e-3)
    }
  }

  @Test func checkNamesWhatIsOutOfTolerance() async throws {
    try await withFolder { folder in
      var settings = MadeUp.table1.report
      try Report.write(MadeUp.table1, to: folder)
      #expect(try Report.check(folder, against: settings) == [])
      settings.published[1].tolerance = ["average_iou": 0.02, "ms_per_patch": 1]
      settings.published[2].trial = "V-Net"
      let violations = try Report.check(folder, against: settings)
      #expect(violations.map(\.trial) == ["U-Net++", "U-Net++", "V-Net", "V-Net"])
      #expect(violations.map(\.metric) == ["average_iou", "ms_per_patch", "average_iou", "parameters"])
      #expect(violations[1].description == "U-Net++, ms_per_patch: 88.9 is 66.9 from the published 22 (tolerance 1)")
      #expect(violations[2].measured == nil && violations[2].description.contains("no result"))
    }
  }

  @Test func aToleranceHoldsAtItsEdge() {
    let inputs = MadeUp.table1
    let data = ReportData(trials: Tabulation.trials(inputs), images: [], losses: [], timings: [])
    var settings = inputs.report
    settings.published[0].values["parameters"] = 1_941_000
    settings.published[0].tolerance["parameters"] = 93
    let metric = Metric.all.first { $0.key == "parameters" }!
    #expect(data.row(metric, of: "U-Net", settings).verdict == "within")
    settings.published[0].tolerance["parameters"] = 92
    #expect(data.row(metric, of: "U-Net", settings).verdict == "outside")
  }

  @Test func anUnknownMetricIsTheSpecsFault() async throws {
    var inputs = MadeUp.table1
    inputs.report.rows = ["average_iou", "beauty"]
    let final = inputs
    await #expect { try await withFolder { try Report.write(final, to: $0) } } throws: { error in
      let fault = error as? UserError
      return fault?.exitCode == .badCommandOrSpec && fault?.diagnostics[0].message.contains("beauty") == true
    }
  }

  @Test func aFolderThatCannotBeWrittenIsSaid() throws {
    #expect { try Report.write(MadeUp.table1, to: URL(fileURLWithPath: "/proc/nowhere")) } throws: { ($0 as? UserError)?.exitCode == .inputOrOutputFailed }
  }

  @Test func timesOnTheAuthorsProcessorStandBesideOurs() async throws {
    try await withFolder { folder in
      var inputs = MadeUp.table1
      inputs.report.published[0].values["gpu_ms_per_patch"] = inputs.report.published[0].values.removeValue(forKey: "ms_per_patch")
      try Report.write(inputs, to: folder)
      #expect(try contents(folder, "report.md").contains("| 41.2<br>published 14.9 (GPU); Δ +26.3 |"))
    }
  }

  @Test func picturesThatAreThereAreKept() async throws {
    try await withFolder { folder in
      let scene = MadeUp.scene(width: 64, height: 48, brightness: 1)
      var inputs = MadeUp.table1
      inputs.segmentation = SegmentationFigure(rows: [("one", scene.image, scene.truth, [scene.prediction])], columns: ["U-Net"])
      inputs.preprocessing = PreprocessingFigure(rows: [("one", scene.image, scene.image, scene.image, [(0, 0), (0, 16)])], patchSize: 48)
      try Report.write(inputs, to: folder)
      let picture = try Data(contentsOf: folder.appendingPathComponent("figures/segmentation.png")), report = try contents(folder, "report.md")
      #expect(report.contains("(figures/segmentation.png)") && report.contains("(figures/preprocessing.png)"))
      try Report.write(MadeUp.table1, to: folder)
      #expect(try Data(contentsOf: folder.appendingPathComponent("figures/segmentation.png")) == picture)
      #expect(try contents(folder, "report.md") == report)
    }
  }

  @Test func rendersPicturesWhereItCan() async throws {
    try await withFolder { folder in
      try Report.write(MadeUp.table1, to: folder)
      let notes = await Report.renderPictures(in: folder)
      let png = folder.appendingPathComponent("figures/losses.png").path
      if notes.isEmpty {
        let picture = try PNG.read(path: png)
        #expect(picture.width > 1000 && picture.height > 600)
      } else {
        #expect(notes[0].severity == .note && notes[0].message.contains("rsvg-convert") && !FileManager.default.fileExists(atPath: png))
      }
      // Other curves: the old picture of them must not stand on.
      var other = MadeUp.table1
      other.records.removeLast()
      try Report.write(other, to: folder)
      #expect(!FileManager.default.fileExists(atPath: png))
    }
  }

  @Test func manyTrialsStandBelowEachOther() async throws {
    var inputs = MadeUp.table1
    inputs.report = ReportSettings(rows: ["average_iou", "parameters"], published: [], claims: [], figureImages: [], remark: "")
    let names = (1...8).map { "B = \($0) | <x>" }
    inputs.expected = names.map { ExpectedTrial(trial: $0, seed: 1) }
    inputs.records = names.map { MadeUp.record($0, quality: 0.5, epochs: 2) }
    let final = inputs
    try await withFolder { folder in
      try Report.write(final, to: folder)
      #expect(try contents(folder, "report.md").contains("|  | Ave. IOU (m ± s) | No. of weights (M) |\n| --- | ---: | ---: |\n| B = 1 \\| &lt;x> | "))
    }
  }
}
