import Schedule
import Testing

@Suite struct AllotmentTests {
  static func workloads(_ works: [Double], serialShare: Double = 0.1, megabytes: Double = 100) -> [Workload] {
    works.map { Workload(work: $0, serialShare: serialShare, megabytes: { _ in megabytes }) }
  }

  @Test func whatIsAskedForIsTaken() {
    let capacity = Capacity(cores: 4, megabytes: 1000), four = Self.workloads([1, 1, 1, 1])
    let both = Allotment(of: capacity, to: four, jobs: 3, threads: 2)
    #expect(both.jobs == 3 && both.threads == 2 && both.reason.contains("more threads than cores"))
    let jobs = Allotment(of: capacity, to: four, jobs: 2, threads: nil)
    #expect(jobs.jobs == 2 && jobs.threads == 2)
    let threads = Allotment(of: capacity, to: four, jobs: nil, threads: 4)
    #expect(threads.jobs == 1 && threads.threads == 4)
    #expect(Allotment(of: capacity, to: four, jobs: 8, threads: nil).threads == 1)
  }

  @Test func manyTrialsThatScaleBadlyRunSideBySide() {
    let choice = Allotment(of: Capacity(cores: 4, megabytes: 1000), to: Self.workloads(Array(repeating: 1, count: 8)), jobs: nil, threads: nil)
    #expect(choice.jobs == 4 && choice.threads == 1)
    #expect(choice.reason.contains("done soonest: 2 × 2 would take about 10 % longer"))
  }

  @Test func oneTrialTakesAllCores() {
    let choice = Allotment(of: Capacity(cores: 4, megabytes: 1000), to: Self.workloads([1]), jobs: nil, threads: nil)
    #expect(choice.jobs == 1 && choice.threads == 4 && choice.reason == "on 4 cores")
  }

  /// Three equal trials on two cores: side by side, the third would run with one core idle.
  @Test func whatIdlesCostsToo() {
    let choice = Allotment(of: Capacity(cores: 2, megabytes: 1000), to: Self.workloads([1, 1, 1]), jobs: nil, threads: nil)
    #expect(choice.jobs == 1 && choice.threads == 2)
  }

  @Test func memoryLimitsWhatRunsSideBySide() {
    let choice = Allotment(of: Capacity(cores: 4, megabytes: 150), to: Self.workloads([1, 1, 1, 1]), jobs: nil, threads: nil)
    #expect(choice.jobs == 1 && choice.threads == 4)
  }

  @Test func whatScalesPerfectlyRunsOneAfterTheOther() {
    let choice = Allotment(of: Capacity(cores: 4, megabytes: 1000), to: Self.workloads([1, 1, 1, 1], serialShare: 0), jobs: nil, threads: nil)
    #expect(choice.jobs == 1)
  }

  @Test func whatSharesATrainingRunsOneAfterTheOther() {
    let one = (0..<4).map { _ in Workload(work: 1, serialShare: 0.3, group: "train-a", megabytes: { _ in 1 }) }
    let choice = Allotment(of: Capacity(cores: 2, megabytes: 1000), to: one, jobs: nil, threads: nil)
    #expect(choice.jobs == 1 && choice.threads == 2)
  }

  @Test func nothingToDoNeedsNoChoice() {
    let choice = Allotment(of: Capacity(cores: 4, megabytes: 0), to: [], jobs: nil, threads: nil)
    #expect(choice.jobs == 1 && choice.threads == 4)
  }
}

@Suite struct RosterTests {
  /// Starts all that may start.
  static func start(_ roster: inout Roster) -> [Roster.Assignment] {
    var started: [Roster.Assignment] = []
    while let next = roster.next() { started.append(next) }
    return started
  }

  static func entries(_ megabytes: [Double], groups: [String]? = nil) -> [Roster.Entry] {
    megabytes.enumerated().map { Roster.Entry(trial: $0, group: groups?[$0] ?? "\($0)", megabytes: $1) }
  }

  @Test func oneAfterTheOtherIsTimedInBetween() {
    var roster = Roster(Self.entries([1, 1]), jobs: 1, megabytes: 10), order: [Roster.Assignment] = []
    while !roster.isDone {
      let started = Self.start(&roster)
      #expect(started.count == 1)
      order += started
      roster.finish(started[0], succeeded: true)
    }
    #expect(order == [.scores(0), .times(0), .scores(1), .times(1)])
  }

  @Test func timesAreTakenAlone() {
    var roster = Roster(Self.entries([1, 1, 1]), jobs: 2, megabytes: 10)
    #expect(Self.start(&roster) == [.scores(0), .scores(1)])
    roster.finish(.scores(1), succeeded: true)
    #expect(Self.start(&roster) == [.scores(2)])
    roster.finish(.scores(0), succeeded: true)
    #expect(Self.start(&roster) == [])
    roster.finish(.scores(2), succeeded: true)
    for trial in [1, 0, 2] {
      #expect(Self.start(&roster) == [.times(trial)])
      roster.finish(.times(trial), succeeded: true)
    }
    #expect(roster.isDone)
  }

  @Test func memoryHoldsBackAndSmallerOnesPass() {
    var roster = Roster(Self.entries([6, 6, 3]), jobs: 3, megabytes: 10)
    #expect(Self.start(&roster) == [.scores(0), .scores(2)])
    roster.finish(.scores(2), succeeded: false)
    #expect(Self.start(&roster) == [])
    roster.finish(.scores(0), succeeded: false)
    #expect(Self.start(&roster) == [.scores(1)])
    roster.finish(.scores(1), succeeded: false)
    #expect(roster.isDone, "what failed is not timed")
  }

  @Test func trialsOfOneTrainingTakeTurnsInOrder() {
    var roster = Roster(Self.entries([1, 20, 1, 1], groups: ["a", "b", "b", "a"]), jobs: 4, megabytes: 20)
    // Trial 1 does not fit beside trial 0, and trial 2 must not pass it: it may need what trial 1 leaves.
    #expect(Self.start(&roster) == [.scores(0)])
    roster.finish(.scores(0), succeeded: false)
    #expect(Self.start(&roster) == [.scores(1)])
    roster.finish(.scores(1), succeeded: false)
    #expect(Self.start(&roster) == [.scores(2), .scores(3)])
  }
}
