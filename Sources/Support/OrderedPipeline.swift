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
