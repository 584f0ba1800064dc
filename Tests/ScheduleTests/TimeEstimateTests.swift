import ExperimentGraph
import Testing

@testable import Schedule

/// A sweep whose tasks take their true times on a simulated clock, watched by an estimate that knows only what was expected of them.
struct SimulatedSweep {
  struct Piece {
    var task: TimeEstimate.Task
    var trueSeconds: Double
    /// Done by an earlier run.
    var share = 0.0
  }
  var pieces: [Piece]
  var slots = 1
  /// The machine stops for `seconds` when the clock (without pauses) passes `at`.
  var pause: (at: Double, seconds: Double)?
  /// Relative noise of a step's time; always the same draws.
  var noise = 0.1
  var stepsATask = 40

  /// Seconds left by the estimate and in truth, without pauses that are to come, at each step.
  struct Moment {
    var left: Double?
    var truth, elapsed: Double
  }

  func run() -> (moments: [Moment], total: Double) {
    var estimate = TimeEstimate(pieces.map(\.task), slots: slots)
    var draws = SystemNoise()
    var waiting = pieces
    var running: [(piece: Piece, step: Int, next: Double)] = []
    var undone = Set(pieces.map(\.task.id))
    var (clock, paused, seen) = (0.0, 0.0, [(left: Double?, at: Double)]())
    func duration(_ piece: Piece) -> Double { piece.trueSeconds * (1 - piece.share) / Double(stepsATask) * (1 + noise * draws.next()) }
    while !undone.isEmpty {
      var place = 0
      while place < waiting.count, running.count < slots, !running.contains(where: { $0.piece.task.kind.isExclusive }) {
        let piece = waiting[place]
        if piece.task.inputs.contains(where: undone.contains) || (piece.task.kind.isExclusive && !running.isEmpty) {
          place += 1
          continue
        }
        waiting.remove(at: place)
        estimate.begin(piece.task.id, done: piece.share, at: clock + paused)
        running.append((piece, 0, clock + duration(piece)))
      }
      let next = running.indices.min { running[$0].next < running[$1].next }!
      if let pause, clock < pause.at, running[next].next >= pause.at { paused += pause.seconds }
      clock = running[next].next
      running[next].step += 1
      let (piece, step) = (running[next].piece, running[next].step)
      if step == stepsATask {
        estimate.end(piece.task.id, at: clock + paused)
        undone.remove(piece.task.id)
        running.remove(at: next)
      } else {
        estimate.progress(piece.task.id, done: piece.share + (1 - piece.share) * Double(step) / Double(stepsATask), at: clock + paused)
        running[next].next = clock + duration(piece)
      }
      seen.append((estimate.secondsLeft(), clock))
    }
    return (seen.map { Moment(left: $0.left, truth: clock - $0.at, elapsed: $0.at) }, clock)
  }
}

/// Draws in −1…1, the same in every test.
struct SystemNoise {
  private var state: UInt64 = 88_172_645_463_325_252
  mutating func next() -> Double {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Double(state % 2001) / 1000 - 1
  }
}

/// Trials as an executor would list their jobs; expected and true seconds of each.
private func trial(
  _ name: String, network: String, epochs: Double, fineTune: Double = 0, expected: Double, true truth: Double, patches: (Double, Double)? = nil, share: Double = 0
) -> [SimulatedSweep.Piece] {
  var pieces: [SimulatedSweep.Piece] = []
  func add(_ kind: JobKind, _ expected: Double, _ truth: Double, share: Double = 0) {
    let group = kind == .patches ? "" : network
    let inputs = pieces.last.map { [$0.task.id] } ?? []
    pieces.append(.init(task: .init(id: "\(kind) \(name)", kind: kind, group: group, seconds: expected, inputs: inputs), trueSeconds: truth, share: share))
  }
  if let patches { add(.patches, patches.0, patches.1) }
  add(.train, expected * epochs, truth * epochs, share: share)
  if fineTune > 0 { add(.fineTune, expected * fineTune, truth * fineTune) }
  add(.evaluate, expected * 0.05, truth * 0.08)
  add(.time, expected * 0.2, truth * 0.3)
  return pieces
}

// Expected by multiply–adds and memory traffic, against the medians of results/benchmarks on two cores (ms a patch in training).
private let unet = (expected: 27.3, true: 34.1), unetPP = (expected: 71.8, true: 83.2), unetPlusTC = (expected: 78.9, true: 91.3),
  unetPlusUS = (expected: 84.5, true: 90.4), small = (expected: 8.7, true: 10.1)

private func uniform(machine: Double = 1) -> [SimulatedSweep.Piece] {
  (1...9).flatMap { trial("seed \($0)", network: "unet", epochs: 20, expected: unet.expected, true: unet.true * machine, patches: $0 == 1 ? (60, 90) : nil) }
}

private func mixed(machine: Double = 1) -> [SimulatedSweep.Piece] {
  trial("U-Net", network: "unet", epochs: 20, expected: unet.expected, true: unet.true * machine, patches: (60, 90 * machine))
    + trial("U-Net++", network: "unet++", epochs: 20, fineTune: 5, expected: unetPP.expected, true: unetPP.true * machine)
    + trial("T.C.", network: "tc", epochs: 25, expected: unetPlusTC.expected, true: unetPlusTC.true * machine)
    + trial("U.S.", network: "us", epochs: 25, expected: unetPlusUS.expected, true: unetPlusUS.true * machine)
    + trial("small", network: "small", epochs: 100, expected: small.expected, true: small.true * machine)
    + trial("U-Net, seed 2", network: "unet", epochs: 20, expected: unet.expected, true: unet.true * machine, patches: (60, 90 * machine))
}

