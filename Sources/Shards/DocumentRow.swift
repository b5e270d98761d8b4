/// A row of a `.documents.zst` file, which is a zstd seekable file of one row per document: little-endian
/// `uint32` counts of the document's tokens (including the end-of-document id), and of the bytes and words of
/// its text.
///
/// The rows make it possible to shuffle, split and merge datasets without losing the bytes and words that are
/// needed for perplexity per word and bits per byte. In NumPy: `frombuffer(…, "<u4").reshape(-1, 3)`.
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

  /// Calls `body` with the 12 bytes of the row; returns nil if a count does not fit in 32 bits.
  func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows -> Void? {
    guard let tokens = UInt32(exactly: tokens), let textBytes = UInt32(exactly: textBytes),
      let words = UInt32(exactly: words)
    else { return nil }
    let row = (tokens.littleEndian, textBytes.littleEndian, words.littleEndian)
    return try withUnsafeBytes(of: row, body)
  }
}
