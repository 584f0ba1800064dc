import Diagnostics
import Engine
import Foundation
import Synchronization
import Testing

@testable import Runner

/// Trials side by side, and one writer a folder.
extension Runs { @Suite struct SharingTests {
  /// Two networks, two seeds, one of the trainings shared with a fine-tuning.
  private static func spec(_ bench: Bench) throws -> String {
    try bench.spec(
      trials: """
        [{name: U-Net, model.architecture: unet}, {name: U-Net+, model.architecture: unet+},
         {name: tuned, model.architecture: unet, train.fine_tune: {epochs: 1, learning_rate: 1e-4}}]
        """, extra: "sweep.grid.seed: [1, 2]")
  }

  @Test func theSameBytesForAnyJobsAndThreads() async throws {
    let bench = try Bench(), spec = try Self.spec(bench)
    #expect(await bench.run(spec) { ($0.jobs, $0.threads) = (1, 1) } == .done)
    let expected = try bench.steadyFiles()
    for (jobs, threads) in [(1, 2), (2, 1), (3, 2)] {
      let out = "\(bench.folder.path)/\(jobs)x\(threads)", transcript = Transcript()
      #expect(await bench.run(spec, transcript: transcript, out: out) { ($0.jobs, $0.threads) = (jobs, threads) } == .done, "\(transcript.errors)")
      #expect(transcript.output.contains("(6/6 trials done"))
      try expectSame(bench.steadyFiles(out), expected)
    }
  }

  @Test func aSignalCheckpointsAllThatRun() async throws {
    defer { Interrupts.ignore() }
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let cut = "\(bench.folder.path)/cut", begun = Mutex(Set<String>())
    let transcript = Transcript { text in
      let isAllBegun = begun.withLock { begun in
        for name in ["U-Net", "U-Net+"] where text.contains("\(name): train epoch 1/3") { begun.insert(name) }
        return begun.count == 2
      }
      guard isAllBegun, Interrupts.signalReceived == nil else { return }
      kill(getpid(), SIGTERM)
      while Interrupts.signalReceived == nil { usleep(100) }
    }
    #expect(await bench.run(spec, transcript: transcript, out: cut) { ($0.jobs, $0.threads) = (2, 1) } == .terminated)
    for (name, folder) in try bench.trials(cut) {
      #expect(!folder.checkpoint.present.isEmpty || folder.trainedWeights() != nil, "\(name)")
    }
    #expect(await bench.run(spec, out: cut) { ($0.jobs, $0.threads) = (2, 1) } == .done)
    try expectSame(bench.steadyFiles(cut), bench.steadyFiles())
  }

  /// Three epochs, and one of fine-tuning behind the same three.
  @Test func theMachineIsSharedOutByWhatIsLeft() async throws {
    let bench = try Bench(), surroundings = Transcript().surroundings(cache: bench.folder.path)
    let spec = try bench.spec(
      trials: "[{name: plain, model.architecture: unet}, {name: tuned, model.architecture: unet, train.fine_tune: {epochs: 1, learning_rate: 1e-4}}]")
    var options = RunOptions()
    options.out = bench.results
    func works() throws -> [Double] {
      let session = try Session(try Runner.load([spec], options)[0], options, for: .plan, surroundings)
      return session.plan.workLeft(ofTrials: [0, 1])
    }
    let atFirst = try works(), epoch = atFirst[0] / 3
    #expect(epoch > 0 && atFirst[1] == epoch, "the training that both share counts once")
    #expect(await bench.run(spec) { $0.only = ["plain"] } == .done)
    #expect(try works() == [epoch, epoch], "what is trained counts as one, like the one left to tune")
  }

