import Corpus
import Support
import Tokenization

/// A span of a file that is one document, encoded between its first and its last safe cut: positions where a pre-token
/// ends whatever surrounds the span.
struct EncodedSpan: Sendable {
  let source: DocumentSource
  let head: [UInt8]
  let middle: Segment?
  /// nil: there was no safe cut, and `head` is the whole span.
  let tail: [UInt8]?

  init(_ batch: DocumentBatch, _ range: Range<Int>, _ encoder: BPEEncoder, tokenBytes: Int) {
    source = batch.source
    (head, middle, tail) = batch.bytes.withUnsafeBufferPointer { bytes in
      let text = UnsafeBufferPointer(rebasing: bytes[range])
      guard let (first, last) = encoder.tokenizer.preTokenizer.safeCuts(in: text) else {
        return (Array(text), nil, nil)
      }
      let middle =
        first < last
        ? Segment(UnsafeBufferPointer(rebasing: text[first..<last]), encoder, tokenBytes: tokenBytes) : nil
      return (Array(text[..<first]), middle, Array(text[last...]))
    }
  }

  /// Ids of consecutive text, and its counts.
  struct Segment: Sendable {
    let bytes: [UInt8]
    let unknown: Int
    let textBytes: Int
    let words: Int
    /// Whether the first and the last byte belong to words.
    let beginsInWord: Bool
    let endsInWord: Bool

    init(_ text: UnsafeBufferPointer<UInt8>, _ encoder: BPEEncoder, tokenBytes: Int) {
      let encoded = encoder.encodePacked(
        text, documents: [0..<text.count], terminator: nil, tokenBytes: tokenBytes)
      (bytes, unknown) = (encoded.bytes, encoded.unknown)
      let raw = UnsafeRawBufferPointer(text)
      textBytes = text.count
      words = Words.count(in: raw)
      beginsInWord = Words.count(in: UnsafeRawBufferPointer(rebasing: raw.prefix(1))) == 1
      endsInWord = Words.count(in: UnsafeRawBufferPointer(rebasing: raw.suffix(1))) == 1
    }
  }
}
