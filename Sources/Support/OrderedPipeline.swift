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
    let queue = Queue(work: work)
    for _ in 0..<threads {
      let thread = Thread { queue.workUntilClosed() }
      thread.stackSize = 8 << 20
      thread.start()
    }
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
          queue.submit(piece, number: submitted)
          submitted += 1
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

  private final class Queue<Piece: Sendable, Output: Sendable>: @unchecked Sendable {
    // All state is guarded by `condition`.
    private let work: @Sendable (Piece) throws -> Output
    private let condition = NSCondition()
    private var waiting: [(Int, Piece)] = []
    private var results: [Int: Swift.Result<Output, any Error>] = [:]
    private var isClosed = false

    init(work: @escaping @Sendable (Piece) throws -> Output) { self.work = work }

    func submit(_ piece: Piece, number: Int) {
      condition.lock()
      waiting.append((number, piece))
      condition.broadcast()
      condition.unlock()
    }

    func result(number: Int) -> Swift.Result<Output, any Error> {
      condition.lock()
      defer { condition.unlock() }
      while true {
        if let result = results.removeValue(forKey: number) { return result }
        condition.wait()
      }
    }

    func close() {
      condition.lock()
      isClosed = true
      condition.broadcast()
      condition.unlock()
    }

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
}