struct NamedSweep: CustomTestStringConvertible {
  var testDescription: String
  var sweep: SimulatedSweep
}

@Suite struct TimeEstimateTests {
  static let sweeps = [1, 2].flatMap { slots in
    [
      NamedSweep(testDescription: "uniform, \(slots) at once", sweep: SimulatedSweep(pieces: uniform(), slots: slots)),
      NamedSweep(testDescription: "a machine seven times as slow, \(slots) at once", sweep: SimulatedSweep(pieces: uniform(machine: 7), slots: slots)),
      NamedSweep(testDescription: "mixed, \(slots) at once", sweep: SimulatedSweep(pieces: mixed(), slots: slots)),
      NamedSweep(testDescription: "mixed, a fast machine, \(slots) at once", sweep: SimulatedSweep(pieces: mixed(machine: 0.2), slots: slots)),
      NamedSweep(testDescription: "mixed, smallest network first, \(slots) at once", sweep: SimulatedSweep(pieces: mixed().suffix(8) + mixed().dropLast(8), slots: slots)),
      NamedSweep(testDescription: "mixed, noisy, \(slots) at once", sweep: SimulatedSweep(pieces: mixed(), slots: slots, noise: 0.6)),
      NamedSweep(
        testDescription: "mixed with a pause of half its length, \(slots) at once",
        sweep: SimulatedSweep(pieces: mixed(), slots: slots, pause: (at: 1500, seconds: 5000))),
      NamedSweep(
        testDescription: "a pause in the first step but one, \(slots) at once",
        sweep: SimulatedSweep(pieces: uniform(), slots: slots, pause: (at: 4, seconds: 3000))),
      // Only scores and times are left of the first, the second goes on in the middle: what is done is no task, or a part of one.
      NamedSweep(
        testDescription: "partly cached, one resumed, \(slots) at once",
        sweep: SimulatedSweep(
          pieces: Array(trial("cached", network: "unet", epochs: 20, expected: unet.expected, true: unet.true).suffix(2))
            + trial("resumed", network: "unet++", epochs: 20, expected: unetPP.expected, true: unetPP.true, share: 0.6)
            + trial("whole", network: "tc", epochs: 20, expected: unetPlusTC.expected, true: unetPlusTC.true), slots: slots)),
    ]
  }

  @Test(arguments: sweeps) func withinAQuarterFromAFifthOn(_ named: NamedSweep) throws {
    let (moments, total) = named.sweep.run()
    for moment in moments where moment.elapsed >= total / 5 {
      let left = try #require(moment.left), truth = moment.truth
      // Of the last hundredth nobody asks how much of it is left.
      #expect(abs(left - truth) <= 0.25 * truth + 0.01 * total, "after \(moment.elapsed) of \(total) s: \(left), in truth \(truth)")
    }
  }

  @Test(arguments: sweeps) func neverJumps(_ named: NamedSweep) throws {
    let (moments, total) = named.sweep.run()
    var worst = 0.0
    for (before, after) in zip(moments, moments.dropFirst()) where before.elapsed >= total / 5 {
      worst = max(worst, abs(after.elapsed + after.left! - (before.elapsed + before.left!)))
    }
    #expect(worst < 0.08 * total, "the expected end moves by \(worst) of \(total) s in one step")
    // Over a tenth of the sweep the time left always falls.
    for (index, moment) in moments.enumerated() where moment.elapsed >= total / 5 {
      guard let later = moments[index...].first(where: { $0.elapsed >= moment.elapsed + total / 10 }) else { break }
      #expect(later.left! < moment.left!, "at \(moment.elapsed) of \(total) s")
    }
  }

  @Test func saysNothingBeforeAnythingWasMeasured() {
    var estimate = TimeEstimate([.init(id: "a", kind: .train, group: "", seconds: 10)])
    #expect(estimate.secondsLeft() == nil && estimate.secondsLeft(of: ["a"]) == nil)
    estimate.begin("a", at: 100)
    #expect(estimate.secondsLeft() == nil)
    estimate.progress("a", done: 0.5, at: 110)
    #expect(abs(estimate.secondsLeft()! - 10) < 0.1)
    estimate.progress("a", done: 0.4, at: 111)
    estimate.progress("unknown", done: 0.4, at: 111)
    #expect(abs(estimate.secondsLeft()! - 10) < 0.1)
    estimate.end("a", at: 120)
    #expect(estimate.secondsLeft() == 0)
  }

  @Test func aFailedTaskTakesItsTimeAway() {
    let tasks = ["a", "b"].map { TimeEstimate.Task(id: $0, kind: .train, group: "", seconds: 10) }
    var estimate = TimeEstimate(tasks)
    estimate.begin("a", at: 0)
    estimate.progress("a", done: 0.5, at: 5)
    #expect(abs(estimate.secondsLeft()! - 15) < 0.1 && abs(estimate.secondsLeft(of: ["b"])! - 10) < 0.1)
    estimate.end("a", failed: true, at: 6)
    #expect(abs(estimate.secondsLeft()! - 10) < 0.1)
  }

  @Test func exclusiveTasksWaitForTheOthers() {
    let tasks = [
      TimeEstimate.Task(id: "long", kind: .train, group: "", seconds: 10), .init(id: "short", kind: .train, group: "", seconds: 4),
      .init(id: "time", kind: .time, group: "", seconds: 3, inputs: ["short"]),
    ]
    var estimate = TimeEstimate(tasks, slots: 2)
    for id in ["long", "short"] { estimate.begin(id, at: 0) }
    for (id, done) in [("long", 0.1), ("short", 0.25)] { estimate.progress(id, done: done, at: 1) }
    #expect(abs(estimate.secondsLeft()! - 12) < 0.1)
  }
}
