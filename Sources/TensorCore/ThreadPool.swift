import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Gives the calling thread the priority that the process was started with, as by `nice`; threads that it starts take it over.
///
/// On Linux each thread has a priority of its own, and libdispatch, which also runs Swift's tasks, sets that of its threads by their quality of
/// service: `nice runner …` would compute at the ordinary one.
public func takeProcessPriority() {
  #if os(Linux)
    let process: Int32 = 0  // PRIO_PROCESS, whose type differs between C libraries
    setpriority(process, 0, getpriority(process, id_t(getpid())))
  #endif
}

/// A fixed team of threads that share the tasks of one piece of work at a time.
///
/// Which thread runs a task is left to chance; what a task computes must not depend on it. The calling thread is
/// number 0 and works too, so a pool of one thread starts none.
public final class ThreadPool: @unchecked Sendable {
  public let threads: Int

  private let around: @Sendable (_ work: () -> Void) -> Void
  private typealias Body = (_ task: Int, _ thread: Int) -> Void
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var handles: [pthread_t] = []
  private let generation = Atomic<Int>(0)
  private let nextTask = Atomic<Int>(0)
  private let working = Atomic<Int>(0)
  private let sleeping = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  // Written by `run` before the generation is raised, read by workers after they see it raised.
  private var body: Body?
  private var taskCount = 0

  /// Polls before a worker sleeps: about 50 µs, longer than the gap between two layers, far shorter than reading data.
  private static let spins = 20_000

  /// - Parameters:
  ///   - threads: at least 1. Where the system refuses some, those there are share their tasks: that is slower, and the same.
  ///   - around: has every task within it, on every thread alike; the calling thread goes on as it was (flush denormals, for instance).
  public init(threads: Int, around: @escaping @Sendable (_ work: () -> Void) -> Void = { $0() }) {
    precondition(threads >= 1, "a pool needs a thread, not \(threads)")
    (self.threads, self.around) = (threads, around)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
    for index in 1..<max(threads, 1) {
      let start = WorkerStart(pool: self, index: index)
      #if canImport(Darwin)
        var handle: pthread_t? = nil
      #else
        var handle = pthread_t()
      #endif
      let made = pthread_create(&handle, nil, { raw in
        #if canImport(Darwin)
          let start = Unmanaged<WorkerStart>.fromOpaque(raw).takeRetainedValue()
        #else
          let start = Unmanaged<WorkerStart>.fromOpaque(raw!).takeRetainedValue()
        #endif
        start.pool.around { start.pool.work(start.index) }
        return nil
      }, Unmanaged.passRetained(start).toOpaque())
      guard made == 0 else {
        Unmanaged<WorkerStart>.passUnretained(start).release()
        break
      }
      #if canImport(Darwin)
        handles.append(handle!)
      #else
        handles.append(handle)
      #endif
    }
  }

  /// Ends the threads. A pool that is dropped without it leaves its threads asleep until the process ends.
  public func shutDown() {
    guard !stopping.exchange(true, ordering: .sequentiallyConsistent) else { return }
    pthread_mutex_lock(mutex)
    generation.add(1, ordering: .sequentiallyConsistent)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    for handle in handles { pthread_join(handle, nil) }
    handles = []
  }

  /// Runs `body(task, thread)` for every task in 0 ..< tasks and returns when all are done. Not from within a task, nor from two threads at once.
  public func run(tasks: Int, _ body: (_ task: Int, _ thread: Int) -> Void) {
    if handles.isEmpty || tasks <= 1 {
      around { for task in 0..<tasks { body(task, 0) } }
      return
    }
    withoutActuallyEscaping(body) { escaping in
      self.body = escaping
      taskCount = tasks
      nextTask.store(0, ordering: .relaxed)
      working.store(handles.count, ordering: .relaxed)
      generation.add(1, ordering: .sequentiallyConsistent)
      if sleeping.load(ordering: .sequentiallyConsistent) > 0 {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
      }
      around { share(thread: 0) }
      var polls = 0
      while working.load(ordering: .acquiring) > 0 {
        polls += 1
        if polls > Self.spins { sched_yield() }
      }
      self.body = nil
    }
  }

  private func share(thread: Int) {
    let body = self.body!, count = taskCount
    while true {
      let task = nextTask.add(1, ordering: .relaxed).oldValue
      if task >= count { return }
      body(task, thread)
    }
  }

  private func work(_ index: Int) {
    var seen = 0
    while true {
      var polls = 0
      while generation.load(ordering: .acquiring) == seen {
        polls += 1
        if polls > Self.spins {
          pthread_mutex_lock(mutex)
          sleeping.add(1, ordering: .sequentiallyConsistent)
          while generation.load(ordering: .sequentiallyConsistent) == seen { pthread_cond_wait(wake, mutex) }
          sleeping.subtract(1, ordering: .sequentiallyConsistent)
          pthread_mutex_unlock(mutex)
        }
      }
      seen += 1
      if stopping.load(ordering: .acquiring) { return }
      share(thread: index)
      working.subtract(1, ordering: .acquiringAndReleasing)
    }
  }
}

private final class WorkerStart {
  let pool: ThreadPool
  let index: Int
  init(pool: ThreadPool, index: Int) { (self.pool, self.index) = (pool, index) }
}
