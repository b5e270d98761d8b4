import Foundation
import Support

/// Prepares the batches of a ``BatchLoader`` on its own thread, ahead of the consumer.
///
/// The batches and their order are those of the loader. Memory: ``ahead`` batches, one more that
/// waits to join them, and the loader's cache. Deallocating the prefetcher ends the thread.
package final class BatchPrefetcher {
  /// The number of batches prepared in advance. One would be enough if all batches took the same time to
  /// prepare.
  package static let ahead = 2

  /// The seconds that ``next()`` has spent waiting so far.
  package private(set) var waitSeconds = 0.0
  private let batches: BoundedQueue<Result<TokenBatch, any Error>>
  /// What the loader threw: no batch follows it.
  private var failure: (any Error)?

  /// The loader belongs to the thread from now on, because copies of a loader share its cache.
  package init(_ loader: sending BatchLoader) {
    let batches = BoundedQueue<Result<TokenBatch, any Error>>(capacity: Self.ahead)
    self.batches = batches
    // The loader belongs to the thread, which is the only one to touch it.
    nonisolated(unsafe) var loader = loader
    // The thread holds the queue, not the prefetcher, so that dropping the prefetcher ends it.
    Thread.start(named: "prefetcher") {
      while true {
        let batch = Result { try Self.next(of: &loader) }
        guard batches.append(batch), case .success = batch else { return }
      }
    }
  }

  deinit { batches.close() }

  /// The next batch. Throws the error of the loader in place of its batch, and again on every later call.
  package func next() throws -> TokenBatch {
    if let failure { throw failure }
    let began = Progress.now()
    defer { waitSeconds += Progress.now() - began }
    do { return try batches.next()!.get() } catch {
      failure = error
      throw error
    }
  }

  private static func next(of loader: inout BatchLoader) throws -> TokenBatch {
    var inputs = [Int32](repeating: 0, count: loader.batch * loader.sequenceLength)
    var targets = inputs
    try inputs.withUnsafeMutableBufferPointer { inputs in
      try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
    }
    return TokenBatch(inputs: inputs, targets: targets, cursor: loader.cursor)
  }
}
