import CICU
import Support

/// What of a text decides whether it says the same as another one: its words, without case, accents, width, punctuation
/// and the values of digits.
///
/// Each character by itself: NFKC case folding, then NFKD; nonspacing and enclosing marks and format characters go;
/// decimal digits become `0`; letters, other numbers and spacing marks stay; everything else separates words. Characters
/// of scripts that do not set words apart (Han, kana, Thai, Lao, Khmer, Myanmar) are words of themselves. So `Größe: 1,5
/// KM!` and `grosse 3 7 km` have the same key, `grosse 0 0 km`. Texts that are canonically equivalent have the same key.
///
/// The text goes through in pieces of at most 32 kB, cut at ASCII white space, so that a gigabyte takes no more memory
/// than a line; a word longer than a piece counts as several.
package struct ComparisonKey: ~Copyable {
  private let folded: UnsafeMutablePointer<UInt8>
  private let hashes: UnsafeMutablePointer<UInt64>
  private let seed: UInt64

  private static let pieceBytes = 32 << 10

  /// `seed` is that of the hashes of words and characters; the key itself has none.
  package init(seed: UInt64 = 0) {
    self.seed = seed
    let room = Self.pieceBytes * Int(PKM_COMPARISON_GROWTH)
    folded = .allocate(capacity: room + Int(PKM_COMPARISON_SLACK))
    hashes = .allocate(capacity: room)
  }

  deinit {
    folded.deallocate()
    hashes.deallocate()
  }

  /// The key as text: the words, one space between two.
  package func append(keyOf text: UnsafeRawBufferPointer, to key: inout [UInt8]) {
    let start = key.count
    forEachPiece(of: text) { piece, count in
      let words = self.key(of: piece, count)
      if words.count > 0 && key.count > start { key.append(UInt8(ascii: " ")) }
      key.append(contentsOf: words)
    }
  }

  package func key(of text: UnsafeRawBufferPointer) -> [UInt8] {
    var key: [UInt8] = []
    append(keyOf: text, to: &key)
    return key
  }

  /// A 64-bit hash of the key; nil where the key is empty.
  package func hash(of text: UnsafeRawBufferPointer) -> UInt64? {
    guard let base = text.baseAddress, text.count <= Self.pieceBytes else {
      let key = key(of: text)
      return key.isEmpty ? nil : key.withUnsafeBytes { Hashing.xxh3($0, seed: seed) }
    }
    let words = self.key(of: base.assumingMemoryBound(to: UInt8.self), text.count)
    return words.isEmpty ? nil : Hashing.xxh3(words, seed: seed)
  }

  /// The key of a piece, valid until the next call.
  @inline(__always)
  private func key(of piece: UnsafePointer<UInt8>, _ count: Int) -> UnsafeRawBufferPointer {
    // The hashes of words are not needed here, and have room enough.
    let key = UnsafeMutableRawPointer(hashes)
    let length = pkm_comparison_key(piece, count, folded, key.assumingMemoryBound(to: UInt8.self))
    return UnsafeRawBufferPointer(start: key, count: length)
  }

  /// Hashes of the words, some at a time.
  package func forEachWords(of text: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<UInt64>) -> Void) {
    forEachFoldedPiece(of: text) { count in
      let words = pkm_comparison_words(folded, count, seed, hashes, nil)
      if words > 0 { body(UnsafeBufferPointer(start: hashes, count: words)) }
    }
  }

  /// Hashes of the characters of the key, some at a time.
  package func forEachCharacters(
    of text: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<UInt64>) -> Void
  ) {
    var isInText: Int32 = 0
    forEachFoldedPiece(of: text) { count in
      let characters = pkm_comparison_characters(folded, count, seed, &isInText, hashes)
      if characters > 0 { body(UnsafeBufferPointer(start: hashes, count: characters)) }
    }
  }

  /// Calls `body` with the length of each piece, which is folded by then.
  private func forEachFoldedPiece(of text: UnsafeRawBufferPointer, _ body: (Int) -> Void) {
    forEachPiece(of: text) { piece, count in body(pkm_comparison_fold(piece, count, folded)) }
  }

  private func forEachPiece(of text: UnsafeRawBufferPointer, _ body: (UnsafePointer<UInt8>, Int) -> Void) {
    guard let base = text.baseAddress else { return }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    var start = 0
    while start < text.count {
      let end = Self.endOfPiece(text, from: start)
      body(bytes + start, end - start)
      start = end
    }
  }

  private static func endOfPiece(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
    var end = start + pieceBytes
    if end >= text.count { return text.count }
    while end > start && text[end] != 0x20 && text[end] &- 9 >= 5 { end -= 1 }
    if end > start { return end }
    end = start + pieceBytes
    while text[end] & 0xc0 == 0x80 { end -= 1 }
    return end
  }
}
