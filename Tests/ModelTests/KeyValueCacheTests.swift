import Model
import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct KeyValueCacheTests {
  /// Caches that are smaller than a large page share pages: 256 of them take their own bytes, not 2 MiB each.
  @Test func cachesMadeTogetherTakeOnlyTheirOwnBytes() throws {
    var configuration = ModelConfiguration()
    (configuration.layers, configuration.dim, configuration.heads, configuration.context) = (2, 16, 2, 8)
    (configuration.vocabularySize, configuration.memory) = (50, nil)
    // Keys and values of 2 layers, 8 × 16 numbers of 4 bytes.
    let one = 2 * 2 * 8 * 16 * 4
    #expect(
      Transformer<CPUOperations<Float>>.cacheBytes(256, configuration, isBF16: false) == 256 * one)
    let device = try CPUOperations<Float>(pool: WorkerPool(threads: 1))
    let model = try Transformer(configuration, device: device, batch: (1, 8), training: false, seed: 1)
    let caches = try model.makeCaches(3)
    #expect(caches.count == 3 && caches.allSatisfy { $0.remainingCapacity == 8 })
    // Each has memory of its own: a prompt in one leaves the others as they were.
    func logits(_ cache: KeyValueCache<Float>, _ tokens: [Int32]) throws -> [Float] {
      tokens.withUnsafeBufferPointer { model.extend([cache], counts: [tokens.count], tokens: $0) }
      let (row, arena): (Matrix<Float>, Arena) = try ArenaPlan.build(on: device) {
        $0.matrix("logits", 1, 50)
      }
      return withExtendedLifetime(arena) {
        model.logits(rows: [tokens.count - 1], into: row)
        return device.download(row.elements)
      }
    }
    _ = try logits(caches[0], [1, 2, 3])
    _ = try logits(caches[1], [7, 8])
    _ = try logits(caches[2], [9, 9, 9, 9])
    let continued = try logits(caches[0], [4])
    let whole = try logits(model.makeCache(), [1, 2, 3, 4])
    #expect(continued.count == 50 && whole.count == 50)
    #expect(zip(continued, whole).allSatisfy { abs($0 - $1) < 1e-5 })
  }
}
