import Foundation

/// Ends the process if an input takes too long: nothing else can stop an endless loop.
final class Watchdog: @unchecked Sendable {
  // Guarded by `condition`.
  private let condition = NSCondition()
  private var seed: UInt64 = 0
  private var started = Date()
  private var isStopped = false

  /// `limit` is in seconds.
  init(limit: Double) {
    let thread = Thread { [self] in
      condition.lock()
      while !isStopped {
        _ = condition.wait(until: Date(timeIntervalSinceNow: limit / 10))
        let isLate = Date().timeIntervalSince(started) > limit
        if isLate && !isStopped {
          fatalError("an input takes more than \(limit) s; again: PKM_FUZZ_SEED=\(seed) PKM_FUZZ_RUNS=1")
        }
      }
      condition.unlock()
    }
    thread.start()
  }

  func begin(_ seed: UInt64) { condition.withLock { (self.seed, started) = (seed, Date()) } }

  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
    }
  }
}
