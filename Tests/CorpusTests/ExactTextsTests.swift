import Corpus
import Testing

/// Every byte of a text counts for exact duplicates.
@Suite(.timeLimit(.minutes(60))) struct ExactTextsTests {
  @Test(arguments: [1, 8, 16, 17, 64, 128, 129, 240, 241, 256, 1000, 1025, 5000])
  func textsThatDifferInOneByteDiffer(length: Int) {
    let text = String(repeating: "a", count: length)
    let places = Set([0, 1, length / 2, length - 2, length - 1].filter { (0..<length).contains($0) })
    let others = places.sorted().map { place in
      String(text.enumerated().map { $0 == place ? "b" : $1 })
    }
    for key in [ExactKey.text, .normalized] {
      let hashes = ExactDeduplicator.hashes(of: FilterFixture.batch([text, text] + others), key: key)
      #expect(hashes[0] == hashes[1] && hashes[0] != nil)
      #expect(Set(hashes).count == 1 + others.count, "\(length)")
    }
  }
}
