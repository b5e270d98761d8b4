import Foundation
import Synchronization

/// A fixed set of threads for parallel loops whose iterations take at least some hundred microseconds.
///
/// The threads spin for a moment after each loop, because the next one usually follows at once, and then
/// sleep, so that they do not keep a shared machine busy.
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

  /// Ends the threads, as dropping the pool does. No loop may be running.
  package func close() { crew.close() }

  /// Calls `body(index, worker)` for each index of `0..<count`, on all threads, the calling one included.
  ///
  /// Threads take the indices in ascending order. `worker`, in `0..<threads`, is the number of the thread,
  /// which may select its scratch buffer.
  package func forEach(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
    crew.forEach(count, body)
  }

  /// The same with a body that may throw: after all calls have returned, throws the error of the smallest
  /// failing index.
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

/// The state that the threads of a pool share.
private final class Crew: @unchecked Sendable {
  // `body`, `count` and `loops` are guarded by `open` and `inside`: the calling thread writes them before it
  // sets `open` to the number of its loop. A worker adds itself to `inside` and then checks that the loop is
  // still open; the calling thread closes the loop and then waits until nobody is inside. All of these
  // accesses are sequentially consistent, so either the worker sees that the loop is closed, or the caller
  // sees the worker. A worker that wakes too late misses the loop.
  private let threads: Int
  private var body: ((_ index: Int, _ worker: Int) -> Void)?
  private var count = 0
  /// The next index that a thread takes.
  private let next = Atomic<Int>(0)
  private var loops = 0
  /// The number of the running loop; 0 between loops.
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
    // A loop inside a loop, or with a single iteration, runs on the calling thread.
    guard threads > 1, count > 1, !isBusy.exchange(true, ordering: .acquiring) else {
      for index in 0..<count { body(index, 0) }
      return
    }
    defer { isBusy.store(false, ordering: .releasing) }
    // This makes the closure escaping: the only allocation of a loop.
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

  /// Waits for an open loop or for the end: spins for some hundred microseconds and then sleeps.
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
