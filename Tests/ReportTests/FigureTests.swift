import Foundation
import Imaging
import Testing

@testable import Report

@Suite struct FigureTests {
  private func data(_ inputs: ReportInputs) -> ReportData {
    ReportData(trials: Tabulation.trials(inputs), images: [], losses: Tabulation.losses(inputs), timings: [])
  }

  @Test func lossCurvesAreWellFormed() throws {
    let drawing = try Drawing(LossFigure(data(MadeUp.table1))!.svg)
    #expect(drawing.count("svg") == 1)
    #expect(drawing.count("polyline") == 8)  // validation and training of four trials
    for word in ["epoch", "BCE − log Dice", "log scale", "fine-tuning", "weights kept"] + MadeUp.networks { #expect(drawing.text.contains(word), "\(word)") }
  }

  @Test func eachSeedHasALineAndAFailedTrialNone() throws {
    let drawing = try Drawing(LossFigure(data(GoldenTests.inputs(.seeds)))!.svg)
    #expect(drawing.count("polyline") == 9)  // two trials of two seeds done: each seed, the mean, training's mean; the legend's thin line
    #expect(drawing.text.contains("mean over seeds") && !drawing.text.contains("fine-tuning"))
  }

  private func data(trials count: Int, unlike: Bool = true) -> ReportData {
    var inputs = MadeUp.table1
    let names = (1...count).map { "trial \($0)" }
    inputs.expected = names.map { ExpectedTrial(trial: $0, seed: 1) }
    inputs.records = names.enumerated().map { MadeUp.record($1, quality: unlike ? 0.5 - 0.01 * Double($0) : 0.5) }
    return data(inputs)
  }

  /// Every text stands within the picture, however many trials there are.
  @Test(arguments: [4, 7, 8, 17, 40]) func aLegendOfManyTrialsFits(_ count: Int) throws {
    let drawing = try Drawing(LossFigure(data(trials: count))!.svg)
    #expect(drawing.labels.count > count)
    for label in drawing.labels { #expect(label.box.isWithin(drawing.sheet), "\(label)") }
  }

  /// With more trials than colours each has a panel, and the others' validation behind its own two curves.
  @Test(arguments: zip([7, 8, 17], [14, 72, 306])) func manyTrialsHaveAPanelEach(_ count: Int, _ lines: Int) throws {
    let drawing = try Drawing(LossFigure(data(trials: count))!.svg)
    #expect(drawing.count("polyline") == lines)
    #expect(drawing.text.contains("the other trials") == (count > 7))
    for number in 1...count { #expect(drawing.text.contains("trial \(number)")) }
  }

  /// What is done with a training afterwards does not change its curves.
  @Test func trialsOfOneTrainingShareItsCurves() throws {
    let drawing = try Drawing(LossFigure(data(trials: 17, unlike: false))!.svg)
    #expect(drawing.count("polyline") == 2 && drawing.text.contains("trial 1 and 16 more"))
  }

  @Test func namesCannotBreakTheSVG() throws {
    var inputs = MadeUp.table1
    let name = "<U-Net> & \"co\" \u{1}'s"
    inputs.expected = [ExpectedTrial(trial: name, seed: 1)]
    inputs.records = [MadeUp.record(name, quality: 0.5)]
    #expect(try Drawing(LossFigure(data(inputs))!.svg).text.contains("<U-Net> & \"co\"  's"))
  }

  @Test func aDivergedTrainingBreaksItsLine() throws {
    var inputs = MadeUp.table1
    inputs.records[0].losses[5].validationLoss = .nan
    inputs.records[0].losses[6].trainLoss = .infinity
    let svg = LossFigure(data(inputs))!.svg
    #expect(try Drawing(svg).count("polyline") == 10 && !svg.contains("nan") && !svg.contains("inf"))
    for index in inputs.records.indices {
      for epoch in inputs.records[index].losses.indices { inputs.records[index].losses[epoch].validationLoss = .nan }
    }
    #expect(LossFigure(data(inputs)) == nil)
  }

  @Test(arguments: [[0.1, 1.3], [0.1, 0.35], [0.13, 0.15], [0.0, 0.4], [0.5], [-0.2, 7], [1e-7, 3], [2, 2], [0.9, 90]]) func ticksAreInsideAndEnough(_ values: [Double]) {
    let axis = Axis.losses(values, start: 300, end: 0)
    #expect((2...12).contains(axis.ticks.count), "\(axis.ticks)")
    #expect(axis.ticks.allSatisfy { $0 >= axis.low - 1e-9 && $0 <= axis.high + 1e-9 } && Set(axis.labels).count == axis.ticks.count)
    #expect(values.allSatisfy { (0...300).contains(axis.place($0)) })
    #expect(axis.logarithmic == (values.min()! > 0 && values.max()! > 3 * values.min()!))
  }

  @Test(arguments: [(1, [1.0]), (3, [1, 2, 3]), (20, [1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]), (25, [1, 5, 10, 15, 20, 25]), (100, [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])])
  func epochsAreWhole(_ last: Int, _ ticks: [Double]) { #expect(Axis.epochs(last, start: 0, end: 500).ticks == ticks) }

  @Test func overlayColoursSayWhatIsWrong() {
    let truth = Mask(width: 4, height: 1, pixels: [1, 1, 0, 0]), prediction = Mask(width: 4, height: 1, pixels: [1, 0, 1, 0])
    #expect(SegmentationFigure.overlay(truth: truth, prediction: prediction).pixels == [RGB(255, 255, 255), RGB(220, 38, 38), RGB(37, 99, 235), RGB(0, 0, 0)])
  }

  @Test func segmentationShowsEachTileUnderItsHeader() throws {
    let square = MadeUp.scene(width: 128, height: 128, brightness: 0.05), wide = MadeUp.scene(width: 200, height: 100, brightness: 1)
    let figure = SegmentationFigure(
      rows: [("dim\nmade-up", square.image, square.truth, [square.prediction, square.truth]), ("wide", wide.image, wide.truth, [wide.prediction, wide.truth])],
      columns: ["U-Net", "U-Net+"])
    let picture = figure.rendered()
    let colours = Dictionary(picture.pixels.map { ($0, 1) }, uniquingKeysWith: +)
    #expect(colours[SegmentationFigure.missed, default: 0] > 500 && colours[SegmentationFigure.false_, default: 0] > 500)
    // Wide tiles are 384 × 192 (limited by width); four columns of them, labels and gaps.
    #expect(picture.width > 4 * 384 && picture.height > 256 + 192 && picture == figure.rendered())
    // The last column agrees with the truth: right of its left edge there is no red or blue above the legend.
    for y in 0..<(256 + 192 + 20) {
      for x in (picture.width - 390)..<picture.width { #expect(![SegmentationFigure.missed, SegmentationFigure.false_].contains(picture[y, x])) }
    }
  }

  /// Seven predictions do not fit beside the image and the truth: four and three, below each other, each once.
  @Test func manyColumnsStandInBands() {
    let scene = MadeUp.scene(width: 128, height: 128, brightness: 0.5)
    func picture(_ count: Int) -> RGBImage {
      SegmentationFigure(
        rows: [("row", scene.image, scene.truth, Array(repeating: scene.prediction, count: count))], columns: (0..<count).map { "U-Net \($0)" }
      ).rendered()
    }
    func red(_ picture: RGBImage) -> Int { picture.pixels.count { $0 == SegmentationFigure.missed } }
    let (four, six, seven) = (picture(4), picture(6), picture(7)), legend = red(picture(0))
    #expect(seven.width == four.width && six.width > four.width && six.height == four.height)
    #expect(seven.height - four.height > 256 && seven.height < 2 * four.height)
    #expect(legend > 0 && red(seven) - legend == 7 * (red(picture(1)) - legend))
  }

  @Test func dimImagesAreStretched() {
    let dim = GrayImage(width: 10, height: 100, pixels: (0..<1000).map { 0.01 + Float($0) * 1e-5 })
    let stretched = SegmentationFigure.stretched(dim).pixels
    #expect(stretched.first == 0 && abs(stretched[994] - 1) < 0.01)
    let flat = GrayImage(width: 2, height: 2, repeating: 0.3)
    #expect(SegmentationFigure.stretched(flat) == flat)
  }

  @Test func scalingKeepsFlatImagesAndMeans() {
    let flat = GrayImage(width: 7, height: 5, repeating: 0.25)
    for (width, height) in [(7, 5), (3, 2), (20, 30), (1, 1)] {
      #expect(Scaling.smooth(flat, width: width, height: height).pixels.allSatisfy { abs($0 - 0.25) < 1e-6 })
    }
    let ramp = GrayImage(width: 8, height: 8, pixels: (0..<64).map { Float($0) / 63 })
    #expect(zip(Scaling.smooth(ramp, width: 8, height: 8).pixels, ramp.pixels).allSatisfy { abs($0 - $1) < 1e-6 })
    let half = Scaling.smooth(ramp, width: 4, height: 4).pixels
    #expect(abs(half.reduce(0, +) / 16 - 0.5) < 0.01)
    let checks = Mask(width: 2, height: 2, pixels: [1, 0, 0, 1])
    #expect(Scaling.nearest(checks, width: 4, height: 2).pixels == [1, 1, 0, 0, 0, 0, 1, 1])
    #expect(Scaling.nearest(Scaling.nearest(checks, width: 6, height: 6), width: 2, height: 2) == checks)
  }

  @Test func everyPrintableCharacterHasAGlyphOfItsOwn() {
    let characters = (33...126).map { Character(UnicodeScalar($0)) }
    #expect(Set(characters.map { BitmapFont.columns(of: $0) }).count == characters.count)
    #expect(characters.allSatisfy { BitmapFont.columns(of: $0).count == 5 && BitmapFont.columns(of: $0).contains { $0 != 0 } })
    #expect(BitmapFont.columns(of: " ").allSatisfy { $0 == 0 })
    #expect(BitmapFont.columns(of: "µ") == BitmapFont.columns(of: "?") && BitmapFont.columns(of: "λ") != BitmapFont.columns(of: "?"))
    // Twice the size, every pixel of the glyph still inked.
    let coverage = BitmapFont.coverage(of: "H")
    #expect(coverage.count == 16 && coverage[0].count == 10 && coverage[0][0] > 0.5 && coverage[0][4] == 0 && coverage[6][4] == 1)
  }

  @Test func examplesAreChosenByRuleAndOnce() {
    let candidates = (0..<12).map { i in
      FigureCandidate(image: "i\(i)", meanIntensity: Double((i * 5) % 12), nuclei: 4, foregroundPixels: 40 * ((i * 7) % 12 + 1), grain: Double(i))
    }
    let rows = chooseExamples(candidates)
    #expect(rows.map(\.images)[0] == ["i0", "i6", "i11"] && Set(rows.flatMap(\.images)).count == 9)
    let light = rows[1].images.map { name in candidates.first { $0.image == name }!.meanIntensity }
    #expect(light == light.sorted() && chooseExamples(candidates.reversed()).map(\.images) == rows.map(\.images))
    #expect(chooseExamples(Array(candidates.prefix(4))).map(\.images.count) == [3, 3, 3] && chooseExamples(Array(candidates.prefix(2))).isEmpty)
    let picture = ExamplesFigure(rows: rows.map { ($0.variety.label, $0.images.map { _ in GrayImage(width: 100, height: 256, repeating: 0.5) }, false) }).rendered()
    #expect(picture.height > 3 * 256 && picture.width > 300)
  }

  @Test func figureImagesAreChosenByRule() {
    func candidate(_ name: String, _ intensity: Double, _ nuclei: Int, _ area: Int) -> FigureCandidate {
      FigureCandidate(image: name, meanIntensity: intensity, nuclei: nuclei, foregroundPixels: nuclei * area)
    }
    let candidates = [
      candidate("a", 0.01, 20, 200), candidate("b", 0.2, 300, 100), candidate("c", 0.3, 4, 5000), candidate("d", 0.15, 30, 300),
      candidate("e", 0.16, 40, 310), candidate("f", 0.9, 2, 50), candidate("nothing", 0.0, 0, 0),
    ]
    let choice = chooseFigureImages(candidates)
    #expect(choice.map(\.image) == ["a", "b", "c", "d", "e"] || choice.map(\.image) == ["a", "b", "c", "e", "d"])
    #expect(choice.map(\.kind) == ["dim", "crowded", "large", "medium", "medium"])
    #expect(chooseFigureImages(candidates.reversed()) == choice)
    #expect(choice[0].label == "dim\na" && FigureChoice(image: "0f1f896d9ae5a04752d3239c690402c0", kind: "large").label == "large\n0f1f896d")
    #expect(chooseFigureImages(Array(candidates.prefix(2))).map(\.image) == ["a", "b"] && chooseFigureImages([]).isEmpty)
  }
}
