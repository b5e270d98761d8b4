import DequeModule
import Foundation
import Support

/// Prepares the batches of a ``BatchLoader`` on its own thread, ahead of the consumer.
///
/// The batches and their order are those of the loader. Memory: ``ahead`` batches and the loader's cache.
/// Deallocating the prefetcher ends the thread.
package final class BatchPrefetcher {
  /// The number of batches prepared in advance. One would be enough if all batches took the same time to
  /// prepare.
  package static let ahead = 2

  /// The seconds that ``next()`` has spent waiting so far.
  package private(set) var waitSeconds = 0.0
  private let state: State

  /// The loader belongs to the thread from now on, because copies of a loader share its cache.
  package init(_ loader: sending BatchLoader) {
    let state = State(loader)
    self.state = state
    // The thread keeps only the shared state alive, so the prefetcher can be deallocated first.
    let thread = Thread { state.fill() }
    thread.stackSize = 1 << 20
    thread.start()
  }

  deinit { state.close() }

  /// The next batch. Throws the error of the loader in place of its batch, and again on every later call.
  package func next() throws -> TokenBatch {
    let began = Progress.now()
    defer { waitSeconds += Progress.now() - began }
    return try state.take()
  }

  private final class State: @unchecked Sendable {
    // `condition` guards all variables except `loader`, which belongs to the thread.
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
      // An error stays at the front: nothing follows it.
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
