import Foundation
import Shards
import Support
import Testing

/// A document in a test: ids without the end-of-document id.
struct TestDocument: Equatable {
  var tokens: [UInt32]
  var textBytes = 0
  var words = 0
}

/// Documents of random lengths and ids. Id 0 is reserved for the end of a document.
func randomDocuments(_ count: Int, vocabulary: Int, longest: Int = 400, seed: UInt64 = 1) -> [TestDocument] {
  var generator = RandomGenerator(seed: seed)
  return (0..<count).map { _ in
    let length = generator.below(longest + 1)
    let tokens = (0..<length).map { _ in UInt32(1 + generator.below(vocabulary - 1)) }
    return TestDocument(tokens: tokens, textBytes: 4 * length, words: length / 2)
  }
}

let testTokenizer = Array("{\"a tokenizer\": true}".utf8)

@discardableResult
func writeDataset(
  _ directory: String, _ documents: [TestDocument], vocabulary: Int = 1000, split: String = "train",
  shardTokens: Int? = nil, threads: Int = 2
) throws -> DatasetIndex {
  let writer = try DatasetWriter(
    directory: directory, tokenizerJSON: testTokenizer, vocabularySize: vocabulary, endOfDocument: 0,
    split: split, shardTokens: shardTokens, recipe: "a test", threads: threads)
  for document in documents {
    try document.tokens.withUnsafeBufferPointer {
      try writer.append($0, textBytes: document.textBytes, words: document.words)
    }
  }
  return try writer.finish()
}

func readDocuments(_ dataset: Dataset, _ split: String = "train") throws -> [TestDocument] {
  var documents: [TestDocument] = []
  try EncodedDocumentReader(dataset, split: split).forEachDocument { tokens, row in
    documents.append(TestDocument(tokens: Array(tokens), textBytes: row.textBytes, words: row.words))
  }
  return documents
}

/// The expected tokens of a split on disk.
func flatten(_ documents: [TestDocument]) -> [Int32] { documents.flatMap { $0.tokens.map(Int32.init) + [0] } }

/// The failure that a call throws, or nil.
func failure(of body: () throws -> Void) -> Failure? {
  do {
    try body()
    return nil
  } catch { return error as? Failure }
}
