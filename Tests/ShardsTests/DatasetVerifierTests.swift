import Foundation
import Shards
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DatasetVerifierTests {
  @Test(arguments: [1000, 100_000]) func validDatasetHasNoProblems(vocabulary: Int) throws {
    let scratch = try Scratch()
    let documents = randomDocuments(900, vocabulary: vocabulary)
    try writeDataset(scratch.path("d"), documents, vocabulary: vocabulary, shardTokens: 80_000)
    for threads in [1, 3] {
      let verifier = try DatasetVerifier.verify(scratch.path("d"), threads: threads)
      #expect(verifier.problems.isEmpty)
      #expect(verifier.documents == 900 && verifier.tokens == flatten(documents).count)
    }
    try writeDataset(scratch.path("e"), [])
    #expect(try DatasetVerifier.verify(scratch.path("e"), threads: 1).problems.isEmpty)
  }

  /// Flips one bit at many byte positions of every file. It must be found unless it is one of the few bits
  /// that a zstd decoder ignores, so that the content is unchanged.
  @Test func findsEveryFlippedBit() throws {
    let scratch = try Scratch()
    let documents = randomDocuments(40, vocabulary: 1000)
    try writeDataset(scratch.path("d"), documents)
    var ignored = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: scratch.path("d")).sorted() {
      let url = URL(fileURLWithPath: scratch.path("d/\(name)"))
      let sound = try Data(contentsOf: url)
      let isIndex = name == "index.json"
      for position in stride(from: 0, to: sound.count, by: max(1, sound.count / 60)) {
        // White space and the recipe in index.json may change without harm.
        let text = isIndex ? String(decoding: sound, as: UTF8.self) : ""
        if isIndex, let recipe = text.range(of: "\"recipe\"[^\n]*", options: .regularExpression),
          text.utf8.distance(from: text.startIndex, to: recipe.lowerBound) <= position,
          position < text.utf8.distance(from: text.startIndex, to: recipe.upperBound)
        {
          continue
        }
        var damaged = sound
        damaged[position] ^= isIndex ? 0x40 : 1 << (position % 8)
        try damaged.write(to: url)
        let verifier = try DatasetVerifier.verify(scratch.path("d"), threads: 1)
        if verifier.problems.isEmpty {
          ignored += 1
          #expect(name.hasSuffix(".zst"), "\(name) at byte \(position)")
          #expect(try readDocuments(Dataset(scratch.path("d"))) == documents)
        }
      }
      try sound.write(to: url)
    }
    #expect(ignored < 5)
    #expect(try DatasetVerifier.verify(scratch.path("d"), threads: 1).problems.isEmpty)
  }

  @Test func namesTruncatedMissingAndExtraFiles() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(40, vocabulary: 1000))
    let directory = scratch.path("d")
    func problems() throws -> String {
      try DatasetVerifier.verify(directory, threads: 1).problems.map(\.description).joined(
        separator: "\n")
    }
    try "x".write(toFile: directory + "/notes.txt", atomically: false, encoding: .utf8)
    #expect(try problems() == "\(directory)/notes.txt: the file does not belong to the dataset")
    try FileManager.default.removeItem(atPath: directory + "/notes.txt")

    let shard = URL(fileURLWithPath: directory + "/train-00000.tokens.zst")
    let sound = try Data(contentsOf: shard)
    for length in [0, 1, 16, 17, sound.count / 2, sound.count - 1] {
      try sound.prefix(length).write(to: shard)
      #expect(try problems().contains("train-00000.tokens.zst at byte"))
      let dataset = try Dataset(directory)
      #expect(failure { _ = try SplitReader(dataset, split: "train") }?.kind == .badInput)
    }
    try FileManager.default.removeItem(at: shard)
    #expect(try problems() == "\(directory)/train-00000.tokens.zst: the file is missing")
    #expect(failure { _ = try Dataset(directory) }?.remedy?.contains("recreate the dataset") == true)
  }

  /// Files that are valid on their own but do not belong together.
  @Test func findsFilesOfAnotherDataset() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("a"), randomDocuments(40, vocabulary: 1000, seed: 1))
    let other = randomDocuments(40, vocabulary: 1000, seed: 1).map {
      TestDocument(
        tokens: $0.tokens.map { $0 ^ 1 == 0 ? $0 : $0 ^ 1 }, textBytes: $0.textBytes, words: $0.words)
    }
    try writeDataset(scratch.path("b"), other, vocabulary: 2000)
    for name in ["train-00000.tokens.zst", "train-00000.documents.zst", "tokenizer.json"] {
      let original = try Data(contentsOf: URL(fileURLWithPath: scratch.path("a/\(name)")))
      let foreign = try Data(contentsOf: URL(fileURLWithPath: scratch.path("b/\(name)")))
      guard foreign != original else { continue }
      try foreign.write(to: URL(fileURLWithPath: scratch.path("a/\(name)")))
      let problems = try DatasetVerifier.verify(scratch.path("a"), threads: 1).problems
      #expect(problems.contains { $0.file.hasSuffix(name) })
      try original.write(to: URL(fileURLWithPath: scratch.path("a/\(name)")))
    }
  }

  @Test(arguments: [
    ("\"version\" : 1", "\"version\" : 9", "format version 9"),
    ("pkm-dataset", "dolma", "the format is \"dolma\""),
    ("\"vocabulary_size\" : 1000", "\"vocabulary_size\" : 70000", "token_bytes is 2"),
    ("\"end_of_document\" : 0", "\"end_of_document\" : 1000", "outside the vocabulary"),
    ("\"split\" : \"train\"", "\"split\" : \"elsewhere\"", "not in splits"),
    ("train-00000.tokens.zst", "../tokens.zst", "is not a file name"),
    ("\"token_bytes\"", "\"token_bits\"", "\"token_bytes\" is missing"),
    ("\"documents\" : 40", "\"documents\" : 41", "add up to"),
    ("{", "[", "not valid JSON"),
    ("\"documents\" : 40", "\"documents\" : 9223372036854775807", "which is not 0 to 4398046511104"),
    ("\"end_of_document\" : 0", "\"end_of_document\" : -1", "outside the vocabulary"),
    ("\"token_bytes\" : 2", "\"token_bytes\" : 0", "token_bytes is 0"),
    ("\"vocabulary_size\" : 1000", "\"vocabulary_size\" : -5", "vocabulary_size is -5"),
    ("\"vocabulary_size\" : 1000", "\"vocabulary_size\" : 1e300", "vocabulary_size is 1e300, and must be"),
  ]) func reportsInconsistentIndex(old: String, new: String, reason: String) throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(40, vocabulary: 1000))
    let file = scratch.path("d/index.json")
    let text = try String(contentsOfFile: file, encoding: .utf8)
    let first = try #require(text.range(of: old))
    try text.replacingCharacters(in: first, with: new).write(toFile: file, atomically: false, encoding: .utf8)
    let refusal = failure { _ = try Dataset(scratch.path("d")) }
    #expect(
      refusal?.kind == .badInput && refusal?.remedy != nil || refusal?.message.contains("format") == true)
    #expect(refusal?.message.contains(reason) == true, "\(String(describing: refusal))")
    #expect(try !DatasetVerifier.verify(scratch.path("d"), threads: 1).problems.isEmpty)
  }
}
