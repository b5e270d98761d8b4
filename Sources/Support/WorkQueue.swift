import Foundation

/// Runs the same work on many items, on threads of its own.
///
/// With one thread ``submit(_:)`` does the work itself before it returns.
package final class WorkQueue<Item: Sendable, Output: Sendable>: Sendable {
  /// The result of one item, which may not be there yet.
  package final class Pending: Sendable {
    private let result = Monitor<Result<Output, any Error>?>(nil)

    fileprivate func finish(_ result: Result<Output, any Error>) { self.result.update { $0 = result } }

    /// Waits until the work is done; throws what the work threw.
    package func get() throws -> Output { try result.wait { $0 }.get() }
  }

  private let threads: Int
  private let work: @Sendable (Item) throws -> Output
  private let items = BoundedQueue<(item: Item, pending: Pending)>()

  package init(threads: Int, work: @escaping @Sendable (Item) throws -> Output) {
    self.threads = threads
    self.work = work
    if threads <= 1 { return }
    // The threads hold the queue of items, not this object, so that dropping it ends them.
    for number in 0..<threads {
      Thread.start(named: "queue \(number)") { [items] in
        while let (item, pending) = items.next() { pending.finish(Result { try work(item) }) }
      }
    }
  }

  deinit { close() }

  package func submit(_ item: Item) -> Pending {
    let pending = Pending()
    if threads <= 1 {
      pending.finish(Result { try work(item) })
    } else {
      items.append((item, pending))
    }
    return pending
  }

  /// Ends the threads, as dropping the object does; items that no thread has begun are forgotten.
  package func close() { items.close() }
}
