import Testing

/// One suite at a time: for suites that choose the instruction set of the whole process, and for those that compute with it.
///
/// Swift Testing runs suites of all targets beside each other in one process, and `ck_isa_select` must not be called while
/// kernels run.
public struct WholeProcessor: SuiteTrait, TestScoping {
  public var isRecursive: Bool { false }
  private static let turnstile = Turnstile()

  public func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
    await Self.turnstile.enter()
    do { try await function() } catch {
      await Self.turnstile.leave()
      throw error
    }
    await Self.turnstile.leave()
  }

  /// Lets one in and queues the rest in order.
  private actor Turnstile {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
      if !isTaken {
        isTaken = true
        return
      }
      await withCheckedContinuation { waiting.append($0) }
    }
    func leave() {
      if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
  }
}

extension Trait where Self == WholeProcessor {
  public static var wholeProcessor: Self { WholeProcessor() }
}
