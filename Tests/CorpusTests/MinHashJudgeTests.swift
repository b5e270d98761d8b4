import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// Compares MinHash with the exact similarity of all pairs of real documents: paragraphs of the sample text,
/// and copies of some of them in which parts were replaced by other paragraphs.
@Suite(.long, .timeLimit(.minutes(60))) struct MinHashJudgeTests {
  private static var paragraphs: [[Substring]] {
    FilterFixture.sample.map { $0.split(separator: " ") }.filter { $0.count >= 20 }
  }

  /// Three thousand paragraphs, then as many copies with up to half of their words replaced.
  private static func documents() -> [[UInt8]] {
    var random = RandomGenerator(seed: 31)
    let paragraphs = paragraphs
    let originals = (0..<3000).map { paragraphs[$0 * paragraphs.count / 3000] }
    let copies = originals.indices.map { index in
      var words = originals[random.below(originals.count)]
      for _ in 0..<random.below(3) {
        let other = paragraphs[random.below(paragraphs.count)]
        let length = min(other.count, 1 + random.below(1 + words.count / 6))
        let place = random.below(words.count - length / 2)
        words.replaceSubrange(place..<min(words.count, place + length), with: other[..<length])
      }
      return words
    }
    return (originals + copies).map { Array($0.joined(separator: " ").utf8) }
  }

  private struct Pair: Hashable { let a, b: Int }

  /// The similarity of all pairs that share a shingle. It is zero for all other pairs.
  private static func similarities(_ sets: [[UInt64]]) -> [Pair: Double] {
    var owners: [UInt64: [Int]] = [:]
    for (document, set) in sets.enumerated() {
      for shingle in set { owners[shingle, default: []].append(document) }
    }
    var shared: [Pair: Int] = [:]
    for documents in owners.values where documents.count > 1 {
      for (place, b) in documents.enumerated() {
        for a in documents[..<place] { shared[Pair(a: a, b: b), default: 0] += 1 }
      }
    }
    return shared.reduce(into: [:]) { result, entry in
      let all = sets[entry.key.a].count + sets[entry.key.b].count - entry.value
      result[entry.key] = Double(entry.value) / Double(all)
    }
  }

  @Test(arguments: [(14, 8), (9, 12), (20, 5)])
  func findsPairsAtTheRateOfTheCurve(bands: Int, rows: Int) throws {
    let options = MinHashOptions(parameters: BandParameters(bands: bands, rows: rows))
    let shingler = Shingler(options.shingles)
    let sets = Self.documents().map { $0.withUnsafeBytes { shingler.set(of: $0) } }
    let similarities = Self.similarities(sets)

    let hasher = MinHasher(options)
    let signatures = sets.map { hasher.signature(of: $0) }
    var found: Set<Pair> = []
    for band in 0..<bands {
      var buckets: [ArraySlice<UInt32>: [Int]] = [:]
      for (document, signature) in signatures.enumerated() {
        buckets[signature[(rows * band)..<(rows * (band + 1))], default: []].append(document)
      }
      for documents in buckets.values {
        for (place, b) in documents.enumerated() {
          for a in documents[..<place] { found.insert(Pair(a: a, b: b)) }
        }
      }
    }

    #expect(found.allSatisfy { similarities[$0] != nil }, "pairs that share nothing")
    // In each range of similarities the number of pairs is within four standard errors of the formula.
    for lower in stride(from: 0.0, to: 1, by: 0.1) {
      let pairs = similarities.filter { (lower..<(lower + 0.1)).contains($0.value) }
      let expected = pairs.values.map { options.parameters.probability(at: $0) }
      let error = expected.reduce(0) { $0 + $1 * (1 - $1) }.squareRoot()
      let count = Double(pairs.keys.count { found.contains($0) })
      #expect(
        abs(count - expected.reduce(0, +)) <= 4 * error + 1, "similarity \(lower)…: \(pairs.count) pairs")
    }
    // Precision and recall at a threshold follow from the curve over these pairs.
    let threshold = 0.7
    let similar = similarities.filter { $0.value >= threshold }
    #expect(similar.count > 800 && similarities.count - similar.count > 800)
    let hits = Double(similar.keys.count { found.contains($0) })
    let expectedHits = similar.values.reduce(0) { $0 + options.parameters.probability(at: $1) }
    let expectedFound = similarities.values.reduce(0) { $0 + options.parameters.probability(at: $1) }
    let (recall, precision) = (hits / Double(similar.count), hits / Double(found.count))
    #expect(abs(recall - expectedHits / Double(similar.count)) < 0.03, "recall \(recall)")
    #expect(abs(precision - expectedHits / expectedFound) < 0.03, "precision \(precision)")
    let f1 = 2 * precision * recall / (precision + recall)
    let expectedF1 = 2 * expectedHits / (expectedFound + Double(similar.count))
    #expect(abs(f1 - expectedF1) < 0.03, "F1 \(f1)")
    print(
      "\(bands) bands of \(rows) rows at \(threshold): precision \(precision), recall \(recall), F1 \(f1);",
      "the curve says \(expectedHits / expectedFound), \(expectedHits / Double(similar.count)), \(expectedF1)"
    )
  }
}
