import Dispatch
import Foundation

/// Reads items, works on them and consumes the results in order, on several threads, each of which does all
/// three.
///
/// An item stays in the caches of the processor that read it, and no more threads run than were asked for.
package enum OrderedPipeline {
  /// Reads the next item of a source; returns nil at its end.
  package typealias Next<Item> = () throws -> Item?

  /// Runs over the items of `sources` sources, one source after the other.
  ///
  /// Every thread reads an item, works on it, and then consumes all results that are next in order, its own
  /// or those of other threads. A thread that would have to wait for another one to read takes an item of a
  /// later source. So `open`, the function that it returns and `consume` are called on any thread, but each
  /// source and `consume` on one thread at a time. With one thread everything happens on the calling thread.
  ///
  /// `consume` is called in the order of the sources and of their items, so the output does not depend on the
  /// number of threads. The first error, in that order, ends the run, after the items before it have been
  /// consumed. A thread that waits in `open` or `next` at that moment (for a pipe, say) is abandoned.
  ///
  /// At most `2 × threads + 1` items of the current source are in memory, and `4 × threads` of later sources,
  /// of which as many are open. An item counts as `weight` items.
  package static func run<Item: Sendable, Result: Sendable>(
    threads: Int, sources: Int, open: @escaping @Sendable (Int) throws -> Next<Item>,
    weight: @escaping @Sendable (Item) -> Int = { _ in 1 },
    work: @escaping @Sendable (consuming Item) throws -> Result, consume: (Result) throws -> Void
  ) throws {
    if threads <= 1 {
      for source in 0..<sources {
        let next = try open(source)
        while let item = try next() {
          try Interruption.check()
          try consume(work(item))
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

  /// Runs over the items of one source.
  package static func run<Item: Sendable, Result: Sendable>(
    threads: Int, next: @escaping () throws -> Item?,
    work: @escaping @Sendable (consuming Item) throws -> Result, consume: (Result) throws -> Void
  ) throws {
    // Only one thread at a time calls it. After an error it may be waiting for a pipe, and its thread is
    // abandoned.
    nonisolated(unsafe) let next = next
    try run(threads: threads, sources: 1, open: { _ in next }, work: work, consume: consume)
  }
}

/// The state that the threads of a run share.
private final class Flow<Item: Sendable, Output: Sendable>: @unchecked Sendable {
  // Guarded by `condition`: all variables below it, except `next` of a source, which belongs to the thread
  // that has taken the source, and `consume`, which belongs to the thread that has set `isDelivering`.
  private let threads: Int
  private let sourceCount: Int
  private let open: @Sendable (Int) throws -> OrderedPipeline.Next<Item>
  private let weight: @Sendable (Item) -> Int
  private let work: @Sendable (consuming Item) throws -> Output
  private let end = DispatchSemaphore(value: 0)

  private let condition = NSCondition()
  private var consume: ((Output) throws -> Void)?
  /// The sources up to the last one that a thread has taken; nil once all items of a source are consumed.
  private var sources: [Source?] = []
  /// The source whose turn it is.
  private var current = 0
  private var isDelivering = false
  private var isClosed = false
  private var failure: (any Error)?
  /// The weight of all items of later sources that are in memory.
  private var weightAhead = 0
  private var sleepers = 0

  private final class Source {
    var next: OrderedPipeline.Next<Item>?
    /// A thread is opening or reading it.
    var isTaken = false
    var submitted = 0
    var consumed = 0
    /// The weight of its items in memory: those being worked on and the results not yet consumed.
    var weight = 0
    var results: [Int: (output: Result<Output, any Error>, weight: Int)] = [:]
    var isExhausted = false
    /// The error that ended the reading.
    var failure: (any Error)?
  }

  init(
    threads: Int, sources: Int, open: @escaping @Sendable (Int) throws -> OrderedPipeline.Next<Item>,
    weight: @escaping @Sendable (Item) -> Int, work: @escaping @Sendable (consuming Item) throws -> Output,
    consume: @escaping (Output) throws -> Void
  ) {
    (self.threads, sourceCount, self.open) = (threads, sources, open)
    (self.weight, self.work, self.consume) = (weight, work, consume)
    if sourceCount == 0 { close() }
  }

  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }

  // MARK: On the calling thread

  /// Waits until everything is consumed; throws the error that ended the run.
  func waitForEnd() throws {
    defer {
      // No thread calls `consume` after this.
      locked {
        close()
        while isDelivering { condition.wait() }
        consume = nil
      }
    }
    // A signal does not end the wait, so check for it every now and then.
    while end.wait(timeout: .now() + 0.1) == .timedOut { try Interruption.check() }
    if let failure = locked({ failure }) { throw failure }
  }

  private func close() {
    if !isClosed { end.signal() }
    isClosed = true
    condition.broadcast()
  }

  // MARK: On the threads of the pipeline

  func run() {
    while let (index, source) = takeSource() {
      do {
        if source.next == nil { source.next = try open(index) }
        guard let item = try source.next!() else {
          exhaust(source, nil)
          continue
        }
        let (number, weight) = submit(item, index, source)
        let output: Result<Output, any Error>
        // Consumed, so that the work can change the item in place.
        do { output = .success(try work(consume item)) } catch { output = .failure(error) }
        locked { source.results[number] = (output, weight) }
        deliver()
      } catch { exhaust(source, error) }
    }
  }

  /// Waits for a source that can be read, and takes the earliest; nil if the run is over.
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

  /// The limit for later sources leaves each thread one more item, which it may be about to read.
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

  private func submit(_ item: Item, _ index: Int, _ source: Source) -> (number: Int, weight: Int) {
    let weight = weight(item)
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

  /// Wakes the threads that wait for a source, because one may have become free.
  private func wake() { if sleepers > 0 { condition.broadcast() } }

  /// Consumes the results that are next in order, unless another thread is doing so: that one will find the
  /// new results.
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

  /// The next result in order; nil if it is not there yet or the run is over.
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
