/// Ids of documents, or of a part of one, as they lie in shards: little-endian, two or four bytes each.
package struct PackedBatch: Sendable {
  package var bytes: [UInt8] = []
  /// Ids of each document.
  package var counts: [Int] = []
  /// How many ids are ``Tokenizer/unknown``.
  package var unknown = 0
}
