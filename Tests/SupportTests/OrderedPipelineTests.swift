import Foundation
import Support
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(60))) struct OrderedPipelineTests {
  private struct Broken: Error, Equatable { let at: Int }

  /// Runs over 0..<count and returns what was consumed, and the error.
  private func run(
    threads: Int, count: Int, failNext: Int? = nil, failWork: Int? = nil, failConsume: Int? = nil
  ) -> (consumed: [Int], error: Broken?, inFlight: Int) {
    var next = 0
    var consumed: [Int] = []
    let alive = Atomic<Int>(0), most = Atomic<Int>(0)
    do {
      try OrderedPipeline.run(
        threads: threads,
        next: {
          if next == failNext { throw Broken(at: next) }
          guard next < count else { return nil }
          next += 1
          most.max(alive.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
          return next - 1
        },
        work: { (piece: Int) in
          // The first pieces take longest, so that order must be made.
          if piece % 7 == 0 { usleep(500) }
          if piece == failWork { throw Broken(at: piece) }
          return piece * 2
        },
        consume: { (piece: Int) in
          if piece == failConsume.map({ $0 * 2 }) { throw Broken(at: piece / 2) }
          alive.subtract(1, ordering: .relaxed)
          consumed.append(piece)
        })
    } catch { return (consumed, error as? Broken, most.load(ordering: .relaxed)) }
    return (consumed, nil, most.load(ordering: .relaxed))
  }

  @Test(arguments: [1, 2, 5]) func orderAndBound(threads: Int) {
    for count in [0, 1, 3, 200] {
      let found = run(threads: threads, count: count)
      #expect(found.consumed == (0..<count).map { $0 * 2 } && found.error == nil)
      #expect(found.inFlight <= 2 * threads + 1)
    }
  }

  @Test(arguments: [1, 3]) func errorsComeInOrder(threads: Int) {
    let before = (0..<20).map { $0 * 2 }
    for found in [
      run(threads: threads, count: 100, failNext: 20), run(threads: threads, count: 100, failWork: 20),
      run(threads: threads, count: 100, failConsume: 20),
    ] {
      #expect(found.consumed == before && found.error == Broken(at: 20))
    }
  }

  @Test(arguments: [1, 2, 5]) func sourcesAreDeliveredInOrder(threads: Int) throws {
    // Some sources are empty, some long.
    let sizes = [3, 0, 40, 1, 0, 7, 100, 2]
    var consumed: [Int] = []
    let alive = Atomic<Int>(0), most = Atomic<Int>(0)
    try OrderedPipeline.run(
      threads: threads, sources: sizes.count,
      open: { source in
        var next = 0
        return {
          guard next < sizes[source] else { return nil }
          next += 1
          most.max(alive.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
          return 1000 * source + next
        }
      },
      work: { (piece: consuming Int) in
        if piece % 5 == 0 { usleep(300) }
        return piece
      },
      consume: { (piece: Int) in
        alive.subtract(1, ordering: .relaxed)
        consumed.append(piece)
      })
    #expect(
      consumed == sizes.enumerated().flatMap { source, size in (0..<size).map { 1000 * source + $0 + 1 } })
    #expect(most.load(ordering: .relaxed) <= 2 * threads + 1 + 4 * threads)
  }

  /// While the first piece is worked on, no more of many small sources is read than the bound allows.
  @Test func smallSourcesDoNotPileUp() throws {
    let threads = 3
    let alive = Atomic<Int>(0), most = Atomic<Int>(0)
    var consumed = 0
    try OrderedPipeline.run(
      threads: threads, sources: 200,
      open: { source in
        var isRead = false
        return {
          if isRead { return nil }
          isRead = true
          most.max(alive.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
          return source
        }
      },
      work: { (source: consuming Int) in
        if source == 0 { usleep(50_000) }
        return source
      },
      consume: { (_: Int) in
        alive.subtract(1, ordering: .relaxed)
        consumed += 1
      })
    #expect(consumed == 200 && most.load(ordering: .relaxed) <= 4 * threads + 1)
  }

  /// No more pieces are worked on, and consumed, at a time than there are threads.
  @Test func noMoreThreadsRunThanAskedFor() throws {
    let busy = Atomic<Int>(0), most = Atomic<Int>(0)
    @Sendable func occupy() {
      most.max(busy.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
      usleep(200)
      busy.subtract(1, ordering: .relaxed)
    }
    var left = 100
    try OrderedPipeline.run(
      threads: 2,
      next: {
        occupy()
        left -= 1
        return left < 0 ? nil : left
      },
      work: { (piece: Int) in
        occupy()
        return piece
      }, consume: { (_: Int) in occupy() })
    #expect(most.load(ordering: .relaxed) == 2)
  }

  @Test(arguments: [1, 3]) func anErrorOfALaterSourceWaitsForItsTurn(threads: Int) {
    for failsInOpen in [true, false] {
      var consumed: [Int] = []
      let error = #expect(throws: Broken.self) {
        try OrderedPipeline.run(
          threads: threads, sources: 4,
          open: { source in
            if source == 2 && failsInOpen { throw Broken(at: 2) }
            var left = 20
            return {
              if source == 2 { throw Broken(at: 2) }
              left -= 1
              return left < 0 ? nil : source
            }
          },
          work: { (piece: consuming Int) in piece }, consume: { (piece: Int) in consumed.append(piece) })
      }
      #expect(
        error == Broken(at: 2) && consumed == [Int](repeating: 0, count: 20) + [Int](repeating: 1, count: 20))
    }
  }

  /// A reader that waits for a pipe does not keep a failed run from ending.
  @Test func aWaitingReaderIsLeftBehind() {
    for isOneOfMany in [true, false] {
      let isBroken = DispatchSemaphore(value: 0)
      var left = 1
      let next = {
        if left == 0 { isBroken.wait() }
        left -= 1
        return left < 0 ? nil : left
      }
      let error = #expect(throws: Broken.self) {
        if isOneOfMany {
          nonisolated(unsafe) let next = next
          try OrderedPipeline.run(
            threads: 2, sources: 1, open: { _ in next }, work: { (piece: consuming Int) in piece },
            consume: { (_: Int) in throw Broken(at: 0) })
        } else {
          try OrderedPipeline.run(
            threads: 2, next: next, work: { (piece: Int) in piece },
            consume: { (_: Int) in throw Broken(at: 0) })
        }
      }
      isBroken.signal()
      #expect(error == Broken(at: 0))
    }
  }
}
