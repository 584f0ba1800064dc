import ExperimentGraph
import Foundation
import Testing

@testable import Runner

/// What a plan says is what the run then does: no more, no less, and the plan itself leaves no trace.
extension Runs { @Suite struct PlanExactnessTests {
  /// The part of `plan --format json` that is compared.
  private struct Planned: Decodable {
    struct Job: Decodable {
      struct Trial: Decodable, Hashable { var name: String; var seed: Int }
      var id, kind, fingerprint, state, reason: String
      var trials: [Trial]
    }
    var jobs: [Job]
    func ids(_ kinds: [JobKind], _ states: Set<String> = ["run", "resume"]) -> Set<String> {
      Set(jobs.filter { job in kinds.contains { $0.rawValue == job.kind } && states.contains(job.state) }.map(\.id))
    }
  }

  /// All that a run leaves behind, in so far as it tells which jobs were done.
  private struct Traces {
    var logs: [String: [LogLine]] = [:]
    var written: [String: Date] = [:]

    init(_ bench: Bench) throws {
      let folder = ResultsFolder(path: bench.results)
      for trial in try folder.allTrials() { logs[trial.fingerprint.description] = try trial.log.lines() }
      let patches = (try? FileManager.default.contentsOfDirectory(atPath: folder.cache)) ?? []
      for path in patches.map({ "\(folder.cache)/\($0)" }) + ["\(folder.path)/report.md"] {
        written[(path as NSString).lastPathComponent] = (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
      }
    }

    /// The jobs done since `before`, by the ids that the plan gives them.
    func jobs(since before: Traces, _ plan: Planned) -> Set<String> {
      var done: Set<String> = []
      // A fine-tuning's log repeats the epochs it goes on from.
      let known = Set(before.logs.values.joined().map { "\($0.event)" })
      for (folder, lines) in logs {
        guard let evaluation = plan.jobs.first(where: { $0.kind == "evaluate" && $0.fingerprint == folder }) else { continue }
        func add(_ kind: JobKind) {
          for job in plan.jobs where job.kind == kind.rawValue && !Set(job.trials).isDisjoint(with: evaluation.trials) { done.insert(job.id) }
        }
        for line in lines where !known.contains("\(line.event)") {
          switch line.event {
          case .epoch(let phase, _, _, _, _): add(phase == "fine-tune" ? .fineTune : .train)
          case .evaluated: add(.evaluate)
          case .timed: add(.time)
          default: break
          }
        }
      }
      for job in plan.jobs {
        let file = job.kind == "patches" ? "training-\(job.fingerprint).patches" : job.kind == "report" ? "report.md" : ""
        if written[file] != before.written[file] { done.insert(job.id) }
      }
      return done
    }
  }

  /// Every file below the bench's folder with its bytes and its times.
  private func everything(_ bench: Bench) throws -> [String: String] {
    var found: [String: String] = [:]
    let names = FileManager.default.enumerator(atPath: bench.folder.path)?.compactMap { $0 as? String } ?? []
    for name in names + ["."] {
      var info = stat()
      let path = "\(bench.folder.path)/\(name)"
      guard lstat(path, &info) == 0 else { continue }
      let bytes = info.st_mode & S_IFMT == S_IFREG ? try Data(contentsOf: URL(fileURLWithPath: path)).hashValue : 0
      found[name] = "\(bytes) \(info.st_size) \(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec) \(info.st_ctim.tv_sec).\(info.st_ctim.tv_nsec)"
    }
    return found
  }

  private func plan(_ bench: Bench, _ spec: String, _ change: @escaping (inout RunOptions) -> Void) async throws -> Planned {
    let before = try everything(bench), transcript = Transcript()
    _ = await bench.plan(spec, transcript: transcript, change)
    let after = try everything(bench)
    #expect(after == before, "a plan writes nothing: \(Set(before.keys).symmetricDifference(after.keys))")
    return try JSONDecoder().decode(Planned.self, from: Data(transcript.output.utf8))
  }

  /// One after the other, each on what the ones before it left: the spec's trials, further lines, and what is asked of the command.
  private static let unet = "{name: U-Net, model.architecture: unet}"
  private static let edits: [(name: String, trials: String, extra: String, options: @Sendable (inout RunOptions) -> Void)] = [
    ("everything is new", "[\(unet)]", "", { _ in }),
    ("a trial is added", "[\(unet), {name: U-Net+, model.architecture: unet+}]", "", { _ in }),
    ("λ of one trial", "[{name: U-Net, model.architecture: unet, model.l2: 1e-4}, {name: U-Net+, model.architecture: unet+}]", "", { _ in }),
    ("back again", "[\(unet), {name: U-Net+, model.architecture: unet+}]", "", { _ in }),
    ("another threshold", "[\(unet), {name: U-Net+, model.architecture: unet+}]", "evaluate.threshold: 0.4", { _ in }),
    ("timed more often", "[\(unet), {name: U-Net+, model.architecture: unet+}]", "evaluate.threshold: 0.4", { $0.overrides = ["evaluate.timing_passes=2"] }),
    ("only one of two", "[\(unet), {name: U-Net+, model.architecture: unet+}]", "evaluate.threshold: 0.3", { $0.only = ["U-Net+"] }),
    ("and then the other", "[\(unet), {name: U-Net+, model.architecture: unet+}]", "evaluate.threshold: 0.3", { _ in }),
    ("other patches", "[\(unet)]", "preprocess.tv_weight: 0.2", { _ in }),
    ("a new seed by --set", "[\(unet)]", "", { $0.overrides = ["seed=2"] }),
    ("a new name", "[{name: another, model.architecture: unet}]", "", { _ in }),
    ("fine-tuning after its training", "[\(unet), {name: tuned, model.architecture: unet, train.fine_tune.epochs: 1}]", "", { _ in }),
    ("longer fine-tuning", "[{name: tuned, model.architecture: unet, train.fine_tune.epochs: 2}]", "", { _ in }),
    ("validation images", "[\(unet)]", "evaluate.on: validation\npatches.split: image", { _ in }),
    ("test images again", "[\(unet)]", "patches.split: image", { _ in }),
    ("everything again", "[\(unet)]", "patches.split: image", { $0.fresh = true }),
  ]

  @Test func aPlanSaysExactlyWhatTheRunDoes() async throws {
    let bench = try Bench()
    for edit in Self.edits {
      // The template has an `evaluate` and a `patches.size` of its own; dotted keys go beside them.
      let spec = try bench.spec(trials: edit.trials, extra: edit.extra)
      let options: @Sendable (inout RunOptions) -> Void = {
        edit.options(&$0)
        $0.overrides.append("train.epochs=1")
      }
      let plan = try await plan(bench, spec, options)
      let before = try Traces(bench), transcript = Transcript()
      #expect(await bench.run(spec, transcript: transcript, options) == .done, "\(edit.name): \(transcript.errors)")
      let done = try Traces(bench).jobs(since: before, plan)
      let planned = plan.ids([.patches, .train, .fineTune, .evaluate, .time, .report])
      #expect(planned == done, "\(edit.name): planned and not done \(planned.subtracting(done)), done and not planned \(done.subtracting(planned))")
      // Preprocessing keeps nothing: it is done with the patches it goes into.
      #expect(plan.ids([.preprocess]).isEmpty == plan.ids([.patches]).isEmpty, "\(edit.name)")
      let again = try await self.plan(bench, spec) {
        options(&$0)
        $0.fresh = false
      }
      #expect(again.ids(JobKind.allCases).isEmpty, "\(edit.name): the run left something to do")
    }
  }
} }
