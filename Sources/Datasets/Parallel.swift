import Dispatch
import Synchronization
import TensorCore

/// `body(0) … body(count − 1)` on up to `threads` threads, results in order.
///
/// Indices are handed out in ascending order and none after a failure, so the error thrown is that of the lowest failing index,
/// whatever the number of threads.
func parallelMap<Result: Sendable>(count: Int, threads: Int, _ body: @Sendable (Int) throws -> Result) throws -> [Result] {
  let state = Mutex(Progress<Result>(results: Array(repeating: nil, count: count)))
  DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { _ in
    takeProcessPriority()
    while true {
      let claimed: Int? = state.withLock {
        guard $0.failure == nil, $0.next < count else { return nil }
        $0.next += 1
        return $0.next - 1
      }
      guard let index = claimed else { return }
      do {
        let result = try body(index)
        state.withLock { $0.results[index] = result }
      } catch {
        state.withLock { if $0.failure.map({ index < $0.index }) ?? true { $0.failure = (index, error) } }
      }
    }
  }
  return try state.withLock {
    if let failure = $0.failure { throw failure.error }
    return $0.results.map { $0! }
  }
}

private struct Progress<Result: Sendable>: Sendable {
  var next = 0
  var results: [Result?]
  var failure: (index: Int, error: any Error)?
}
