import Corpus
import Testing

/// The thresholds of the rules as their sources state them, and as datatrove has them: Rae et al. (2021), table A1;
/// Raffel et al. (2020), section 2.2; Xue et al. (2021), section 3.1; Penedo et al. (2024), section 3.5.
@Suite(.timeLimit(.minutes(60))) struct FilterDefaultsTests {
  private static let thresholds: [String: FilterRule.Bound] = [
    "empty": .maximum(0), "url-blocklist": .maximum(0), "min-words": .minimum(nil),
    "max-words": .maximum(nil),
    "min-chars": .minimum(nil), "max-chars": .maximum(nil), "min-lines": .minimum(nil),
    "max-lines": .maximum(nil), "blocklist": .maximum(0), "language": .minimum(0.65),
    "drop-language": .maximum(nil),

    "gopher-duplicate-paragraphs": .maximum(0.3), "gopher-duplicate-paragraph-chars": .maximum(0.2),
    "gopher-duplicate-lines": .maximum(0.3), "gopher-duplicate-line-chars": .maximum(0.2),
    "gopher-top-2-gram": .maximum(0.2), "gopher-top-3-gram": .maximum(0.18),
    "gopher-top-4-gram": .maximum(0.16),
    "gopher-duplicate-5-grams": .maximum(0.15), "gopher-duplicate-6-grams": .maximum(0.14),
    "gopher-duplicate-7-grams": .maximum(0.13), "gopher-duplicate-8-grams": .maximum(0.12),
    "gopher-duplicate-9-grams": .maximum(0.11), "gopher-duplicate-10-grams": .maximum(0.1),

    "gopher-min-words": .minimum(50), "gopher-max-words": .maximum(100_000),
    "gopher-min-word-length": .minimum(3), "gopher-max-word-length": .maximum(10),
    "gopher-hash-ratio": .maximum(0.1), "gopher-ellipsis-ratio": .maximum(0.1),
    "gopher-bullet-lines": .maximum(0.9), "gopher-ellipsis-lines": .maximum(0.3),
    "gopher-alphabetic-words": .minimum(0.8), "gopher-stop-words": .minimum(2),

    "mc4-long-lines": .minimum(3),

    "c4-long-words": .maximum(1000), "c4-citations": .none, "c4-terminal-punctuation": .none,
    "c4-line-words": .minimum(3), "c4-javascript": .none, "c4-policy": .none, "c4-lorem-ipsum": .maximum(0),
    "c4-curly-brackets": .maximum(0), "c4-sentences": .minimum(5),

    "fineweb-terminal-lines": .minimum(0.12), "fineweb-short-lines": .maximum(0.67),
    "fineweb-duplicate-line-chars": .maximum(0.01), "fineweb-newline-ratio": .maximum(0.3),
  ]

  @Test func everyRuleHasTheThresholdOfItsSource() {
    #expect(Set(FilterRule.all.map(\.name)) == Set(Self.thresholds.keys))
    #expect(FilterRule.all.count == Self.thresholds.count)
    for rule in FilterRule.all {
      #expect(rule.bound == Self.thresholds[rule.name], "\(rule.name)")
    }
  }

  /// Shingles of five words as in FineWeb; the bands and rows that datasketch chooses of 112 hashes for a threshold of 0.7.
  @Test func nearDuplicatesAreFoundAsPeersFindThem() {
    let options = MinHashOptions()
    #expect(options.parameters == BandParameters(bands: 12, rows: 9) && options.hashes == 108)
    #expect(options.shingles == ShingleOptions(unit: .word, length: 5, seed: 1, keep: []))
    #expect(options.keep == .first && !options.hasSketches)
  }

  @Test func repeatedSpansHaveFiftyWords() {
    #expect(SpanOptions() == SpanOptions(unit: .word, length: 50, keepsFirst: true, seed: 1))
  }
}
