import DequeModule
import Foundation
import Support

/// Makes the batches of a ``BatchLoader`` on a thread of its own, ahead of who takes them.
///
/// The batches and their order are the loader's. Memory: ``ahead`` batches and the loader's cache. Dropping the prefetcher
/// ends the thread.
package final class BatchPrefetcher {
  /// Batches that wait to be taken: one would do while all batches take the same time to make.
  package static let ahead = 2

  /// Seconds that ``next()`` has had to wait so far.
  package private(set) var waitSeconds = 0.0
  private let state: State

  /// The loader is the thread's from now on: its copies share a cache.
  package init(_ loader: sending BatchLoader) {
    let state = State(loader)
    self.state = state
    // The thread holds what it shares, not the prefetcher: that may go before the thread has noticed.
    let thread = Thread { state.fill() }
    thread.stackSize = 1 << 20
    thread.start()
  }

  deinit { state.close() }

  /// The next batch; throws what the loader threw in its place, and again whenever it is called after that.
  package func next() throws -> TokenBatch {
    let began = Progress.now()
    defer { waitSeconds += Progress.now() - began }
    return try state.take()
  }

  private final class State: @unchecked Sendable {
    // All variables but `loader`, which is the thread's, are guarded by `condition`.
    private let condition = NSCondition()
    private var loader: BatchLoader
    private var ready: Deque<Result<TokenBatch, any Error>> = []
    private var isClosed = false

    init(_ loader: sending BatchLoader) { self.loader = loader }

    func fill() {
      while true {
        let batch = Result { try make() }
        condition.lock()
        while ready.count == BatchPrefetcher.ahead && !isClosed { condition.wait() }
        let isLast = isClosed || (try? batch.get()) == nil
        ready.append(batch)
        condition.broadcast()
        condition.unlock()
        if isLast { return }
      }
    }

    private func make() throws -> TokenBatch {
      var inputs = [Int32](repeating: 0, count: loader.batch * loader.sequenceLength)
      var targets = inputs
      try inputs.withUnsafeMutableBufferPointer { inputs in
        try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
      }
      return TokenBatch(inputs: inputs, targets: targets, cursor: loader.cursor)
    }

    func take() throws -> TokenBatch {
      condition.lock()
      defer { condition.unlock() }
      while ready.isEmpty { condition.wait() }
      // An error stays: there is nothing behind it.
      let batch = try ready[0].get()
      ready.removeFirst()
      condition.broadcast()
      return batch
    }

    func close() {
      condition.lock()
      isClosed = true
      condition.broadcast()
      condition.unlock()
    }
  }
}
