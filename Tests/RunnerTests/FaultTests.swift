import Diagnostics
import Foundation
import Imaging
import Testing

@testable import Runner

/// Each fault ends with its exit code, says what is wrong, and leaves nothing half-written.
extension Runs { @Suite struct FaultTests {
  @Test func aPatternThatFitsNoTrialIsToldTheirNamesOnce() async throws {
    let bench = try Bench(), transcript = Transcript()
    let spec = try bench.spec(extra: "sweep: {grid: {seed: [1, 2]}}")
    #expect(await bench.run(spec, transcript: transcript) { $0.only = ["V-Net"] } == .badCommandOrSpec)
    #expect(transcript.errors.hasSuffix("--only 'V-Net': no trial of tiny is called so\n  trials: U-Net; U-Net+\n"), "\(transcript.errors)")
  }

  @Test func aLockedFolderNamesItsHolder() async throws {
    let bench = try Bench(), spec = try bench.spec()
    let lock = try ResultsLock(ResultsFolder(path: bench.results))
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript) == .locked)
    #expect(transcript.errors.contains("locked by another run (process \(getpid()) on "))
    #expect(try bench.trials().isEmpty)
    withExtendedLifetime(lock) {}
  }

  @Test func specsThatAreWrongOrMissing() async throws {
    let bench = try Bench()
    let wrong = Transcript()
    #expect(await bench.run(try bench.spec(extra: "treining: 3"), transcript: wrong) == .badCommandOrSpec)
    #expect(wrong.errors.contains("tiny.yaml:10:1: error: "))
    #expect(await bench.run("\(bench.folder.path)/none.yaml") == .inputOrOutputFailed)
    let spec = try bench.spec()
    #expect(await bench.run(spec) { $0.overrides = ["train.epochs"] } == .badCommandOrSpec)
    #expect(await bench.run(spec) { $0.overrides = ["train.epochs=0"] } == .badCommandOrSpec)
    let nobody = Transcript()
    #expect(await bench.run(spec, transcript: nobody) { $0.only = ["V-Net"] } == .badCommandOrSpec)
    #expect(nobody.errors.contains("trials: U-Net; U-Net+"))
    #expect(!FileManager.default.fileExists(atPath: bench.results))
  }

  @Test func missingDataSaysHowToGetIt() async throws {
    let bench = try Bench(), spec = try bench.spec(), transcript = Transcript()
    let change: (inout RunOptions) -> Void = { $0.overrides = ["data.source=dsb2018"] }
    #expect(await bench.run(spec, transcript: transcript, change) == .inputOrOutputFailed)
    #expect(transcript.errors.contains("runner data fetch"))
    #expect(!FileManager.default.fileExists(atPath: bench.results))
    // A plan says what would run all the same.
    #expect(await bench.plan(spec, change) == .workToDo)
  }

  @Test func damagedDataIsFoundBeforeAnyTrial() async throws {
    let bench = try Bench(), data = "\(bench.folder.path)/data", quiet = Transcript()
    _ = try Runner.synthesizeData(to: data, training: 3, test: 2, side: 64, seed: 1, threads: 1, quiet.surroundings(cache: bench.folder.path))
    let change: (inout RunOptions) -> Void = { $0.overrides = ["data.source=folder", "data.root=\(data)", "data.selection=all"] }
    let spec = try bench.spec(trials: "[{name: U-Net, model.architecture: unet}]")
    let image = try #require(try FileManager.default.contentsOfDirectory(atPath: "\(data)/images").sorted().first)
    let whole = try Data(contentsOf: URL(fileURLWithPath: "\(data)/images/\(image)"))
    try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: "\(data)/images/\(image)"))
    let transcript = Transcript()
    #expect(await bench.run(spec, transcript: transcript, change) == .damagedData)
    #expect(transcript.errors.contains(image))
    #expect(!FileManager.default.fileExists(atPath: bench.results))
    // Mended, it runs; and then reports without its data.
    try whole.write(to: URL(fileURLWithPath: "\(data)/images/\(image)"))
    #expect(await bench.run(spec, change) == .done)
    let before = try bench.steadyFiles()
    try FileManager.default.moveItem(atPath: data, toPath: "\(data)-away")
    let cached = Transcript()
    #expect(await bench.run(spec, transcript: cached, change) == .done)
    #expect(cached.output.contains("nothing to do"))
    #expect(await bench.report(bench.results) == .done)
    try expectSame(bench.steadyFiles(), before)
    #expect(await bench.run(spec) { change(&$0); $0.overrides.append("train.epochs=4") } == .inputOrOutputFailed)
  }

  @Test func dataDamagedWhileItRunsFailsTheTrialAlone() async throws {
    let bench = try Bench(), data = "\(bench.folder.path)/data"
    _ = try Runner.synthesizeData(to: data, training: 3, test: 2, side: 64, seed: 1, threads: 1, Transcript().surroundings(cache: bench.folder.path))
    let spec = try bench.spec(trials: "[{name: sound, model.architecture: unet}, {name: broken, model.architecture: unet, preprocess.tv_weight: 0.2}]")
    let image = "\(data)/images/\(try #require(try FileManager.default.contentsOfDirectory(atPath: "\(data)/images").sorted().first))"
    // Broken after the first trial has its patches, behind the back of the index: same size, same time of change.
    let transcript = Transcript { text in
      guard text.contains("sound: train epoch 1/3") else { return }
      var info = stat()
      stat(image, &info)
      if let file = FileHandle(forWritingAtPath: image) {
        try? file.seek(toOffset: 60)
        try? file.write(contentsOf: Data(repeating: 7, count: 200))
        try? file.close()
      }
      #if os(Linux)
        utimensat(AT_FDCWD, image, [info.st_atim, info.st_mtim], 0)
      #endif
    }
    let code = await bench.run(spec, transcript: transcript) { $0.overrides = ["data.source=folder", "data.root=\(data)", "data.selection=all"] }
    #expect(code == .someTrialsFailed)
    #expect(try bench.trials()["sound"]?.readRecord()?.failure == nil)
    #expect(try bench.trials()["broken"]?.readRecord()?.failure?.contains(image) == true)
    #expect(try bench.steadyFiles()["trials.csv"]!.contains("failed"))
  }

  @Test func reportsOfNothing() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.report(spec) == .inputOrOutputFailed)
    #expect(await bench.report(bench.folder.path) == .inputOrOutputFailed)
    #expect(!FileManager.default.fileExists(atPath: bench.results))
  }
}}