  @Test func aTrialThatCanNeverFitFailsWithItsReason() throws {
    let bench = try Bench(), transcript = Transcript(), surroundings = transcript.surroundings(cache: bench.folder.path)
    let spec = try bench.spec(trials: "[{name: small, model.architecture: unet}, {name: large, model.architecture: unet, model.base_filters: 16}]")
    var options = RunOptions()
    (options.out, options.jobs, options.threads) = (bench.results, 2, 1)
    var session = try Session(try Runner.load([spec], options)[0], options, for: .run, surroundings)
    let planned = [0, 1].map { session.plan.megabytesLeft(ofTrial: $0, threads: session.threads) }
    session.limits = ProcessLimits(cores: 2, megabytes: (planned[0] + planned[1]) / 2, memorySource: "in this test")
    #expect(Expectation.notes(session).contains { $0.hasPrefix("large would fail: its training is planned to take ") })
    let outcome = try LocalExecutor(session, options, surroundings.console).run()
    #expect(outcome.failures.map(\.trial) == ["large"] && outcome.failures[0].reason.hasSuffix("MB in this test"))
    #expect(try bench.trials()["large"]?.readRecord()?.failure == outcome.failures.first?.reason)
    #expect(try bench.trials()["small"]?.readRecord()?.failure == nil)
  }

  // MARK: One writer

  /// A process of the system's that holds the folder's lock, and says so as a run does.
  private static func holder(of folder: ResultsFolder) throws -> Process {
    try FileManager.default.createDirectory(atPath: folder.cache, withIntermediateDirectories: true)
    let process = Process(), output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let text = #"{\"process\":4711,\"host\":\"elsewhere\",\"since\":\"2026-01-01T00:00:00Z\",\"command\":\"runner run other.yaml\"}"#
    process.arguments = ["flock", "--no-fork", folder.lock, "sh", "-c", "echo \"\(text)\" > '\(folder.lock)'; echo held; exec sleep 1000"]
    process.standardOutput = output
    try process.run()
    #expect(output.fileHandleForReading.availableData == Data("held\n".utf8))
    return process
  }

  @Test func aSecondRunNamesTheHolderAndAKillLeavesNothing() async throws {
    let bench = try Bench(), spec = try bench.spec(), transcript = Transcript()
    let holder = try Self.holder(of: ResultsFolder(path: bench.results))
    defer { if holder.isRunning { kill(holder.processIdentifier, SIGKILL) } }
    #expect(await bench.run(spec, transcript: transcript) == .locked)
    #expect(transcript.errors.contains("process 4711 on elsewhere, since 2026-01-01T00:00:00Z: runner run other.yaml"))
    kill(holder.processIdentifier, SIGKILL)
    holder.waitUntilExit()
    #expect(await bench.run(spec) == .done)
  }

  @Test func aRunThatWaitsGoesOnWhenTheHolderIsKilled() async throws {
    let bench = try Bench(), spec = try bench.spec()
    let holder = try Self.holder(of: ResultsFolder(path: bench.results))
    let transcript = Transcript { text in
      if text.contains("waiting for it to end") { kill(holder.processIdentifier, SIGKILL) }
    }
    #expect(await bench.run(spec, transcript: transcript) { $0.wait = true } == .done)
    #expect(transcript.output.components(separatedBy: "waiting for it to end").count == 2, "said once")
    holder.waitUntilExit()
  }

  /// The other one may still be drawing the report's figures.
  @Test func aRunWithNothingToDoWaitsAllTheSame() async throws {
    let bench = try Bench(), spec = try bench.spec()
    #expect(await bench.run(spec) == .done)
    let holder = try Self.holder(of: ResultsFolder(path: bench.results))
    defer { if holder.isRunning { kill(holder.processIdentifier, SIGKILL) } }
    let transcript = Transcript { text in
      if text.contains("waiting for it to end") { kill(holder.processIdentifier, SIGKILL) }
    }
    #expect(await bench.run(spec, transcript: transcript) { $0.wait = true } == .done)
    #expect(transcript.output.contains("waiting for it to end") && transcript.output.contains("nothing to do"), "\(transcript.output)")
  }

  @Test func waitingCanBeInterrupted() async throws {
    defer { Interrupts.ignore() }
    let bench = try Bench(), spec = try bench.spec()
    let holder = try Self.holder(of: ResultsFolder(path: bench.results))
    defer { kill(holder.processIdentifier, SIGKILL) }
    let transcript = Transcript { text in
      if text.contains("waiting for it to end") { kill(getpid(), SIGINT) }
    }
    #expect(await bench.run(spec, transcript: transcript) { $0.wait = true } == .interrupted)
    #expect(try bench.trials().isEmpty)
  }
}}
