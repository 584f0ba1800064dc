import Diagnostics
import ExperimentGraph
import ExperimentSpec
import Foundation
import Testing

@testable import Runner

/// What a cluster is given, and what its tasks do, without a cluster: `Tests/Reliability/slurm.py` has a real one.
extension Runs { @Suite struct SlurmTests {
  private static let trials = """
    [{name: U-Net, model.architecture: unet}, {name: tuned, model.architecture: unet, train.fine_tune: {epochs: 1, learning_rate: 1e-4}},
     {name: U-Net+, model.architecture: unet+}]
    """

  private static func session(_ bench: Bench, _ spec: String) throws -> Session {
    var options = RunOptions()
    options.out = bench.results
    return try Session(try Runner.load([spec], options)[0], options, for: .run, Transcript().surroundings(cache: bench.folder.path))
  }

  @Test func theGraphGoesAsArraysWhoseTasksWaitForTheirOwn() throws {
    let bench = try Bench()
    let session = try Self.session(bench, try bench.spec(trials: Self.trials, extra: "slurm: {partition: short, time: 1:30:00, cpus: 2, options: [--account=lab]}"))
    let arrays = SlurmArray.all(of: session), byKind = Dictionary(uniqueKeysWithValues: arrays.map { ($0.kind, $0) })
    #expect(arrays.map(\.kind) == [.patches, .train, .fineTune, .evaluate, .time])
    #expect(byKind[.patches]?.jobs.count == 1, "all trials share their patches")
    // Every trial has its task in every later array, with a job or without.
    for kind in [JobKind.train, .fineTune, .evaluate, .time] { #expect(byKind[kind]!.jobs.keys.sorted() == [0, 1, 2]) }
    #expect(byKind[.train]!.jobs.filter { $0.value != nil }.keys.sorted() == [0, 2])
    #expect(byKind[.fineTune]!.jobs.filter { $0.value != nil }.keys.sorted() == [1])
    let arguments = byKind[.evaluate]!.arguments(
      session.experiment.slurm, name: "tiny", memory: "1G", logs: "/logs", submitted: [.patches: "1", .train: "2", .fineTune: "3"])
    for argument in [
      "--array=0,1,2", "--dependency=aftercorr:2,aftercorr:3", "--partition=short", "--time=1:30:00", "--cpus-per-task=2", "--mem=1G", "--account=lab",
      "--signal=B:USR1@120",
    ] { #expect(arguments.contains(argument), "\(argument)") }
    #expect(!arguments.contains("--exclusive"))
    let times = byKind[.time]!.arguments(session.experiment.slurm, name: "tiny", memory: "1G", logs: "/logs", submitted: [.evaluate: "4"])
    #expect(times.contains("--exclusive") && times.contains("--dependency=aftercorr:4"))
    let script = byKind[.fineTune]!.script(["/bin/run it", "run", "it's.yaml"])
    #expect(script.contains("\n1) job=fine-tune-") && script.contains("*) exit 0"))
    #expect(script.hasSuffix("exec '/bin/run it' 'run' 'it'\\''s.yaml' --only-job \"$job\"\n"))
  }

  @Test func tasksOneByOneLeaveWhatALocalRunLeaves() async throws {
    let bench = try Bench(), spec = try bench.spec(trials: Self.trials), here = "\(bench.folder.path)/here"
    #expect(await bench.run(spec, out: here) == .done)
    var options = RunOptions()
    (options.out, options.jobs, options.threads) = (bench.results, 1, 1)
    let asked = options, transcript = Transcript(), surroundings = transcript.surroundings(cache: bench.folder.path)
    for array in SlurmArray.all(of: try Self.session(bench, spec)) {
      for case (_, let job?) in array.jobs.sorted(by: { $0.key < $1.key }) {
        #expect(await Runner.exitCode(surroundings) { try await Runner.runJob(job, spec: spec, asked, surroundings) } == .done, "\(job): \(transcript.errors)")
      }
    }
    #expect(SlurmArray.all(of: try Self.session(bench, spec)).isEmpty)
    // The report alone is left.
    let report = Transcript()
    #expect(await bench.run(spec, transcript: report) == .done)
    #expect(!report.output.contains("train epoch"))
    try expectSame(bench.steadyFiles(), bench.steadyFiles(here))
  }

  @Test func aTaskOfAnotherGraphIsRefused() async throws {
    let bench = try Bench(), spec = try bench.spec(), transcript = Transcript(), surroundings = transcript.surroundings(cache: bench.folder.path)
    var options = RunOptions()
    options.out = bench.results
    let asked = options
    #expect(await Runner.exitCode(surroundings) { try await Runner.runJob("train-0123456789", spec: spec, asked, surroundings) } == .badCommandOrSpec)
    #expect(transcript.errors.contains("tiny has no job train-0123456789 here"))
  }
}}
