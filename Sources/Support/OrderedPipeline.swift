import Dispatch
import Foundation

/// Reads, works and delivers in order, on a number of threads of which each takes a piece all the way.
///
/// A piece stays in the caches of the processor that read it, and no more threads run than asked for: whoever pins a command to
/// some cores can count on it.
package enum OrderedPipeline {
  /// What a source yields next; nil at its end.
  package typealias Next<Piece> = () throws -> Piece?

  /// Runs over the pieces of `sources` sources, one source after the other.
  ///
  /// Every thread reads a piece, works on it, and delivers what is due, its own result or others'; a thread that would wait for
  /// another that reads takes a piece of a later source. So `open`, what it returns and `consume` are called on any thread,
  /// each source and `consume` on one at a time. With one thread everything happens on the calling one.
  /// The order of `consume` is that of the sources and of their pieces, so the output does not depend on the thread
  /// count. The first error, in that order, ends the run; pieces before it have been consumed. A thread that waits
  /// in `open` or `next` at that moment (for a pipe, say) is left behind.
  ///
  /// In memory are at most `2 × threads + 1` pieces of the source whose turn it is and `4 × threads` of the next ones,
  /// of which as many are open; a piece counts as many times as `weight` says.
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
    try withoutActuallyEscaping(consume) { consume in
      let flow = Flow(
        threads: threads, sources: sources, open: open, weight: weight, work: work, consume: consume)
      for number in 0..<threads { Thread.start(named: "pipeline \(number)") { flow.run() } }
      try flow.waitForEnd()
    }
  }

  /// The same for one source.
  package static func run<Piece: Sendable, Result: Sendable>(
    threads: Int, next: @escaping () throws -> Piece?,
    work: @escaping @Sendable (consuming Piece) throws -> Result, consume: (Result) throws -> Void
  ) throws {
    // One thread at a time calls it. It has ended when all pieces are delivered; after an error it may wait for a pipe, and
    // nobody waits for it.
    nonisolated(unsafe) let next = next
    try run(threads: threads, sources: 1, open: { _ in next }, work: work, consume: consume)
  }
}

/// What the threads of a run share.
private final class Flow<Piece: Sendable, Output: Sendable>: @unchecked Sendable {
  // Everything below `condition` is guarded by it, but for `next` of a source, which belongs to the thread that has taken the
  // source, and `consume`, which belongs to the one that has set `isDelivering`.
  private let threads: Int
  private let sourceCount: Int
  private let open: @Sendable (Int) throws -> OrderedPipeline.Next<Piece>
  private let weight: @Sendable (Piece) -> Int
  private let job: @Sendable (consuming Piece) throws -> Output
  private let end = DispatchSemaphore(value: 0)

  private let condition = NSCondition()
  private var consume: ((Output) throws -> Void)?
  /// Opened or about to be; in the end all are nil again.
  private var sources: [Source?] = []
  /// The source whose turn it is.
  private var current = 0
  private var isDelivering = false
  private var isClosed = false
  private var failure: (any Error)?
  /// Weight of all pieces of sources after the current one.
  private var weightAhead = 0
  private var sleepers = 0

  private final class Source {
    var next: OrderedPipeline.Next<Piece>?
    /// A thread opens it or reads it.
    var isTaken = false
    var submitted = 0
    var consumed = 0
    /// Weight of what is in memory: being worked on, or done and not consumed.
    var weight = 0
    var results: [Int: (output: Result<Output, any Error>, weight: Int)] = [:]
    var isExhausted = false
    /// What ended the reading too early.
    var failure: (any Error)?
  }

