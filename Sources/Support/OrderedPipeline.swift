import Dispatch
import Foundation

/// Reads ahead on some threads, works on others, delivers in order on the calling one, with a bounded number of pieces
/// in memory.
package enum OrderedPipeline {
  /// What a source yields next; nil at its end.
  package typealias Next<Piece> = () throws -> Piece?

  /// Pieces of sources that have not had their turn yet.
  private static let aheadLimit = 4

  /// Runs over the pieces of `sources` sources, one source after the other.
  ///
  /// `open` and what it returns run on threads of their own, several sources at a time; `work` on `threads` others;
  /// `consume` on this one. With one thread everything happens here, inline. The order of `consume` is that of the
  /// sources and of their pieces, so the output does not depend on the thread count. The first error, in that order,
  /// ends the run; pieces before it have been consumed. A thread that waits in `open` or `next` at that moment (for
  /// a pipe, say) is left behind.
  ///
  /// In memory are at most `2 × threads + 1` pieces of the source whose turn it is and 4 of each of the `threads` next
  /// ones; a piece counts as many times as `weight` says.
  package static func run<Piece: Sendable, Result: Sendable>(
    threads: Int, sources: Int, open: @escaping @Sendable (Int) throws -> Next<Piece>,
    weight: @escaping @Sendable (Piece) -> Int = { _ in 1 },
    work: @escaping @Sendable (consuming Piece) throws -> Result, consume: (Result) throws -> Void
  ) throws {
    if threads <= 1 {
      for source in 0..<sources {
        let next = try open(source)
        while let piece = try next() {
          try Interruption.check()
          try consume(work(piece))
        }
      }
      return
    }
    let flow = Flow(threads: threads, sources: sources, aheadLimit: aheadLimit, weight: weight, work: work)
    defer { flow.close() }
    for _ in 0..<min(threads, sources) { start { flow.read(open) } }
    for _ in 0..<threads { start { flow.work() } }
    try flow.deliver(to: consume)
  }

  /// The same for one source.
  package static func run<Piece: Sendable, Result: Sendable>(
    threads: Int, next: @escaping () throws -> Piece?,
    work: @escaping @Sendable (consuming Piece) throws -> Result, consume: (Result) throws -> Void
  ) throws {
    // One thread calls it. It has ended when all pieces are delivered; after an error it may wait for a pipe, and nobody
    // waits for it.
    nonisolated(unsafe) let next = next
    try run(threads: threads, sources: 1, open: { _ in next }, work: work, consume: consume)
  }

  private static func start(_ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.stackSize = 8 << 20
    thread.start()
  }
}

/// Where readers, workers and the consumer meet.
private final class Flow<Piece: Sendable, Output: Sendable>: @unchecked Sendable {
  // All variables are guarded by `condition`, for which only readers wait: for room. Each of the others wakes nobody but
  // whom it concerns.
  private let condition = NSCondition()
  /// Counts the pieces that wait for a worker.
  private let pieces = DispatchSemaphore(value: 0)
  /// Signaled when what the consumer waits for has come.
  private let arrival = DispatchSemaphore(value: 0)
  private let threads: Int
  private let aheadLimit: Int
  private let sourceCount: Int
  private let weight: @Sendable (Piece) -> Int
  private let job: @Sendable (consuming Piece) throws -> Output
  private var nextSource = 0
  /// The source that is being consumed.
  private var current = 0
  /// The number of its result that the consumer waits for.
  private var awaited: Int?
  private var open: [Int: Source] = [:]
  private var waiting: [(source: Int, number: Int, weight: Int, piece: Piece)] = []
  private var isClosed = false

  private struct Source {
    var submitted = 0
    /// Weight of what is in memory: waiting, being worked on, or done and not consumed.
    var weight = 0
    var results: [Int: (output: Result<Output, any Error>, weight: Int)] = [:]
    var isExhausted = false
    /// What ended the reading too early.
    var failure: (any Error)?
  }

