import DequeModule
import Foundation

/// Pieces worked on by many threads, to be taken back in any order by their numbers.
///
/// With one thread the work is done on the spot.
package final class OrderedQueue<Piece: Sendable, Output: Sendable>: @unchecked Sendable {
  // All state is guarded by `state.condition`.
  private let state: State
  private let threads: Int

  private final class State: @unchecked Sendable {
    let work: @Sendable (Piece) throws -> Output
    let condition = NSCondition()
    var submitted = 0
    var waiting: Deque<(Int, Piece)> = []
    var results: [Int: Swift.Result<Output, any Error>] = [:]
    var isClosed = false

    init(work: @escaping @Sendable (Piece) throws -> Output) { self.work = work }

    func workUntilClosed() {
      while true {
        condition.lock()
        while waiting.isEmpty && !isClosed { condition.wait() }
        if isClosed {
          condition.unlock()
          return
        }
        let (number, piece) = waiting.removeFirst()
        condition.unlock()
        let result = Swift.Result { try work(piece) }
        condition.lock()
        results[number] = result
        condition.broadcast()
        condition.unlock()
      }
    }
  }

  package init(threads: Int, work: @escaping @Sendable (Piece) throws -> Output) {
    self.threads = threads
    let state = State(work: work)
    self.state = state
    if threads <= 1 { return }
    for _ in 0..<threads {
      // The threads hold what they share, not the queue: it may go before they have noticed.
      let thread = Thread { state.workUntilClosed() }
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  deinit { close() }

  /// Numbers count from 0.
  package func submit(_ piece: Piece) -> Int {
    state.condition.lock()
    defer { state.condition.unlock() }
    let number = state.submitted
    state.submitted += 1
    if threads <= 1 {
      state.results[number] = Swift.Result { try state.work(piece) }
    } else {
      state.waiting.append((number, piece))
      state.condition.broadcast()
    }
    return number
  }

  /// Waits for the result of a piece, which is handed out once.
  package func result(number: Int) -> Swift.Result<Output, any Error> {
    state.condition.lock()
    defer { state.condition.unlock() }
    while true {
      if let result = state.results.removeValue(forKey: number) { return result }
      state.condition.wait()
    }
  }

  /// Ends the threads, as does dropping the queue; what waits is forgotten.
  package func close() {
    state.condition.lock()
    state.isClosed = true
    state.condition.broadcast()
    state.condition.unlock()
  }
}
