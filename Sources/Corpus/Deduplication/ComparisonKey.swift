import CBytes
import CICU
import Support

/// Reduces text to a key that decides whether two texts count as equal: its words, without case, accents,
/// width, punctuation and the values of digits, unless some of these are kept (``KeptDetails``).
///
/// Each character is mapped by NFKC case folding, then NFKD. Accents, enclosing marks and format characters
/// are dropped; decimal digits become `0`; letters, other numbers and all other marks are kept; everything
/// else separates words. Accents are the nonspacing marks on letters of Latin, Greek and Cyrillic, as for
/// `normalize --strip-accents`: in other scripts such a mark is a letter of its own (कल is not कुल, かき not
/// がき). In scripts that do not separate words (Han, kana, Thai, Lao, Khmer, Myanmar) each character is a
/// word, with its marks. So `Größe: 1,5 KM!` and `grosse 3 7 km` have the same key, `grosse 0 0 km`.
/// Canonically equivalent texts have the same key, unless a letter has more than 32 marks.
///
/// Text is processed in chunks of at most 32 kB that end at ASCII white space, so a gigabyte of text needs no
/// more memory than a line. A word longer than a chunk counts as several words.
package struct ComparisonKey: ~Copyable {
  private let folded: UnsafeMutablePointer<UInt8>
  private let hashes: UnsafeMutablePointer<UInt64>
  private let seed: UInt64
  private let keep: KeptDetails

  /// Changes when the rules change: stored keys and hashes of other versions cannot be compared.
  package static let version = 2

  private static let chunkBytes = 32 << 10

  /// `seed` is used for the hashes of words and characters; the key itself does not depend on it.
  package init(keeping keep: KeptDetails = [], seed: UInt64 = 0) {
    (self.keep, self.seed) = (keep, seed)
    let capacity = Self.chunkBytes * Int(PKM_COMPARISON_GROWTH)
    folded = .allocate(capacity: capacity + Int(PKM_COMPARISON_SLACK))
    hashes = .allocate(capacity: capacity)
  }

  deinit {
    folded.deallocate()
    hashes.deallocate()
  }

  /// Appends the key as text: the words, separated by single spaces.
  package func append(keyOf text: UnsafeRawBufferPointer, to key: inout [UInt8]) {
    let start = key.count
    forEachChunk(of: text) { chunk, count in
      let words = self.key(of: chunk, count)
      if words.count > 0 && key.count > start { key.append(UInt8(ascii: " ")) }
      key.append(contentsOf: words)
    }
  }

  package func key(of text: UnsafeRawBufferPointer) -> [UInt8] {
    var key: [UInt8] = []
    append(keyOf: text, to: &key)
    return key
  }

  /// Whether the text has a letter, a number or a mark of a word; punctuation alone is no text to compare.
  package func hasWord(in text: UnsafeRawBufferPointer) -> Bool {
    var hasWord = false
    forEachChunk(of: text) { chunk, count in
      if hasWord { return }
      let length = pkm_comparison_fold(chunk, count, 0, folded)
      hasWord = UnsafeBufferPointer(start: folded, count: length).contains { $0 != 0x20 }
    }
    return hasWord
  }

  /// A 64-bit hash of the key; nil if the text has no word.
  package func hash(of text: UnsafeRawBufferPointer) -> UInt64? {
    if keep.contains(.punctuation) && !hasWord(in: text) { return nil }
    guard let base = text.baseAddress, text.count <= Self.chunkBytes else {
      let key = key(of: text)
      return key.isEmpty ? nil : key.withUnsafeBytes { Hashing.xxh3($0, seed: seed) }
    }
    let words = self.key(of: base.assumingMemoryBound(to: UInt8.self), text.count)
    return words.isEmpty ? nil : Hashing.xxh3(words, seed: seed)
  }

  /// The key of a chunk, valid until the next call.
  @inline(__always)
  private func key(of chunk: UnsafePointer<UInt8>, _ count: Int) -> UnsafeRawBufferPointer {
    // The buffer for the hashes of words is free here, and large enough.
    let key = UnsafeMutableRawPointer(hashes)
    let length = pkm_comparison_key(
      chunk, count, keep.rawValue, folded, key.assumingMemoryBound(to: UInt8.self))
    return UnsafeRawBufferPointer(start: key, count: length)
  }

  /// Calls `body` with the hashes of the words, in batches.
  package func forEachWords(of text: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<UInt64>) -> Void) {
    forEachFoldedChunk(of: text) { count in
      let words = pkm_comparison_words(folded, count, seed, hashes, nil)
      if words > 0 { body(UnsafeBufferPointer(start: hashes, count: words)) }
    }
  }

  /// Calls `body` with the hashes of the characters of the key, in batches.
  package func forEachCharacters(
    of text: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<UInt64>) -> Void
  ) {
    var isInText: Int32 = 0
    forEachFoldedChunk(of: text) { count in
      let characters = pkm_comparison_characters(folded, count, seed, &isInText, hashes)
      if characters > 0 { body(UnsafeBufferPointer(start: hashes, count: characters)) }
    }
  }

  /// Folds each chunk and calls `body` with its folded length.
  private func forEachFoldedChunk(of text: UnsafeRawBufferPointer, _ body: (Int) -> Void) {
    forEachChunk(of: text) { chunk, count in body(pkm_comparison_fold(chunk, count, keep.rawValue, folded)) }
  }

  private func forEachChunk(of text: UnsafeRawBufferPointer, _ body: (UnsafePointer<UInt8>, Int) -> Void) {
    guard let base = text.baseAddress else { return }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    var start = 0
    while start < text.count {
      let end = Self.endOfChunk(text, from: start)
      body(bytes + start, end - start)
      start = end
    }
  }

  private static func endOfChunk(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
    var end = start + chunkBytes
    if end >= text.count { return text.count }
    while end > start && text[end] != 0x20 && text[end] &- 9 >= 5 { end -= 1 }
    if end > start { return end }
    end = start + chunkBytes
    // No mark is separated from its letter, unless there are too many.
    for _ in 0..<64 {
      while text[end] & 0xc0 == 0x80 { end -= 1 }
      if !pkm_comparison_is_mark(text.baseAddress!.assumingMemoryBound(to: UInt8.self) + end) { break }
      end -= 1
    }
    while text[end] & 0xc0 == 0x80 { end -= 1 }
    return end
  }
}
