import CBytes
import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct MinHashTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  // MARK: The formula

  @Test(arguments: [(0.9, 128, 5, 25), (0.7, 240, 24, 10), (0.7, 112, 12, 9), (0.8, 128, 9, 13)])
  func choosesTheBandsOfDatasketch(threshold: Double, hashes: Int, bands: Int, rows: Int) {
    #expect(
      BandParameters.optimal(threshold: threshold, hashes: hashes) == BandParameters(bands: bands, rows: rows)
    )
  }

  @Test func curveAgreesWithPublishedTables() {
    let fineWeb = BandParameters(bands: 14, rows: 8)
    for (similarity, probability) in [
      (0.5, 0.053), (0.6, 0.211), (0.7, 0.565), (0.75, 0.772), (0.8, 0.924), (0.85, 0.988),
    ] {
      #expect(abs(fineWeb.probability(at: similarity) - probability) < 0.0006)
    }
    #expect(abs(fineWeb.halfPoint - 0.685) < 0.0005)
    #expect(abs(fineWeb.probability(at: fineWeb.halfPoint) - 0.5) < 1e-9)
  }

  // MARK: Signatures

  @Test func kernelAgreesWithTheFormula() {
    var random = RandomGenerator(seed: 1)
    for lanes in stride(from: 16, through: 208, by: 16) {
      let multipliers = (0..<lanes).map { _ in UInt32(truncatingIfNeeded: random.next()) }
      let shingles = (0..<random.below(50)).map { _ in random.next() }
      var minima = [UInt32](repeating: .max, count: lanes)
      pkm_minhash_update(shingles, shingles.count, multipliers, &minima, lanes)
      let expected = multipliers.map { a in
        shingles.map { a &* UInt32(truncatingIfNeeded: $0) &+ UInt32(truncatingIfNeeded: $0 >> 32) }.min()
          ?? .max
      }
      #expect(minima == expected)
    }
  }

  /// The share of equal minima estimates the similarity with the variance of independent hashes, and bands
  /// find pairs at the rate of their formula.
  @Test(arguments: [0.3, 0.5, 0.7, 0.8, 0.9, 1])
  func hashesBehaveLikeIndependentOnes(similarity: Double) {
    let parameters = BandParameters(bands: 14, rows: 8)
    let hasher = MinHasher(MinHashOptions(parameters: parameters))
    var random = RandomGenerator(seed: UInt64(similarity * 100))
    let (trials, union) = (3000, 120)
    let shared = Int((similarity * Double(union)).rounded())
    let exact = Double(shared) / Double(union)
    var (sum, squares, found) = (0.0, 0.0, 0)
    for _ in 0..<trials {
      let shingles = (0..<union).map { _ in random.next() }
      let middle = shared + (union - shared) / 2
      let a = hasher.signature(of: Array(shingles[..<middle]))
      let b = hasher.signature(of: Array(shingles[..<shared] + shingles[middle...]))
      let equal = zip(a, b).map { $0 == $1 }
      let count = Double(equal.count { $0 })
      sum += count
      squares += count * count
      if (0..<14).contains(where: { band in equal[(8 * band)..<(8 * band + 8)].allSatisfy { $0 } }) {
        found += 1
      }
    }
    let n = Double(trials)
    let mean = sum / n / 112
    #expect(abs(mean - exact) <= 4 * (exact * (1 - exact) / 112 / n).squareRoot())
    let variance = squares / n - (sum / n) * (sum / n)
    // The standard error of a variance is about the variance times √(2/n).
    let expected = 112 * exact * (1 - exact)
    #expect(abs(variance - expected) <= 4 * expected * (2 / n).squareRoot())
    let probability = parameters.probability(at: exact)
    #expect(
      abs(Double(found) / n - probability) <= 4 * (probability * (1 - probability) / n).squareRoot() + 1e-9)
  }

  // MARK: All stages, against all pairs

  /// Documents, some derived from others by changing words.
  private func documents(_ count: Int, seed: UInt64) -> [String] {
    var random = RandomGenerator(seed: seed)
    var documents: [String] = []
    for index in 0..<count {
      var words = (0..<(20 + random.below(60))).map { _ in "w" + letters(random.below(3000)) }
      if index > 0, random.below(2) == 0 {
        words = documents[random.below(index)].split(separator: " ").map(String.init)
        for _ in 0..<random.below(6) { words[random.below(words.count)] = "x" + letters(random.below(3000)) }
      }
      documents.append(words.joined(separator: " "))
    }
    return documents
  }

  /// Spells a number in letters, because all digits would become zeros.
  private func letters(_ number: Int) -> String {
    String(String(number, radix: 26).utf8.map { Character(Unicode.Scalar($0 < 58 ? $0 + 49 : $0 + 10)) })
  }

  private struct Outcome: Equatable {
    var removed: [Int: Int] = [:]
    var similarity: [Int: Double] = [:]
    var sizes: [Int: Int] = [:]
  }

  private func read(_ path: String) throws -> DocumentReader {
    try DocumentReader(inputs: [path], options: ReaderOptions(batchBytes: 4096))
  }

  private func signatures(
    _ path: String, _ options: MinHashOptions, directory: String, memory: Int = 1 << 20, threads: Int = 2,
    stopAfter: Int = .max
  ) throws -> SignatureSet? {
    try SystemCall.makeDirectories(directory)
    let pool = WorkerPool(threads: threads)
    let writer = try SignatureWriter(directory: directory, options: options, memory: memory, pool: pool)
    let reader = try read(path)
    var done = 0
    while let block = try reader.nextBlock() {
      if try writer.covers(block) { continue }
      done += 1
      if done > stopAfter { return nil }
      try writer.add(
        writer.hasher.signatures(of: block.documents()), blockDigest: block.digest, counts: Summary())
    }
    return try writer.finish(listing: path, names: [path])
  }

  private func outcome(_ directory: String, listing: String) throws -> Outcome {
    let list = try RemovalList(directory, listing: listing, memory: 1 << 20)
    var outcome = Outcome(sizes: list.manifest.clusterSizes)
    for document in 0..<list.documentCount {
      guard let entry = try list.removal(of: document) else { continue }
      outcome.removed[document] = entry.kept.line - 1
      outcome.similarity[document] = entry.similarity
    }
    return outcome
  }

  private func run(
    _ texts: [String], _ options: MinHashOptions, name: String, memory: Int = 1 << 20, threads: Int = 2,
    threshold: Double? = nil
  ) throws -> Outcome {
    let path = try scratch.write("\(name).txt", texts.joined(separator: "\n") + "\n")
    let pool = WorkerPool(threads: threads)
    let set = try #require(
      try signatures(path, options, directory: scratch.path("\(name).s"), memory: memory, threads: threads))
    let (bands, clusters) = (scratch.path("\(name).b"), scratch.path("\(name).c"))
    for directory in [bands, clusters] { try SystemCall.makeDirectories(directory) }
    try BandJoin([set], hasChains: threshold != nil, memory: memory, pool: pool).run(directory: bands)
    var pairs = try CandidatePairs([bands])
    var shingles: ShingleSets?
    if let threshold {
      let members = try ShingleSets.members(of: pairs, memory: memory, scratch: clusters)
      let writer = try ShingleSets.Writer(clusters + "/shingles")
      let reader = try read(path)
      var first = 0
      while let batch = try reader.next() {
        try writer.append(
          ShingleSets.sets(of: batch, firstDocument: first, members: members, options: options.shingles))
        first += batch.count
      }
      shingles = try writer.finish()
      pairs = try shingles!.verified(
        pairs, threshold: threshold, directory: clusters, memory: memory, pool: pool)
    }
    try ClusterStage([set], memory: 1 << 26, pool: pool).run(pairs, shingles: shingles, directory: clusters)
    return try outcome(clusters, listing: path)
  }

  private func jaccard(_ texts: [String], _ options: ShingleOptions) -> (Int, Int) -> Double {
    let shingler = Shingler(options)
    let sets = texts.map { text in Array(text.utf8).withUnsafeBytes { Set(shingler.set(of: $0)) } }
    return { a, b in
      Double(sets[a].intersection(sets[b]).count) / Double(max(1, sets[a].union(sets[b]).count))
    }
  }

  /// The connected components of a graph: for each document the smallest document of its component.
  private func components(_ count: Int, _ pairs: [(Int, Int)]) -> [Int] {
    var label = Array(0..<count)
    var changed = true
    while changed {
      changed = false
      for (a, b) in pairs where label[a] != label[b] {
        let least = min(label[a], label[b])
        (label[a], label[b], changed) = (least, least, true)
      }
    }
    return label
  }

  @Test(.long) func clustersAreComponentsOfPairsThatShareABand() throws {
    let texts = documents(1500, seed: 8)
    let options = MinHashOptions(parameters: BandParameters(bands: 14, rows: 8), hasSketches: true)
    let hasher = MinHasher(options)
    let shingler = Shingler(options.shingles)
    let bands: [[ArraySlice<UInt32>]] = texts.map { text in
      let signature = hasher.signature(of: Array(text.utf8).withUnsafeBytes { shingler.set(of: $0) })
      return (0..<14).map { signature[(8 * $0)..<(8 * $0 + 8)] }
    }
    var pairs: [(Int, Int)] = []
    for b in 0..<texts.count {
      for a in 0..<b where zip(bands[a], bands[b]).contains(where: { $0 == $1 }) { pairs.append((a, b)) }
    }
    let labels = components(texts.count, pairs)
    var expected: [Int: Int] = [:]
    for (document, label) in labels.enumerated() where label != document { expected[document] = label }
    let outcome = try run(texts, options, name: "all")
    #expect(outcome.removed == expected && expected.count > 300)
    let sizes = Dictionary(grouping: labels) { $0 }.values.map(\.count).filter { $0 > 1 }
    #expect(outcome.sizes == Dictionary(grouping: sizes) { $0 }.mapValues(\.count))

    // Precision and recall of the pairs by their exact similarity, compared with the curve.
    let similarity = jaccard(texts, options.shingles)
    var (expectedPairs, variance, found) = (0.0, 0.0, 0.0)
    for b in 0..<texts.count {
      for a in 0..<b {
        let probability = options.parameters.probability(at: similarity(a, b))
        expectedPairs += probability
        variance += probability * (1 - probability)
      }
    }
    found = Double(pairs.count)
    #expect(
      abs(found - expectedPairs) < 4 * variance.squareRoot() + 1, "\(found) pairs instead of \(expectedPairs)"
    )
    // Estimates from sketches are within four standard errors of 112 hashes.
    for (document, estimate) in outcome.similarity {
      #expect(abs(estimate - similarity(document, outcome.removed[document]!)) < 0.2)
    }
  }

  @Test func verifiedPairsReachTheThreshold() throws {
    let texts = documents(800, seed: 9)
    // Bands that find nearly all pairs, so that only the threshold decides.
    let options = MinHashOptions(parameters: BandParameters(bands: 60, rows: 2))
    let similarity = jaccard(texts, options.shingles)
    let outcome = try run(texts, options, name: "verify", threshold: 0.75)
    var pairs: [(Int, Int)] = []
    for b in 0..<texts.count { for a in 0..<b where similarity(a, b) >= 0.75 { pairs.append((a, b)) } }
    let labels = components(texts.count, pairs)
    // Stars and chains do not check all pairs: no document outside a component is removed, and few are
    // missed.
    for (document, kept) in outcome.removed {
      #expect(labels[document] == labels[kept] && labels[document] != document)
    }
    let all = labels.enumerated().count { $0.offset != $0.element }
    #expect(outcome.removed.count > all * 95 / 100 && all > 100)
    for (document, value) in outcome.similarity {
      #expect(abs(value - similarity(document, outcome.removed[document]!)) < 1e-5)
    }
  }

  @Test func resultDoesNotDependOnMemoryThreadsOrOrder() throws {
    let texts = documents(1200, seed: 10)
    let options = MinHashOptions(parameters: BandParameters(bands: 10, rows: 5), keep: .longest)
    let one = try run(texts, options, name: "one", memory: 1 << 24, threads: 1)
    #expect(one == (try run(texts, options, name: "two", memory: 1 << 17, threads: 2)))
    #expect(one.removed.count > 200)
    // In another order the same texts are kept: where lengths differ, the rule does not depend on the order.
    var random = RandomGenerator(seed: 4)
    var order = Array(0..<texts.count)
    for index in (1..<order.count).reversed() { order.swapAt(index, random.below(index + 1)) }
    let shuffled = order.map { texts[$0] }
    let other = try run(shuffled, options, name: "shuffled")
    func keptLengths(_ texts: [String], _ outcome: Outcome) -> [Int] {
      texts.indices.filter { outcome.removed[$0] == nil }.map { texts[$0].utf8.count }.sorted()
    }
    #expect(keptLengths(texts, one) == keptLengths(shuffled, other))
    #expect(one.sizes == other.sizes)
  }

  @Test func setsAndSharesDoNotChangeTheResult() throws {
    let texts = documents(900, seed: 11)
    let options = MinHashOptions(parameters: BandParameters(bands: 10, rows: 5), hasSketches: true)
    let whole = try run(texts, options, name: "whole")
    let pool = WorkerPool(threads: 2)
    var sets: [SignatureSet] = []
    for (index, range) in [0..<250, 250..<600, 600..<900].enumerated() {
      let path = try scratch.write("part\(index).txt", texts[range].joined(separator: "\n"))
      sets.append(try #require(try signatures(path, options, directory: scratch.path("part\(index).s"))))
    }
    let shares = [2, 0, 1].map { scratch.path("share\($0)") }
    for (share, directory) in zip([2, 0, 1], shares) {
      try SystemCall.makeDirectories(directory)
      try BandJoin(sets, hasChains: false, memory: 1 << 20, pool: pool).run(
        directory: directory, share: share, of: 3)
    }
    let clusters = scratch.path("clusters")
    try SystemCall.makeDirectories(clusters)
    // The order of the directories does not matter, only the order of the sets when their bands were joined.
    try ClusterStage(sets.reversed(), memory: 1 << 26, pool: pool).run(
      CandidatePairs(shares), directory: clusters)
    var together = Outcome(sizes: whole.sizes)
    for (index, start) in [0, 250, 600].enumerated() {
      let list = try RemovalList(clusters, listing: scratch.path("part\(index).txt"), memory: 1 << 20)
      for document in 0..<list.documentCount {
        guard let entry = try list.removal(of: document) else { continue }
        let offset = try #require(
          [0, 250, 600].enumerated().first { scratch.path("part\($0.offset).txt") == entry.names[0] })
        together.removed[start + document] = offset.element + entry.kept.line - 1
        together.similarity[start + document] = entry.similarity
      }
      #expect(list.manifest.clusterSizes == whole.sizes)
    }
    #expect(together == whole)
    #expect(throws: Failure.self) { try CandidatePairs(Array(shares[..<2])) }
    #expect(throws: Failure.self) { try RemovalList(clusters, listing: "other", memory: 1 << 20) }
    #expect(throws: Failure.self) {
      try BandJoin([sets[0], sets[0]], hasChains: false, memory: 1 << 20, pool: pool)
    }
  }

  @Test func resumesSignatures() throws {
    let texts = documents(2000, seed: 12)
    let path = try scratch.write("in.txt", texts.joined(separator: "\n"))
    let options = MinHashOptions(parameters: BandParameters(bands: 14, rows: 8))
    _ = try signatures(path, options, directory: scratch.path("whole"), memory: 1 << 17)
    for stop in [3, 20, 60] {
      #expect(
        try signatures(path, options, directory: scratch.path("cut"), memory: 1 << 17, stopAfter: stop) == nil
      )
    }
    let set = try #require(try signatures(path, options, directory: scratch.path("cut"), memory: 1 << 17))
    #expect(set.manifest.documents == 2000)
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path("whole")).sorted()
    #expect(names.count > 6)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("cut")).sorted() == names)
    for name in names {
      #expect(
        try MappedFile.read(scratch.path("whole/\(name)")) == MappedFile.read(scratch.path("cut/\(name)")))
    }
    // Changed input under the same name is detected.
    try scratch.write("in.txt", texts.reversed().joined(separator: "\n"))
    try FileManager.default.removeItem(atPath: scratch.path("cut/signatures.json"))
    #expect(throws: Failure.self) {
      try signatures(path, options, directory: scratch.path("cut"), memory: 1 << 17)
    }
  }

  @Test func keepsDocumentsByField() throws {
    let line = { (text: String, fields: String) in "{\"text\":\"\(text)\"\(fields)}" }
    let text = "the same words in each of these documents"
    let lines = [
      line(text, ",\"n\":-3,\"d\":\"2024-05-01\",\"m\":{\"q\":1}"),
      line(text, ",\"n\":10,\"d\":\"2023-01-01\""),
      line(text, ",\"n\":9.5,\"d\":\"2024-06-01\",\"m\":{\"q\":0}"), line(text, ""),
    ]
    for (field, least, kept) in [
      ("n", false, 1), ("n", true, 0), ("d", false, 2), ("m.q", true, 2), ("none", false, 0),
    ] {
      let options = MinHashOptions(keep: .field(field, least: least))
      let outcome = try run(lines, options, name: "\(field)\(least)")
      #expect(
        outcome.removed == Dictionary(uniqueKeysWithValues: (0..<4).filter { $0 != kept }.map { ($0, kept) }))
    }
    let plain = MinHashOptions(keep: .field("n", least: false))
    #expect(throws: Failure.self) { try run(["plain text"], plain, name: "plain") }
  }

  // MARK: Hostile documents

  @Test func handlesAdversarialDocuments() throws {
    let repeated = String(repeating: "spam ", count: 200_000)
    var texts = [
      "", "word", "word", "!!!", "!!!", "one two", "two one", "  ", repeated, repeated + "spam", "\u{fffd}",
    ]
    // A hundred thousand copies make a hundred thousand pairs, not five billion.
    texts += [String](repeating: "always the same document of some words", count: 100_000)
    let outcome = try run(texts, MinHashOptions(), name: "hostile", memory: 1 << 24)
    #expect(outcome.removed[2] == 1 && outcome.removed[9] == 8)
    for index in [0, 1, 3, 4, 5, 6, 7, 8, 10, 11] {
      #expect(outcome.removed[index] == nil, "document \(index)")
    }
    #expect(outcome.sizes == [2: 2, 100_000: 1])
    let verified = try run(texts, MinHashOptions(), name: "verified", memory: 1 << 24, threshold: 0.7)
    #expect(verified.removed == outcome.removed)
  }
}
