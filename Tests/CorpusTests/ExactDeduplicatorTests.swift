import Corpus
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct ExactDeduplicatorTests {
  /// The lines of a few files, a fifth of them empty, and the expected removals according to a dictionary.
  private func files(_ count: Int) -> (batches: [DocumentBatch], removals: [[Removal]], sizes: [Int: Int]) {
    var random = RandomGenerator(seed: 21)
    var firsts: [String: (location: DocumentLocation, copies: Int)] = [:]
    var batches: [DocumentBatch] = []
    var removals: [[Removal]] = []
    for source in 0..<count {
      let lines = (0..<400).map { _ in random.below(8) == 0 ? "  " : "document \(random.below(6000))" }
      batches.append(DocumentBatch(lines: lines, source: source))
      removals.append([])
      for (index, line) in lines.enumerated() {
        let location = DocumentLocation(source: source, line: index + 1)
        if line == "  " {
          removals[source].append(Removal(index: index, location: location, first: nil))
        } else if let first = firsts[line] {
          removals[source].append(Removal(index: index, location: location, first: first.location))
          firsts[line]!.copies += 1
        } else {
          firsts[line] = (location, 1)
        }
      }
    }
    var sizes: [Int: Int] = [:]
    for first in firsts.values where first.copies > 1 { sizes[first.copies, default: 0] += 1 }
    return (batches, removals, sizes)
  }

  @Test func agreesWithADictionary() throws {
    let (batches, removals, sizes) = files(40)
    var deduplicator = try ExactDeduplicator(remembersFirst: true)
    for (batch, removals) in zip(batches, removals) {
      let found = try deduplicator.removals(from: batch, hashes: ExactDeduplicator.hashes(of: batch))
      #expect(found == removals)
    }
    let found = deduplicator.clusterSizes()
    #expect(found == sizes && sizes.count > 3)
  }

  @Test func postponingDoesNotChangeTheResult() throws {
    let (batches, removals, sizes) = files(40)
    let scratch = try Scratch()
    // The smallest table holds 3,072 of the 6,000 documents.
    var deduplicator = try ExactDeduplicator(remembersFirst: true, memory: 1 << 17)
    var found: [[Removal]] = []
    let pool = WorkerPool(threads: 2)
    for batch in batches {
      let hashes = ExactDeduplicator.hashes(of: batch)
      if deduplicator.isFull {
        try deduplicator.postpone(
          batch, hashes: hashes, blockDigest: 0, directory: scratch.url.path, pool: pool)
      } else {
        found.append(try deduplicator.removals(from: batch, hashes: hashes))
      }
    }
    #expect(found.count > 5 && found.count < 30)
    try deduplicator.resolvePostponed()
    for batch in batches[found.count...] {
      found.append(try deduplicator.removals(from: batch, hashes: ExactDeduplicator.hashes(of: batch)))
    }
    #expect(found == removals)
    let sizesFound = deduplicator.clusterSizes()
    #expect(sizesFound == sizes)
  }

  @Test func resumesAfterAnInterruption() throws {
    let (batches, removals, sizes) = files(60)
    let scratch = try Scratch()
    let (directory, pool) = (scratch.url.path, WorkerPool(threads: 1))
    func deduplicator() throws -> ExactDeduplicator {
      try ExactDeduplicator(directory: directory, memory: 1 << 18, pool: pool)
    }
    // Each run processes some batches and is abandoned. Then the repeats are resolved and queried twice.
    var starts: [Int] = []
    for stop in [9, 30, 60, 60] {
      var deduplicator = try deduplicator()
      let isResolved = deduplicator.isResolved
      #expect(!isResolved)
      starts.append(deduplicator.finished.blocks)
      for number in deduplicator.finished.blocks..<stop {
        try deduplicator.postpone(
          batches[number], hashes: ExactDeduplicator.hashes(of: batches[number]), blockDigest: UInt64(number),
          directory: directory, pool: pool)
      }
      if starts.count == 4 { try deduplicator.resolvePostponed() }
    }
    #expect(starts[0] == 0 && starts[1] > 0 && starts[1] < 9 && starts[2] > starts[1] && starts[3] < 60)
    for _ in 0..<2 {
      var deduplicator = try deduplicator()
      let (isResolved, blocks) = (deduplicator.isResolved, deduplicator.finished.blocks)
      #expect(isResolved && blocks == 60)
      var found: [[Removal]] = []
      for batch in batches {
        found.append(try deduplicator.removals(from: batch, hashes: ExactDeduplicator.hashes(of: batch)))
      }
      #expect(found == removals)
      let sizesFound = deduplicator.clusterSizes()
      #expect(sizesFound == sizes)
    }
  }

  @Test func normalizedKeyDependsOnWordsAlone() {
    let batch = DocumentBatch(
      lines: ["Größe: 1,5 km!", "GROSSE 3 7 KM", "grosse 3 7", "...", "!!!", "..."], source: 0)
    let hashes = ExactDeduplicator.hashes(of: batch, key: .normalized)
    #expect(hashes[0] == hashes[1] && hashes[1] != hashes[2])
    #expect(hashes[3] != hashes[4] && hashes[3] == hashes[5], "no letter or digit: the bytes decide")
    #expect(ExactDeduplicator.hashes(of: batch, seed: 7)[2] != ExactDeduplicator.hashes(of: batch)[2])
  }

  /// Small hashes, including zero, and hashes that differ in only one half, while the table grows several
  /// times.
  @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
  func tableAgreesWithADictionary(isWide: Bool, remembersLocations: Bool) throws {
    var random = RandomGenerator(seed: 5)
    var table = try SeenTable(isWide: isWide, remembersLocations: remembersLocations)
    var seen: [UInt128: (repeats: Int, first: DocumentLocation)] = [:]
    for line in 1...60_000 {
      let low =
        random.below(2) == 0
        ? UInt64(random.below(20)) &* 2 : RandomGenerator.mix(UInt64(random.below(20_000)))
      let high = isWide ? UInt64(random.below(3)) : 0
      let place = DocumentLocation(source: 3, line: line)
      let entry = try table.insert(low, high, at: place)
      if let old = seen[UInt128(high) << 64 | UInt128(low)] {
        let first = remembersLocations ? old.first : DocumentLocation(packed: 0)
        #expect(entry?.repeats == old.repeats + 1 && entry?.first == first)
      } else {
        #expect(entry == nil)
      }
      seen[UInt128(high) << 64 | UInt128(low), default: (-1, place)].repeats += 1
    }
    #expect(table.count == seen.count)
    var repeats: [Int] = []
    table.forEachRepeated { repeats.append($0) }
    #expect(repeats.sorted() == seen.values.map(\.repeats).filter { $0 > 0 }.sorted())
    let isThere = table.contains(1 << 40)
    let entry = table.find(1 << 40)
    #expect(!isThere && entry == nil)
  }

  @Test func locationsHoldManyFilesAndLines() {
    let location = DocumentLocation(source: 10_000_000, line: 900_000_000_000)
    #expect(location.source == 10_000_000 && location.line == 900_000_000_000)
  }
}