  init(
    threads: Int, sources: Int, aheadLimit: Int, weight: @escaping @Sendable (Piece) -> Int,
    work: @escaping @Sendable (consuming Piece) throws -> Output
  ) {
    (self.threads, sourceCount, self.aheadLimit) = (threads, sources, aheadLimit)
    (self.weight, job) = (weight, work)
  }

  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }

  func close() {
    locked {
      isClosed = true
      condition.broadcast()
    }
    for _ in 0..<threads { pieces.signal() }
  }

  /// A reader's life: source after source, until none is left.
  func read(_ open: (Int) throws -> OrderedPipeline.Next<Piece>) {
    while let source = takeSource() {
      var failure: (any Error)?
      do {
        let next = try open(source)
        while waitForRoom(source) {
          guard let piece = try next() else { break }
          submit(piece, of: source)
        }
      } catch { failure = error }
      locked {
        self.open[source]!.isExhausted = true
        self.open[source]!.failure = failure
        announce(nil, of: source)
      }
    }
  }

  private func takeSource() -> Int? {
    locked {
      guard !isClosed, nextSource < sourceCount else { return nil }
      defer { nextSource += 1 }
      open[nextSource] = Source()
      return nextSource
    }
  }

  /// Waits until another piece of the source may be read; false when nobody wants it anymore.
  private func waitForRoom(_ source: Int) -> Bool {
    locked {
      while !isClosed {
        if open[source]!.weight < (source == current ? 2 * threads + 1 : aheadLimit) { return true }
        condition.wait()
      }
      return false
    }
  }

  private func submit(_ piece: Piece, of source: Int) {
    let weight = weight(piece)
    locked {
      let number = open[source]!.submitted
      open[source]!.submitted += 1
      open[source]!.weight += weight
      // The nearest to delivery goes first.
      let place = waiting.firstIndex { ($0.source, $0.number) > (source, number) } ?? waiting.count
      waiting.insert((source, number, weight, piece), at: place)
    }
    pieces.signal()
  }

  /// A worker's life.
  func work() {
    while let (source, number, weight, piece) = takePiece() {
      let output = Result { try job(piece) }
      locked {
        open[source]?.results[number] = (output, weight)
        announce(number, of: source)
      }
    }
  }

  private func takePiece() -> (source: Int, number: Int, weight: Int, piece: Piece)? {
    pieces.wait()
    return locked { isClosed ? nil : waiting.removeFirst() }
  }

  /// Wakes the consumer if it waits for this result or, with nil, may be waiting for the end of the source.
  private func announce(_ number: Int?, of source: Int) {
    guard source == current, let awaited, number == nil || number == awaited else { return }
    self.awaited = nil
    arrival.signal()
  }

  func deliver(to consume: (Output) throws -> Void) throws {
    for source in 0..<sourceCount {
      locked {
        current = source
        condition.broadcast()
      }
      var number = 0
      while let (output, weight) = try result(number, of: source) {
        try consume(output.get())
        locked {
          open[source]!.weight -= weight
          condition.broadcast()
        }
        number += 1
      }
    }
  }

  /// nil after the last of the source; throws what its reading threw.
  private func result(_ number: Int, of source: Int) throws -> (Result<Output, any Error>, weight: Int)? {
    while true {
      try Interruption.check()
      let (found, isEnd): ((Result<Output, any Error>, weight: Int)?, Bool) = try locked {
        if let (output, weight) = open[source]?.results.removeValue(forKey: number) {
          return ((output, weight), false)
        }
        if let state = open[source], state.isExhausted, state.submitted == number {
          open[source] = nil
          if let failure = state.failure { throw failure }
          return (nil, true)
        }
        awaited = number
        return (nil, false)
      }
      if isEnd || found != nil { return found }
      // A signal to the process wakes nobody who waits here, so look now and then.
      _ = arrival.wait(timeout: .now() + 0.1)
    }
  }
}
