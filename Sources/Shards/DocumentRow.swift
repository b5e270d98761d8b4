/// One document's row in a `.documents.zst` file, which is a zstd seekable file of these rows and nothing else:
/// little-endian `uint32` tokens (the end-of-document id included), bytes and words of the document's text.
///
/// The row is what lets a dataset be shuffled, split and merged again without losing the bytes and words that perplexity
/// per word and bits per byte need. NumPy: `frombuffer(…, "<u4").reshape(-1, 3)`.
package struct DocumentRow: Equatable, Sendable {
  package static let byteCount = 12

  package let tokens: Int
  package let textBytes: Int
  package let words: Int

  package init(tokens: Int, textBytes: Int, words: Int) {
    (self.tokens, self.textBytes, self.words) = (tokens, textBytes, words)
  }

  /// The row at a byte offset.
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    func word(_ index: Int) -> Int {
      Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4 * index, as: UInt32.self)))
    }
    (tokens, textBytes, words) = (word(0), word(1), word(2))
  }

  /// Calls `body` with the 12 bytes of the row; nil where a count does not fit 32 bits.
  func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows -> Void? {
    guard let tokens = UInt32(exactly: tokens), let textBytes = UInt32(exactly: textBytes),
      let words = UInt32(exactly: words)
    else { return nil }
    let row = (tokens.littleEndian, textBytes.littleEndian, words.littleEndian)
    return try withUnsafeBytes(of: row, body)
  }
}