  init(
    threads: Int, sources: Int, open: @escaping @Sendable (Int) throws -> OrderedPipeline.Next<Piece>,
    weight: @escaping @Sendable (Piece) -> Int, work: @escaping @Sendable (consuming Piece) throws -> Output,
    consume: @escaping (Output) throws -> Void
  ) {
    (self.threads, sourceCount, self.open) = (threads, sources, open)
    (self.weight, job, self.consume) = (weight, work, consume)
    if sourceCount == 0 { close() }
  }

  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }

  // The calling thread.

  /// Returns when everything is delivered, throws what ended the run before.
  func waitForEnd() throws {
    defer {
      // Nobody calls `consume` once this run is over.
      locked {
        close()
        while isDelivering { condition.wait() }
        consume = nil
      }
    }
    // A signal to the process wakes nobody who waits here, so look now and then.
    while end.wait(timeout: .now() + 0.1) == .timedOut { try Interruption.check() }
    if let failure = locked({ failure }) { throw failure }
  }

  private func close() {
    if !isClosed { end.signal() }
    isClosed = true
    condition.broadcast()
  }

  // The threads that work.

  func run() {
    while let (index, source) = takeSource() {
      do {
        if source.next == nil { source.next = try open(index) }
        guard let piece = try source.next!() else {
          exhaust(source, nil)
          continue
        }
        let (number, weight) = submit(piece, index, source)
        let output: Result<Output, any Error>
        // Given away, so that the work may change the piece in place.
        do { output = .success(try job(consume piece)) } catch { output = .failure(error) }
        locked { source.results[number] = (output, weight) }
        deliver()
      } catch { exhaust(source, error) }
    }
  }

  /// Waits for a source that can be read, the earliest; nil when the run is over.
  private func takeSource() -> (Int, Source)? {
    locked {
      while !isClosed {
        if let taken = freeSource() { return taken }
        sleepers += 1
        condition.wait()
        sleepers -= 1
      }
      return nil
    }
  }

  /// Of later sources each thread may read one piece more when the limit is nearly reached.
  private func freeSource() -> (Int, Source)? {
    for index in current..<max(current, min(sourceCount, current + 4 * threads + 1)) {
      if index > current && weightAhead >= 3 * threads { return nil }
      if index == sources.count { sources.append(Source()) }
      if let source = sources[index], !source.isTaken, !source.isExhausted,
        index > current || source.weight < 2 * threads + 1
      {
        source.isTaken = true
        return (index, source)
      }
    }
    return nil
  }

  private func submit(_ piece: Piece, _ index: Int, _ source: Source) -> (number: Int, weight: Int) {
    let weight = weight(piece)
    return locked {
      defer { source.submitted += 1 }
      source.weight += weight
      if index > current { weightAhead += weight }
      source.isTaken = false
      wake()
      return (source.submitted, weight)
    }
  }

  private func exhaust(_ source: Source, _ failure: (any Error)?) {
    locked {
      source.isExhausted = true
      source.next = nil
      source.failure = failure
      source.isTaken = false
      wake()
    }
    deliver()
  }

  /// A source may have become free.
  private func wake() { if sleepers > 0 { condition.broadcast() } }

  /// Consumes what is due, unless another thread is at it: it will find what has come meanwhile.
  private func deliver() {
    condition.lock()
    defer { condition.unlock() }
    if isDelivering { return }
    isDelivering = true
    while !isClosed, let (output, weight) = takeResult() {
      condition.unlock()
      let consumed = Result { try pass(output) }
      condition.lock()
      sources[current]!.weight -= weight
      if case .failure(let error) = consumed { end(with: error) }
      wake()
    }
    isDelivering = false
    if isClosed { condition.broadcast() }
  }

  @inline(never)
  private func pass(_ output: Result<Output, any Error>) throws { try consume!(output.get()) }

  /// The next result in order, nil where it has not come yet or the run is over.
  private func takeResult() -> (output: Result<Output, any Error>, weight: Int)? {
    while current < sources.count {
      let source = sources[current]!
      if let result = source.results.removeValue(forKey: source.consumed) {
        source.consumed += 1
        return result
      }
      guard source.isExhausted, source.consumed == source.submitted else { return nil }
      if let failure = source.failure {
        end(with: failure)
        return nil
      }
      sources[current] = nil
      current += 1
      if current < sources.count { weightAhead -= sources[current]!.weight }
      wake()
    }
    if current == sourceCount { close() }
    return nil
  }

  private func end(with error: any Error) {
    failure = error
    close()
  }
}
