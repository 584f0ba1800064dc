import Foundation

/// The first SIGINT or SIGTERM asks for a stop after the batch, with a checkpoint; a second one ends the process at once. SIGUSR1 asks for a
/// checkpoint of every training that runs, which then goes on.
enum Interrupts {
  // Written by a signal handler, where locks and Swift's atomics are not to be had; a word-sized store is all it does.
  nonisolated(unsafe) private static var received: sig_atomic_t = 0
  nonisolated(unsafe) private static var checkpoints: sig_atomic_t = 0

  /// - Parameter further: another signal that asks for a stop; it may be SIGUSR1.
  static func listen(alsoTo further: Int32? = nil) {
    received = 0
    let handler: @convention(c) (Int32) -> Void = { signal in
      if Interrupts.received != 0 { _exit(128 + signal) }
      Interrupts.received = sig_atomic_t(signal)
    }
    signal(SIGINT, handler)
    signal(SIGTERM, handler)
    signal(SIGUSR1) { _ in Interrupts.checkpoints &+= 1 }
    if let further { signal(further, handler) }
    // A pipe whose reader left must not kill a training of hours.
    signal(SIGPIPE, SIG_IGN)
  }

  /// As before `listen`.
  static func ignore() {
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    signal(SIGUSR1, SIG_DFL)
    received = 0
  }

  /// The signal that asked for a stop.
  static var signalReceived: Int32? { received == 0 ? nil : Int32(received) }
  /// How often a checkpoint was asked for.
  static var checkpointsAsked: Int { Int(checkpoints) }

  /// - Throws: `CancellationError` once a stop was asked for.
  static func check() throws { if signalReceived != nil { throw CancellationError() } }
}
