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
    func logits(_ cache: KeyValueCache<Float>, _ tokens: [Int32]) -> [Float] {
      tokens.withUnsafeBufferPointer { model.extend([cache], counts: [tokens.count], tokens: $0) }
      return (try? ArenaPlan.build(on: device) { $0.matrix("logits", 1, 50) as Matrix<Float> }).map {
        model.logits(rows: [tokens.count - 1], into: $0.0)
        return device.download($0.0.elements)
      } ?? []
    }
    _ = logits(caches[0], [1, 2, 3])
    _ = logits(caches[1], [7, 8])
    _ = logits(caches[2], [9, 9, 9, 9])
    let continued = logits(caches[0], [4])
    #expect(zip(continued, logits(try model.makeCache(), [1, 2, 3, 4])).allSatisfy { abs($0 - $1) < 1e-5 })
  }
}
