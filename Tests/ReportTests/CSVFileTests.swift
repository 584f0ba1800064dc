import Diagnostics
import Foundation
import TensorCore
import Testing

@testable import Report

@Suite struct CSVFileTests {
  @Test(arguments: [
    ("plain", "plain"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("two\nlines", "\"two\nlines\""), ("cr\r\nlf", "\"cr\r\nlf\""),
    (" led", "\" led\""), ("trailed ", "\"trailed \""), ("", ""), ("U-Net+ (T.C.)", "U-Net+ (T.C.)"),
  ]) func quotesAsRFC4180(_ field: String, _ quoted: String) { #expect(CSVFile.quoted(field) == quoted) }

  @Test func textSurvives() throws {
    let names = ["", "a,b", "\"", "\"\"", ",", "\n", "x\ny", " led", "trailed ", "é, ü", "µ\"m\"", "U-Net++ λ = 1e-4"]
    let rows = names.enumerated().map { LossRow(trial: $1, seed: $0, loss: EpochLoss(phase: "train", epoch: $0, trainLoss: 1, validationLoss: 2, penalty: 0, learningRate: 1e-4)) }
    #expect(try CSVFile.rows(CSVFile.text(rows), path: "x") == rows)
  }

  @Test func everyBitOfANumberSurvives() throws {
    var random = CounterRandom(seed: 3, purpose: .testing)
    var values: [Double] = [0, 1, -1, 0.1, 1e-4, 1e-300, .greatestFiniteMagnitude, 1_941_093, 1e15, 1e16, -2.5e-7]
    while values.count < 2000 {
      let value = Double(bitPattern: random.next())
      if value.isFinite { values.append(value) }
    }
    for value in values { #expect(Double(Numbers.shortest(value)) == value) }
    #expect(Numbers.shortest(.nan) == "" && Numbers.shortest(.infinity) == "")
    #expect(Numbers.shortest(1_941_093) == "1941093" && Numbers.shortest(0.533) == "0.533")
  }

  @Test func rowsOfEveryFileSurvive() throws {
    let inputs = GoldenTests.inputs(.seeds)
    let trials = Tabulation.trials(inputs), losses = Tabulation.losses(inputs), timings = Tabulation.timings(inputs)
    #expect(try CSVFile.rows(CSVFile.text(trials), path: "x") == trials)
    #expect(try CSVFile.rows(CSVFile.text(losses), path: "x") == losses)
    #expect(try CSVFile.rows(CSVFile.text(timings), path: "x") == timings)
    // NaN is no equal of itself; the text is.
    let images = CSVFile.text(Tabulation.images(inputs))
    #expect(CSVFile.text(try CSVFile.rows(images, path: "x") as [ImageRow]) == images)
  }

  /// The columns others' scripts rely on (the contract), in this order, first.
  @Test func contractColumnsComeFirst() {
    func starts<Row: CSVRow>(_ type: Row.Type, _ columns: String) {
      let names = columns.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      #expect(Array(Row.columns.map(\.name).prefix(names.count)) == names)
    }
    starts(TableRow.self, "trial, metric, mean, sd_images, sd_seeds, seeds, published, difference, verdict")
    starts(TrialRow.self, "trial, seed, architecture, base_filters, depth, l2, upsampling, parameters, average_iou, average_iou_sd, iou_at_050, average_precision, contest_score, best_epoch, val_loss")
    starts(ImageRow.self, "trial, seed, image, nuclei, objects, average_iou, iou_at_050, average_precision, contest_score")
    starts(LossRow.self, "trial, seed, phase, epoch, train_loss, val_loss, penalty, learning_rate")
    starts(TimingRow.self, "trial, seed, threads, precision, ms_per_patch_median, ms_per_patch_min, train_seconds, peak_rss_mb")
  }

  @Test(arguments: [
    ("trial,seed,phase\na,1,train\n", "row 1: there is no column `epoch`"),
    ("trial,seed,phase,epoch,train_loss,val_loss,penalty,learning_rate\na,1,train,one,1,1,0,1\n", "row 2: `one` does not fit the column `epoch`"),
    ("trial,seed,phase,epoch,train_loss,val_loss,penalty,learning_rate\na,1,train,1,1,1,0,1\nb,1\n", "row 3: 2 fields where the header names 8"),
  ]) func saysWhereAFileIsDamaged(_ text: String, _ message: String) {
    #expect { try CSVFile.rows(text, path: "losses.csv") as [LossRow] } throws: { error in
      let fault = error as? UserError
      return fault?.exitCode == .inputOrOutputFailed && fault?.diagnostics.first?.message == "losses.csv, " + message
    }
  }

  @Test func furtherColumnsAreLetBe() throws {
    let rows: [LossRow] = try CSVFile.rows("mine,trial,seed,phase,epoch,train_loss,val_loss,penalty,learning_rate\n9,a,1,train,1,0.5,,0,1e-4\n", path: "x")
    #expect(rows.count == 1 && rows[0].loss.trainLoss == 0.5 && rows[0].loss.validationLoss.isNaN && rows[0].loss.learningRate == 1e-4)
  }

  @Test func printsFixedDigits() {
    #expect(Numbers.fixed(0.5335, 3) == "0.533" && Numbers.fixed(-0.02, 3) == "−0.020" && Numbers.fixed(-0.0001, 3) == "0.000")
    #expect(Numbers.signed(0.02, 3) == "+0.020" && Numbers.signed(0.0001, 3) == "0.000" && Numbers.fixed(nil, 2) == "–")
    #expect(Numbers.grouped(1_941_093) == "1,941,093" && Numbers.grouped(-12) == "−12" && Numbers.grouped(100_000) == "100,000")
  }
}
