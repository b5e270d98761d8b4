import Support
import Testing

@testable import Corpus

/// Signatures and sketches by their definitions.
@Suite(.timeLimit(.minutes(60))) struct MinHasherTests {
  private func options(seed: UInt64 = 1, bands: Int = 3, rows: Int = 7) -> MinHashOptions {
    MinHashOptions(
      shingles: ShingleOptions(seed: seed), parameters: BandParameters(bands: bands, rows: rows),
      hasSketches: true)
  }

  /// Each hash is the least of multiplier × low half + high half, with multipliers that the seed gives.
  @Test(arguments: [1, 2, 99] as [UInt64]) func signaturesAreMinima(seed: UInt64) {
    var random = RandomGenerator(seed: seed, stream: "minhash")
    let multipliers = (0..<21).map { _ in UInt32(truncatingIfNeeded: random.next() >> 32) }
    var numbers = RandomGenerator(seed: 5)
    let shingles = (0..<40).map { _ in numbers.next() }
    let expected = multipliers.map { multiplier in
      shingles.map { multiplier &* UInt32(truncatingIfNeeded: $0) &+ UInt32($0 >> 32) }.min()!
    }
    #expect(MinHasher(options(seed: seed)).signature(of: shingles) == expected)
  }

  /// Of `hashes` nibbles, so many are equal; one in sixteen is by chance.
  private func similarity(equal: Int, of hashes: Int) -> Double {
    let count = (hashes + 1) / 2
    var nibbles = [UInt8](repeating: 0, count: 2 * count)
    for index in equal..<hashes { nibbles[index] = 1 }
    let a = [UInt8](repeating: 0xa5, count: count)
    var b = a
    for index in b.indices { b[index] ^= nibbles[2 * index] | nibbles[2 * index + 1] << 4 }
    return a.withUnsafeBytes { a in b.withUnsafeBytes { MinHasher.similarity(a, $0, hashes: hashes) } }
  }

  @Test func sketchesEstimateSimilarity() {
    for hashes in [20, 21, 112, 113] {
      #expect(similarity(equal: hashes, of: hashes) == 1)
      #expect(similarity(equal: 0, of: hashes) == 0)
      for equal in 0...hashes {
        let share = Double(equal) / Double(hashes)
        let expected = max(0, (share - 1.0 / 16) / (15.0 / 16))
        #expect(abs(similarity(equal: equal, of: hashes) - expected) < 1e-12, "\(equal) of \(hashes)")
      }
    }
  }

  /// The nibbles of a stored row are the lowest ones of the signature, and the last of an odd number stands beside 0.
  @Test func sketchesHoldTheLowestBits() throws {
    let hasher = MinHasher(options())
    let text = "one two three four five six seven eight nine ten"
    let batch = FilterFixture.batch([text])
    var shingles: [UInt64] = []
    Array(text.utf8).withUnsafeBytes { bytes in
      Shingler(hasher.options.shingles).forEach(in: bytes) { shingles += $0 }
    }
    let signature = hasher.signature(of: shingles) + [0]
    var sketch: [UInt8] = []
    for pair in 0..<11 {
      let (low, high) = (signature[2 * pair] & 15, signature[2 * pair + 1] & 15)
      sketch.append(UInt8(low | high << 4))
    }
    #expect(try hasher.signatures(of: batch).rows.suffix(11) == sketch[...])
  }
}
