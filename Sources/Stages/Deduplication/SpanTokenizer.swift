import Corpus
import Support
import Tokenization

/// Encodes documents whose spans are measured in tokens.
struct SpanTokenizer: Sendable {
  let encoder: BPEEncoder
  let file: String
  /// A hash of the tokenizer file.
  let identity: String

  static func load(_ file: String) throws -> SpanTokenizer {
    let tokenizer = try TokenizerFile.loadToEncode(file)
    guard tokenizer.mode == .byteLevel, tokenizer.vocabulary.count <= Int(SpanTokens.idLimit) else {
      throw Failure(
        .usage, "spans cannot be counted in its tokens", file: file,
        remedy: "Give a byte-level tokenizer, or count in words")
    }
    let hash = try MappedFile.read(file).withUnsafeBytes { Hashing.xxh64($0) }
    return SpanTokenizer(
      encoder: BPEEncoder(tokenizer), file: file, identity: Hashing.hexadecimal(hash))
  }

  func tokens(of batch: DocumentBatch) throws -> SpanTokens {
    let encoded = batch.bytes.withUnsafeBufferPointer { encoder.encode($0, documents: batch.ranges) }
    var ends: [Int] = []
    ends.reserveCapacity(encoded.ids.count)
    var first = 0
    for (range, last) in zip(batch.ranges, encoded.ends) {
      var end = 0
      for id in encoded.ids[first..<last] {
        end += encoder.tokenizer.vocabulary.range(of: id).count
        ends.append(end)
      }
      guard end == range.count else {
        throw Failure(.usage, "its tokens are not the whole text", file: file, remedy: "Count in words")
      }
      first = last
    }
    return SpanTokens(ids: encoded.ids, ends: encoded.ends, textEnds: ends)
  }
}
