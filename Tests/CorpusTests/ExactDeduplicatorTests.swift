import Corpus
import Support
import Testing

@Suite struct ExactDeduplicatorTests {
  @Test func agreesWithADictionary() {
    var random = RandomGenerator(seed: 21)
    var deduplicator = ExactDeduplicator(remembersFirst: true)
    var firsts: [String: DocumentLocation] = [:]
    for source in 0..<30 {
      let lines = (0..<400).map { _ in random.below(8) == 0 ? "  " : "document \(random.below(6000))" }
      var batch = DocumentBatch(lines: lines, source: source)
      var kept: [String] = []
      var removals: [Removal] = []
      for (index, line) in lines.enumerated() {
        let location = DocumentLocation(source: source, line: index + 1)
        if line == "  " {
          removals.append(Removal(location: location, first: nil))
        } else if let first = firsts[line] {
          removals.append(Removal(location: location, first: first))
        } else {
          firsts[line] = location
          kept.append(line)
        }
      }
      let hashes = ExactDeduplicator.hashes(of: batch)
      #expect(deduplicator.deduplicate(&batch, hashes: hashes) == removals)
      #expect(batch.texts == kept)
    }
    #expect(deduplicator.documentCount == firsts.count && firsts.count > 4096)
  }

  @Test func zeroIsAHashLikeAnyOther() {
    var seen = SeenDocuments(remembersLocations: false)
    #expect(seen.insert(0, at: DocumentLocation(source: 0, line: 1)) == nil)
    #expect(seen.insert(0, at: DocumentLocation(source: 0, line: 2)) != nil)
    #expect(seen.count == 1)
  }

  @Test func locationsHoldManyFilesAndLines() {
    let location = DocumentLocation(source: 10_000_000, line: 900_000_000_000)
    #expect(location.source == 10_000_000 && location.line == 900_000_000_000)
  }
}
