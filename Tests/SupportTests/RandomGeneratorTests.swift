import Support
import Testing

@Suite struct RandomGeneratorTests {
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
}
