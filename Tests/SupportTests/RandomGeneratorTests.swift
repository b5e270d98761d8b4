import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct RandomGeneratorTests {
  @Test func isReproducibleAndSeedsDiffer() {
    var a = RandomGenerator(seed: 1), b = RandomGenerator(seed: 1), c = RandomGenerator(seed: 2)
    let first = (0..<8).map { _ in a.next() }
    #expect(first == (0..<8).map { _ in b.next() })
    #expect(first != (0..<8).map { _ in c.next() })
  }

  @Test func belowIsUniform() {
    var random = RandomGenerator(seed: 3)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[random.below(7)] += 1 }
    // Five standard deviations of a binomial count with mean 10,000.
    #expect(counts.allSatisfy { abs($0 - 10_000) < 470 })
  }

  @Test func normalHasUnitVariance() {
    var random = RandomGenerator(seed: 4)
    let sample = (0..<100_000).map { _ in random.normal() }
    let mean = sample.reduce(0, +) / 100_000
    let variance = sample.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 100_000
    #expect(abs(mean) < 0.016 && abs(variance - 1) < 0.023)
  }
  /// xoshiro256** seeded by SplitMix64, and XXH3 of the name of a stream, as a program in Python computes them.
  @Test func goldenValues() {
    var plain = RandomGenerator(seed: 1)
    #expect(
      (0..<3).map { _ in plain.next() } == [
        0xb3f2_af6d_0fc7_10c5, 0x853b_5596_4736_4cea, 0x92f8_9756_082a_4514,
      ])
    var stream = RandomGenerator(seed: 7, stream: "a stream")
    #expect((0..<2).map { _ in stream.next() } == [0xdbb8_ae70_a75d_e812, 0x34ac_9d97_40c3_1e07])
    var uniform = RandomGenerator(seed: 7, stream: "a stream")
    #expect(uniform.uniform() == 0.8582867646249422)
  }
}
