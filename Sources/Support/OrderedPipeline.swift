import Foundation

/// Reads on one thread, works on many, delivers in order, with at most `2 × threads + 1` pieces in memory.
package enum OrderedPipeline {
  /// `next` and `consume` run on the calling thread, `work` on `threads` others (inline when there is one).
  ///
  /// The order of `consume` is the order of `next`, so the output does not depend on the thread count. The first
  /// error, in that order, ends the run; pieces before it have been consumed.
  package static func run<Piece: Sendable, Result: Sendable>(
    threads: Int, next: () throws -> Piece?, work: @escaping @Sendable (Piece) throws -> Result,
    consume: (Result) throws -> Void
  ) throws {
    if threads <= 1 {
      while let piece = try next() {
        try Interruption.check()
        try consume(work(piece))
      }
      return
    }
    let queue = OrderedQueue(threads: threads, work: work)
    defer { queue.close() }
    var submitted = 0
    var consumed = 0
    var readFailure: (any Error)?
    var isExhausted = false
    while true {
      while !isExhausted && submitted - consumed <= 2 * threads {
        do {
          try Interruption.check()
          guard let piece = try next() else {
            isExhausted = true
            break
          }
          submitted = queue.submit(piece) + 1
        } catch {
          // What was read before the failure is still delivered.
          readFailure = error
          isExhausted = true
        }
      }
      if consumed == submitted { break }
      try consume(queue.result(number: consumed).get())
      consumed += 1
    }
    if let readFailure { throw readFailure }
  }
}

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
    var waiting: [(Int, Piece)] = []
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
