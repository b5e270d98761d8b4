import Foundation
import Shards
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DatasetRewriterTests {
  private func sorted(_ documents: [TestDocument]) -> [[UInt32]] {
    documents.map(\.tokens).sorted { $0.lexicographicallyPrecedes($1) }
  }

  @Test func shufflingKeepsEveryDocument() throws {
    let scratch = try Scratch()
    let documents = randomDocuments(2000, vocabulary: 1000)
    let index = try writeDataset(scratch.path("in"), documents)
    let rewriter = DatasetRewriter()
    let out = try rewriter.write([Dataset(scratch.path("in"))], to: scratch.path("out"))
    #expect(out.splits == index.splits)
    let shuffled = try readDocuments(Dataset(scratch.path("out")))
    #expect(shuffled != documents)
    #expect(sorted(shuffled) == sorted(documents))
    // In a random order few documents keep their position.
    #expect(zip(shuffled, documents).count { $0 == $1 } < 20)
    #expect(try DatasetVerifier.verify(scratch.path("out"), threads: 2).problems.isEmpty)
  }

  @Test func outputDoesNotDependOnMemoryOrThreads() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("in"), randomDocuments(2000, vocabulary: 1000))
    var rewriter = DatasetRewriter()
    rewriter.shares = [.init(split: "valid", share: 0.1)]
    var results: [[Data]] = []
    for (memory, threads) in [(1 << 30, 1), (200_000, 2), (10_000, 3)] {
      rewriter.memory = memory
      rewriter.threads = threads
      let output = scratch.path("out-\(memory)")
      _ = try rewriter.write([Dataset(scratch.path("in"))], to: output)
      let names = try FileManager.default.contentsOfDirectory(atPath: output).sorted()
      results.append(try names.map { try Data(contentsOf: URL(fileURLWithPath: output + "/" + $0)) })
    }
    #expect(results[0] == results[1] && results[0] == results[2])
    // The temporary files of the shuffle were removed.
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).count == 4)
    rewriter.seed = 2
    _ = try rewriter.write([Dataset(scratch.path("in"))], to: scratch.path("other"))
    #expect(
      try readDocuments(Dataset(scratch.path("other"))) != readDocuments(Dataset(scratch.path("out-10000"))))
  }

  @Test func documentsKeepTheirSplitWhenOthersAreAdded() throws {
    let scratch = try Scratch()
    // Documents of more than 20 tokens, so that no two are equal.
    let documents = randomDocuments(3000, vocabulary: 1000).filter { $0.tokens.count > 20 }
    try writeDataset(scratch.path("less"), Array(documents[..<1000]))
    try writeDataset(scratch.path("more"), documents)
    var rewriter = DatasetRewriter()
    rewriter.shares = [.init(split: "valid", share: 0.1), .init(split: "test", share: 0.05)]
    for name in ["less", "more"] {
      _ = try rewriter.write([Dataset(scratch.path(name))], to: scratch.path(name + "-out"))
    }
    let less = try Dataset(scratch.path("less-out"))
    let more = try Dataset(scratch.path("more-out"))
    #expect(more.splits == ["test", "train", "valid"])
    let known = Set(documents[..<1000].map(\.tokens))
    for split in more.splits {
      let again = try readDocuments(more, split).map(\.tokens).filter(known.contains)
      #expect(Set(again) == Set(try readDocuments(less, split).map(\.tokens)))
    }
    // The shares are within four standard deviations.
    let valid = Double(try more.totals(of: "valid").documents) / Double(documents.count)
    #expect(abs(valid - 0.1) < 4 * (0.09 / Double(documents.count)).squareRoot())
  }

  @Test func merging() throws {
    let scratch = try Scratch()
    let first = randomDocuments(100, vocabulary: 1000, seed: 1)
    let second = randomDocuments(100, vocabulary: 1000, seed: 2)
    try writeDataset(scratch.path("a"), first)
    try writeDataset(scratch.path("b"), second)
    try writeDataset(scratch.path("v"), Array(second[..<10]), split: "valid")
    var rewriter = DatasetRewriter()
    rewriter.isShuffled = false
    let inputs = try ["a", "b", "v"].map { try Dataset(scratch.path($0)) }
    _ = try rewriter.write(inputs, to: scratch.path("out"))
    let out = try Dataset(scratch.path("out"))
    #expect(try readDocuments(out) == first + second)
    #expect(try readDocuments(out, "valid") == Array(second[..<10]))

    // The packing is kept if the inputs agree on it.
    rewriter.packing = .document
    for name in ["one", "two"] { _ = try rewriter.write([inputs[0]], to: scratch.path(name)) }
    rewriter.packing = nil
    let packed = try ["one", "two"].map { try Dataset(scratch.path($0)) }
    #expect(out.index.packing == nil)
    #expect(try rewriter.write(packed, to: scratch.path("packed")).packing == .document)
    #expect(try rewriter.write([packed[0], inputs[1]], to: scratch.path("differing")).packing == nil)
    #expect(try Dataset(scratch.path("packed")).index.with(recipe: nil).packing == .document)

    try writeDataset(scratch.path("x"), first, vocabulary: 1001)
    let foreign = try Dataset(scratch.path("x"))
    #expect(
      failure { _ = try rewriter.write([inputs[0], foreign], to: scratch.path("no")) }?.message
        .contains("another tokenizer") == true)
    #expect(
      failure { _ = try rewriter.write([inputs[0], inputs[0]], to: scratch.path("no")) }?.message
        .contains("given twice") == true)
  }

  /// The number of copies of each document in `train` of the output.
  private func copies(_ output: Dataset, _ documents: [TestDocument]) throws -> [Int] {
    let counts = try readDocuments(output).reduce(into: [[UInt32]: Int]()) { $0[$1.tokens, default: 0] += 1 }
    return documents.map { counts[$0.tokens, default: 0] }
  }

  private func tokens(_ documents: [TestDocument], _ copies: [Int]) -> Int {
    zip(documents, copies).reduce(0) { $0 + ($1.0.tokens.count + 1) * $1.1 }
  }

  @Test(arguments: [true, false])
  func mixing(isShuffled: Bool) throws {
    let scratch = try Scratch()
    let a = randomDocuments(600, vocabulary: 1000, seed: 1).filter { $0.tokens.count > 20 }
    let b = randomDocuments(200, vocabulary: 1000, seed: 2).filter { $0.tokens.count > 20 }
    try writeDataset(scratch.path("a"), a)
    try writeDataset(scratch.path("b"), b)
    try writeDataset(scratch.path("v"), Array(b[..<10]), split: "valid")
    let inputs = try ["a", "b", "v"].map { try Dataset(scratch.path($0)) }
    var rewriter = DatasetRewriter()
    rewriter.isShuffled = isShuffled
    func mix(_ name: String, _ mixture: @escaping @Sendable ([Int]) -> DatasetMixture) throws -> Dataset {
      rewriter.mixture = mixture
      _ = try rewriter.write(inputs, to: scratch.path(name))
      #expect(try DatasetVerifier.verify(scratch.path(name), threads: 2).problems.isEmpty)
      return try Dataset(scratch.path(name))
    }
    let sizes = [tokens(a, a.map { _ in 1 }), tokens(b, b.map { _ in 1 })]
    let longest = 401

    let epochs = try mix("epochs") { DatasetMixture(epochs: [1, 2.5, 0], tokens: $0) }
    #expect(try copies(epochs, a).allSatisfy { $0 == 1 })
    let ofB = try copies(epochs, b)
    #expect(ofB.allSatisfy { (2...3).contains($0) })
    let half = tokens(b, ofB) - 2 * sizes[1]
    #expect(half <= sizes[1] / 2 + 1 && half > sizes[1] / 2 - longest)
    #expect(try readDocuments(epochs, "valid").count == 10)

    // A quarter of a million tokens, of which b cannot provide half without repetition.
    let weighted = try mix("weights") { DatasetMixture(weights: [1, 1, 0], tokens: $0, budget: 100_000) }
    for (documents, size) in [(a, sizes[0]), (b, sizes[1])] {
      let copies = try copies(weighted, documents)
      let taken = tokens(documents, copies)
      #expect(taken <= 50_000 && taken > 50_000 - longest)
      #expect(Set(copies).isSubset(of: [50_000 / size, 50_000 / size + 1]))
    }
    // Without a budget nothing is repeated, and the scarcer input is used up.
    let largest = try mix("largest") { DatasetMixture(weights: [1, 1, 0], tokens: $0, budget: nil) }
    #expect(try copies(largest, b).allSatisfy { $0 == 1 })
    #expect(try copies(largest, a).allSatisfy { $0 <= 1 })
    let budget = try mix("budget") { DatasetMixture(budget: 30_000, tokens: $0) }
    let (ofA, restOfB) = (try copies(budget, a), try copies(budget, b))
    let total = tokens(a, ofA) + tokens(b, restOfB)
    #expect(total <= 30_000 && total > 30_000 - 2 * longest)
    #expect((ofA + restOfB).allSatisfy { $0 <= 1 })
  }

  @Test func repeatedDocumentsStayInOneSplit() throws {
    let scratch = try Scratch()
    let documents = randomDocuments(500, vocabulary: 1000).filter { $0.tokens.count > 20 }
    try writeDataset(scratch.path("in"), documents)
    var rewriter = DatasetRewriter()
    rewriter.shares = [.init(split: "valid", share: 0.2)]
    rewriter.mixture = { DatasetMixture(epochs: [3], tokens: $0) }
    _ = try rewriter.write([Dataset(scratch.path("in"))], to: scratch.path("out"))
    let out = try Dataset(scratch.path("out"))
    let valid = Set(try readDocuments(out, "valid").map(\.tokens))
    #expect(try out.totals(of: "valid").documents == valid.count && valid.count > 50)
    for (document, copies) in zip(documents, try copies(out, documents)) {
      #expect(copies == (valid.contains(document.tokens) ? 0 : 3))
    }
  }
}
