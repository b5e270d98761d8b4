import Foundation
import Synchronization

/// Turns SIGINT, SIGTERM and SIGHUP into a flag that loops check between batches, so that a command ends by
/// unwinding: partial outputs are removed and the exit code is 130.
///
/// A second signal ends the process at once.
package enum Interruption {
  private static let raised = Atomic<Bool>(false)

  /// Installs the signal handlers; call it once, before any work.
  package static func install() {
    signal(SIGPIPE, SIG_IGN)
    // A file that would exceed the limit of the user (ulimit -f) is then an error of the write, which names the file.
    signal(SIGXFSZ, SIG_IGN)
    // Swift's runtime would print a backtrace, say that the program crashed, and go on.
    signal(SIGQUIT, SIG_DFL)
    // The parent process may have blocked them, and signal masks are inherited.
    var ours = sigset_t()
    sigemptyset(&ours)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&ours, number) }
    pthread_sigmask(SIG_UNBLOCK, &ours, nil)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      var action = sigaction()
      // Under nohup the end of the terminal is to be survived.
      if number == SIGHUP && isIgnored(number) { continue }
      action.__sigaction_handler.sa_handler = { _ in Interruption.raised.store(true, ordering: .relaxed) }
      // Without SA_RESTART, a read that waits for a pipe returns and can check the flag.
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      sigaction(number, &action, nil)
    }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1  // SIG_IGN
  }

  package static var isRaised: Bool { raised.load(ordering: .relaxed) }

  /// Whether the command answers signals by itself, however long that takes: it saves its state first.
  private static let isSaving = Atomic<Bool>(false)
  /// Whether threads of the command go on although its end has been decided.
  private static let abandoned = Atomic<Bool>(false)

  package static var hasAbandonedThreads: Bool { abandoned.load(ordering: .relaxed) }

  /// Lets the command end by itself after a signal, because it has a state to save.
  package static func waitForTheEnd() { isSaving.store(true, ordering: .relaxed) }

  /// Runs a command on a thread of its own, while this one, the main thread, waits for its end.
  ///
  /// After a signal the command has a quarter of a second to unwind; one that is inside a long call, which cannot look for
  /// signals, goes on until the process ends.
  package static func run(_ body: @escaping @Sendable () throws -> Void) throws {
    let end = DispatchSemaphore(value: 0)
    let result = WatchedResult()
    Thread.start(named: "command") {
      do { try body() } catch { result.failure.withLock { $0 = error } }
      end.signal()
    }
    var late = 0
    while end.wait(timeout: .now() + 0.05) == .timedOut {
      if MemoryExhaustion.isNoticed {
        abandoned.store(true, ordering: .relaxed)
        throw MemoryExhaustion.failure
      }
      if !isRaised || isSaving.load(ordering: .relaxed) { continue }
      late += 1
      if late > 5 {
        abandoned.store(true, ordering: .relaxed)
        try check()
      }
    }
    if let failure = result.failure.withLock({ $0 }) { throw failure }
  }

  package static func check() throws {
    if isRaised { throw Failure(.interrupted, "interrupted") }
  }
}

private final class WatchedResult: Sendable {
  let failure = Mutex<(any Error)?>(nil)
}
