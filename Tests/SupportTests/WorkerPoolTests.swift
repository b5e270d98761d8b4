import Support
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(60))) struct WorkerPoolTests {
  private struct Broken: Error, Equatable { let at: Int }

  @Test(arguments: [1, 2, 4]) func everyIndexOnce(threads: Int) {
    let pool = WorkerPool(threads: threads)
    defer { pool.close() }
    for count in [0, 1, 2, 1000] {
      for _ in 0..<20 {
        let seen = Mutex([Int](repeating: 0, count: count))
        let workers = Mutex(Set<Int>())
        pool.forEach(count) { index, worker in
          seen.withLock { $0[index] += 1 }
          _ = workers.withLock { $0.insert(worker) }
        }
        #expect(seen.withLock { $0.allSatisfy { $0 == 1 } })
        #expect(workers.withLock { $0.allSatisfy { (0..<threads).contains($0) } })
      }
    }
  }

  @Test func aLoopInALoopRuns() {
    let pool = WorkerPool(threads: 3)
    defer { pool.close() }
    let sum = Atomic<Int>(0)
    pool.forEach(10) { outer, _ in
      pool.forEach(10) { inner, _ in _ = sum.add(outer * 10 + inner, ordering: .relaxed) }
    }
    #expect(sum.load(ordering: .relaxed) == 4950)
  }

  @Test func theErrorOfTheSmallestIndexIsThrown() {
    let pool = WorkerPool(threads: 2)
    defer { pool.close() }
    #expect(throws: Broken(at: 3)) {
      try pool.forEachThrowing(50) { index, _ in if index >= 3 { throw Broken(at: index) } }
    }
  }

  @Test func aPoolMayBeDroppedAtAnyMoment() {
    for round in 0..<200 {
      let pool = WorkerPool(threads: 3)
      if round % 2 == 0 { pool.forEach(5) { _, _ in } }
    }
  }
}
