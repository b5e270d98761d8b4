import CKernels
import Support

/// What the machine can do at best, all threads together: the yardstick of the benchmark.
package struct MachineCeilings: Sendable {
  /// Multiply-adds in float32 and dot products in bfloat16, operations a second; 0 where they could not be measured.
  package let float32, bfloat16: Double
  /// Reading memory in order, and reading random rows of 4 KiB, bytes a second.
  package let stream, randomRows: Double

  /// Measures for about a second.
  package init(_ pool: WorkerPool) throws(Failure) {
    float32 = Self.rate(pool) { ceiling_multiply_add(1 << 22, &$0) }
    bfloat16 = Self.rate(pool) { ceiling_bfloat16(1 << 22, &$0) }
    let words = 1 << 26, rowWords = 512
    let (buffer, arena) = try ArenaPlan.build { $0.take(UInt64.self, words) }
    let parts = pool.threads, rows = words / rowWords
    pool.forEach(parts) { part, _ in
      for i in stride(from: words / parts * part, to: words / parts * (part + 1), by: 8) {
        buffer[i] = UInt64(i)
      }
    }
    func read(_ rowOf: @escaping (Int) -> Int) -> Double {
      Self.rate(
        pool,
        part: { part, sum in
          var total: UInt64 = 0
          for index in rows / parts * part..<rows / parts * (part + 1) {
            let row = buffer + rowOf(index) * rowWords
            // No more can be had than by fetching a row while the one before is read.
            let next = buffer + rowOf(min(index + 1, rows - 1)) * rowWords
            var lanes = SIMD8<UInt64>.zero
            UnsafeRawPointer(row).withMemoryRebound(to: SIMD8<UInt64>.self, capacity: rowWords / 8) {
              for word in 0..<rowWords / 8 {
                pkm_prefetch(next + 8 * word)
                lanes &+= $0[word]
              }
            }
            total &+= lanes.wrappedSum()
          }
          sum += Double(total & 1)
          return Double(rows / parts * rowWords * 8)
        })
    }
    // An odd multiplier visits every row once, in an order that no prefetcher guesses.
    (stream, randomRows) = (read { $0 }, read { ($0 &* 40503 &+ 12345) % rows })
    withExtendedLifetime(arena) {}
  }

  private static func rate(_ pool: WorkerPool, _ body: @escaping (inout Double) -> Double) -> Double {
    rate(pool, part: { body(&$1) })
  }

  /// The best of three, every thread doing its part.
  private static func rate(_ pool: WorkerPool, part body: (Int, inout Double) -> Double) -> Double {
    let work = UnsafeMutablePointer<Double>.allocate(capacity: 2 * pool.threads)
    defer { work.deallocate() }
    work.initialize(repeating: 0, count: 2 * pool.threads)
    var best = 0.0
    for _ in 0..<3 {
      let began = Progress.now()
      pool.forEach(pool.threads) { part, _ in work[part] = body(part, &work[pool.threads + part]) }
      let done = (0..<pool.threads).reduce(0) { $0 + work[$1] }
      best = max(best, done / (Progress.now() - began))
    }
    return best
  }
}
