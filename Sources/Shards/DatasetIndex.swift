import Foundation
import Support

/// `index.json`: the contents of a dataset directory.
///
/// Token counts include the end-of-document id of each document. `text_bytes` and `words` (``Words``) count
/// the original text of the documents; they are needed for bits per byte and perplexity per word.
package struct DatasetIndex: Codable, Equatable, Sendable {
  package static let fileName = "index.json"
  package static let tokenizerFileName = "tokenizer.json"
  package static let formatName = "pkm-dataset"
  package static let currentVersion = 1

  package struct Tokenizer: Codable, Equatable, Sendable {
    package let file: String
    package let sha256: String
  }

  /// The size of a shard or a split.
  package struct Totals: Codable, Equatable, Sendable {
    package var tokens = 0
    package var documents = 0
    package var textBytes = 0
    package var words = 0

    package init() {}

    package static func += (total: inout Totals, part: Totals) {
      total.tokens += part.tokens
      total.documents += part.documents
      total.textBytes += part.textBytes
      total.words += part.words
    }

    enum CodingKeys: String, CodingKey {
      case tokens, documents, words
      case textBytes = "text_bytes"
    }
  }

  package struct Shard: Codable, Equatable, Sendable {
    /// `train-00000.tokens.zst`: a zstd seekable file of token ids only.
    package let file: String
    package let split: String
    package let tokens: Int
    package let documents: Int
    /// The uncompressed size of `file`: `tokens` × `token_bytes`.
    package let bytes: Int
    /// The XXH64 of the uncompressed bytes of `file`, as 16 hexadecimal digits.
    package let xxh64: String
    package let textBytes: Int
    package let words: Int
    /// `train-00000.documents.zst`: a row of three `uint32` per document (``DocumentRow``).
    package let documentsFile: String
    package let documentsXXH64: String
    /// XXH64 of the seek tables of the two files, which hold the checksum of each frame. It ties the files to the index at
    /// the price of their tables, so it is checked whenever a shard is opened; nil in datasets of earlier versions.
    package let seekTablesXXH64: String?

    /// The counts by their keys.
    var counts: [(key: String, value: Int)] {
      let counts: [(CodingKeys, Int)] = [
        (.tokens, tokens), (.documents, documents), (.bytes, bytes), (.textBytes, textBytes), (.words, words),
      ]
      return counts.map { ($0.0.rawValue, $0.1) }
    }

    /// Whether sums and products of the counts cannot overflow.
    var isPlausible: Bool { counts.allSatisfy { DatasetIndex.counts.contains($0.value) } }

    package var totals: Totals {
      var totals = Totals()
      (totals.tokens, totals.documents, totals.textBytes, totals.words) = (
        tokens, documents, textBytes, words
      )
      return totals
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
      case file, split, tokens, documents, bytes, xxh64, words
      case textBytes = "text_bytes"
      case documentsFile = "documents_file"
      case documentsXXH64 = "documents_xxh64"
      case seekTablesXXH64 = "seek_tables_xxh64"
    }
  }

  package let format: String
  package let version: Int
  /// 2 (`uint16`) for vocabularies of up to 65,536 tokens, otherwise 4 (`uint32`); both little-endian.
  package let tokenBytes: Int
  package let vocabularySize: Int
  package let endOfDocument: Int
  package let tokenizer: Tokenizer
  /// How `pkm-train` packs the documents into sequences unless its recipe says otherwise; nil leaves it to
  /// the trainer.
  package let packing: Packing?
  package let splits: [String: Totals]
  /// The shards, in the order of their tokens within each split.
  package let shards: [Shard]
  /// The recipe or command that made the dataset.
  package let recipe: String?

  enum CodingKeys: String, CodingKey {
    case format, version, tokenizer, packing, splits, shards, recipe
    case tokenBytes = "token_bytes"
    case vocabularySize = "vocabulary_size"
    case endOfDocument = "end_of_document"
  }

  init(
    vocabularySize: Int, endOfDocument: Int, tokenizerSHA256: String, packing: Packing?,
    splits: [String: Totals], shards: [Shard], recipe: String?
  ) {
    format = Self.formatName
    version = Self.currentVersion
    tokenBytes = Self.tokenBytes(vocabularySize: vocabularySize)
    self.vocabularySize = vocabularySize
    self.endOfDocument = endOfDocument
    tokenizer = Tokenizer(file: Self.tokenizerFileName, sha256: tokenizerSHA256)
    self.packing = packing
    self.splits = splits
    self.shards = shards
    self.recipe = recipe
  }

  package static func tokenBytes(vocabularySize: Int) -> Int { vocabularySize <= 1 << 16 ? 2 : 4 }

  /// Whether a name is allowed for a split. It becomes part of file names.
  package static func isValidSplitName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 64
      && name.utf8.allSatisfy {
        ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z")
          || $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") || $0 == UInt8(ascii: "_")
          || $0 == UInt8(ascii: "-")
      }
  }

  /// A copy of the index with another recipe.
  package func with(recipe: String?) -> DatasetIndex {
    DatasetIndex(
      vocabularySize: vocabularySize, endOfDocument: endOfDocument, tokenizerSHA256: tokenizer.sha256,
      packing: packing, splits: splits, shards: shards, recipe: recipe)
  }

  /// The bytes of `index.json`. Keys are sorted and there is no time stamp, so equal datasets have equal
  /// files.
  package func json() throws -> [UInt8] {
    try JSONFile.bytes(of: self) + [UInt8(ascii: "\n")]
  }
}
