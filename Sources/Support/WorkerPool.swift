import Foundation
import Synchronization

/// A fixed set of threads for loops of at least some hundred microseconds a piece.
///
/// The threads spin for a moment after each loop, because the next one usually follows at once, and then sleep:
/// a machine shared with others is not kept busy by waiting.
package final class WorkerPool: Sendable {
  package let threads: Int
  private let crew: Crew

  package init(threads: Int) {
    precondition(threads >= 1)
    self.threads = threads
    let crew = Crew(threads: threads)
    self.crew = crew
    for worker in 1..<max(threads, 1) {
      // The threads hold the crew, not the pool, so that dropping the pool ends them.
      Thread.start(named: "worker \(worker)") { crew.work(as: worker) }
    }
  }

  deinit { close() }

  /// Ends the threads, as does dropping the pool.
  ///
  /// No loop may be running.
  package func close() { crew.close() }

  /// Calls `body(index, worker)` for each index of `0..<count`, on all threads, the calling one included.
  ///
  /// Indices are taken in ascending order; `worker` is in `0..<threads` and names the thread, for scratch
  /// space of its own.
  package func forEach(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
    crew.forEach(count, body)
  }

  /// The same with a body that may throw: the error of the smallest failing index is thrown after all have ended.
  package func forEachThrowing(_ count: Int, _ body: (_ index: Int, _ worker: Int) throws -> Void) throws {
    let first = Mutex<(index: Int, error: any Error)?>(nil)
    forEach(count) { index, worker in
      do { try body(index, worker) } catch {
        first.withLock { if index < $0?.index ?? .max { $0 = (index, error) } }
      }
    }
    if let failure = first.withLock({ $0 }) { throw failure.error }
  }
}

/// What the threads of a pool share.
private final class Crew: @unchecked Sendable {
  // `body`, `count` and `next` are written by the calling thread before `open` names its loop. A worker counts itself into
  // `inside` and then looks again whether the loop is still open; the calling thread closes it and then waits until
  // nobody is inside. All of these are sequentially consistent, so either the worker sees the loop closed or the caller
  // sees the worker. Who wakes too late has missed the loop, and nobody waits for it.
  private let threads: Int
  private var body: ((_ index: Int, _ worker: Int) -> Void)?
  private var count = 0
  /// The next index to take.
  private let next = Atomic<Int>(0)
  private var loops = 0
  /// The number of the loop that runs; 0 between loops.
  private let open = Atomic<Int>(0)
  private let inside = Atomic<Int>(0)
  private let asleep = Atomic<Int>(0)
  private let isClosing = Atomic<Bool>(false)
  private let isBusy = Atomic<Bool>(false)
  private let sleepers = NSCondition()

  init(threads: Int) { self.threads = threads }

  func close() {
    isClosing.store(true, ordering: .sequentiallyConsistent)
    wake()
  }

  private func wake() {
    sleepers.lock()
    sleepers.broadcast()
    sleepers.unlock()
  }

  func forEach(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
    // A loop inside a loop, or one too small to share, runs where it stands.
    guard threads > 1, count > 1, !isBusy.exchange(true, ordering: .acquiring) else {
      for index in 0..<count { body(index, 0) }
      return
    }
    defer { isBusy.store(false, ordering: .releasing) }
    // The one small object that a loop allocates: the closure as other threads may hold it.
    withoutActuallyEscaping(body) { body in
      (self.body, self.count) = (body, count)
      next.store(0, ordering: .relaxed)
      loops += 1
      open.store(loops, ordering: .sequentiallyConsistent)
      if asleep.load(ordering: .sequentiallyConsistent) > 0 { wake() }
      takePart(as: 0)
      open.store(0, ordering: .sequentiallyConsistent)
      var spins = 0
      while inside.load(ordering: .sequentiallyConsistent) > 0 {
        spins += 1
        if spins > 2000 { sched_yield() } else { pause() }
      }
      self.body = nil
    }
  }

  @inline(never) private func takePart(as worker: Int) {
    let body = body!, count = count
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      if index >= count { return }
      body(index, worker)
    }
  }

  @inline(__always) private func pause() { for _ in 0..<16 { _ = open.load(ordering: .relaxed) } }

  func work(as worker: Int) {
    var seen = 0
    while true {
      let loop = nextLoop(after: seen)
      if isClosing.load(ordering: .relaxed) { return }
      inside.add(1, ordering: .sequentiallyConsistent)
      if open.load(ordering: .sequentiallyConsistent) == loop { takePart(as: worker) }
      inside.subtract(1, ordering: .sequentiallyConsistent)
      seen = loop
    }
  }

  /// Waits for a loop that is open, or for the end: awake for some hundred microseconds, then asleep.
  private func nextLoop(after seen: Int) -> Int {
    func found() -> Int? {
      let loop = open.load(ordering: .sequentiallyConsistent)
      return loop != 0 && loop != seen || isClosing.load(ordering: .relaxed) ? loop : nil
    }
    for _ in 0..<20_000 {
      if let loop = found() { return loop }
      pause()
    }
    asleep.add(1, ordering: .sequentiallyConsistent)
    defer { asleep.subtract(1, ordering: .sequentiallyConsistent) }
    sleepers.lock()
    defer { sleepers.unlock() }
    while true {
      if let loop = found() { return loop }
      sleepers.wait()
    }
  }
}
