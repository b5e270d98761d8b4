import CBytes
import CModelKernels
import Support

/// The most that the machine can do, all threads together, which benchmarks compare with.
///
/// Other users of a machine hide its ceilings at times, so they are measured before, between and after the
/// runs that are compared with them, and the best measurement counts.
package struct MachineCeilings: Sendable {
  /// Operations or bytes per second; 0 if they could not be measured.
  package struct Ceiling: Sendable {
    package private(set) var best = 0.0
    /// The lowest measurement.
    package private(set) var poorest = Double.infinity

    fileprivate mutating func add(_ rate: Double) { (best, poorest) = (max(best, rate), min(poorest, rate)) }
  }

  /// Multiply-adds in float32, and dot products in bfloat16 and of bytes.
  package private(set) var float32 = Ceiling(), bfloat16 = Ceiling(), bytes = Ceiling()
  /// Products of tiles of bfloat16 by AMX, with operands in registers and in the first-level cache.
  package private(set) var tiles = Ceiling(), cachedTiles = Ceiling()
  /// Bytes of memory read in order, and of random rows of 4 KiB.
  package private(set) var stream = Ceiling(), randomRows = Ceiling()
  package private(set) var measurements = 0

  package init() {}

  /// Operations per second of matmuls by the fastest unit that a precision could use, whichever one does.
  package func matmul(_ precision: EngineSettings.Precision) -> Double {
    precision == .bf16 ? max(float32.best, bfloat16.best, tiles.best) : float32.best
  }

  /// The same for the scores of product-key memories, which bytes estimate where the processor multiplies them.
  package var scores: Double { max(float32.best, bytes.best) }

  /// Measures once more, which takes about half a second.
  package mutating func measure(_ pool: WorkerPool) throws(Failure) {
    measurements += 1
    float32.add(Self.rate(pool) { pkm_ceiling_multiply_add(1 << 22, &$0) })
    bfloat16.add(Self.rate(pool) { pkm_ceiling_bf16(1 << 22, &$0) })
    bytes.add(Self.rate(pool) { pkm_ceiling_bytes(1 << 22, &$0) })
    tiles.add(Self.rate(pool) { pkm_ceiling_tiles(1 << 17, false, &$0) })
    cachedTiles.add(Self.rate(pool) { pkm_ceiling_tiles(1 << 17, true, &$0) })
    let words = 1 << 25, rowWords = 512
    let memory = try HostMemory.allocate(bytes: words * MemoryLayout<UInt64>.stride)
    let buffer = DeviceArray<UInt64>(memory.address, count: words).pointer
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
            // Prefetching a row while the one before is read gives the highest rate.
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
    // An odd multiplier visits every row once, in an order that no prefetcher predicts.
    stream.add(read { $0 })
    randomRows.add(read { ($0 &* 40503 &+ 12345) % rows })
    withExtendedLifetime(memory) {}
  }

  private static func rate(_ pool: WorkerPool, _ body: @escaping (inout Double) -> Double) -> Double {
    rate(pool, part: { body(&$1) })
  }

  /// The best rate of eight runs, in which every thread does its part.
  private static func rate(_ pool: WorkerPool, part body: (Int, inout Double) -> Double) -> Double {
    let work = UnsafeMutablePointer<Double>.allocate(capacity: 2 * pool.threads)
    defer { work.deallocate() }
    work.initialize(repeating: 0, count: 2 * pool.threads)
    var best = 0.0
    for _ in 0..<8 {
      let began = Progress.now()
      pool.forEach(pool.threads) { part, _ in work[part] = body(part, &work[pool.threads + part]) }
      let done = (0..<pool.threads).reduce(0) { $0 + work[$1] }
      best = max(best, done / (Progress.now() - began))
    }
    return best
  }
}
