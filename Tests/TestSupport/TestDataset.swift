import Shards
import Support

/// A document in a test: ids without the end-of-document id.
package struct TestDocument: Equatable, Sendable {
  package var tokens: [UInt32]
  package var textBytes: Int
  package var words: Int

  package init(tokens: [UInt32], textBytes: Int = 0, words: Int = 0) {
    (self.tokens, self.textBytes, self.words) = (tokens, textBytes, words)
  }
}

/// Documents of random lengths and ids. Id 0 is reserved for the end of a document.
package func randomDocuments(
  _ count: Int, vocabulary: Int, lengths: ClosedRange<Int> = 0...400, seed: UInt64 = 1
) -> [TestDocument] {
  var generator = RandomGenerator(seed: seed)
  return (0..<count).map { _ in
    let length = lengths.lowerBound + generator.below(lengths.count)
    let tokens = (0..<length).map { _ in UInt32(1 + generator.below(vocabulary - 1)) }
    return TestDocument(tokens: tokens, textBytes: 4 * length, words: length / 2)
  }
}

package let testTokenizer = Array("{\"a tokenizer\": true}".utf8)

/// Writes a dataset of one split.
@discardableResult
package func writeDataset(
  _ directory: String, _ documents: [TestDocument], vocabulary: Int = 1000,
  tokenizer: [UInt8] = testTokenizer,
  split: String = "train", shardTokens: Int? = nil, threads: Int = 2
) throws -> DatasetIndex {
  let writer = try DatasetWriter(
    directory: directory, tokenizerJSON: tokenizer, vocabularySize: vocabulary, endOfDocument: 0,
    split: split, shardTokens: shardTokens, recipe: "a test", threads: threads)
  for document in documents { try writer.append(document) }
  return try writer.finish()
}

/// Writes a dataset of the splits `train` and `valid`, whose largest id ends documents.
package func writeDataset(
  _ directory: String, train: [TestDocument], valid: [TestDocument], vocabulary: Int, packing: Packing? = nil
) throws {
  let writer = try DatasetWriter(
    directory: directory, tokenizerJSON: testTokenizer, vocabularySize: vocabulary,
    endOfDocument: vocabulary - 1, packing: packing)
  for document in train { try writer.append(document, to: "train") }
  for document in valid { try writer.append(document, to: "valid") }
  try writer.finish()
}

extension DatasetWriter {
  fileprivate func append(_ document: TestDocument, to split: String? = nil) throws {
    try document.tokens.withUnsafeBufferPointer {
      try append($0, textBytes: document.textBytes, words: document.words, to: split)
    }
  }
}

package func readDocuments(_ dataset: Dataset, _ split: String = "train") throws -> [TestDocument] {
  var documents: [TestDocument] = []
  try EncodedDocumentReader(dataset, split: split).forEachDocument { tokens, row in
    documents.append(TestDocument(tokens: Array(tokens), textBytes: row.textBytes, words: row.words))
  }
  return documents
}

/// The expected tokens of a split on disk.
package func flatten(_ documents: [TestDocument]) -> [Int32] {
  documents.flatMap { $0.tokens.map(Int32.init) + [0] }
}

/// The failure that a call throws, or nil.
package func failure(of body: () throws -> Void) -> Failure? {
  do {
    try body()
    return nil
  } catch { return error as? Failure }
}
