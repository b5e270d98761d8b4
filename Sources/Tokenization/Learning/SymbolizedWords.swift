import Support

/// Distinct words as symbols of an alphabet, laid out for the ``BPETrainer``: a separator, then each word
/// followed by a separator, the most frequent words first.
///
/// A symbol takes four bytes. Learning works on this memory, so the value is handed over and not copied.
package struct SymbolizedWords: ~Copyable, @unchecked Sendable {
  // The value alone owns its memory, and exclusive access guards a value that cannot be copied.

  /// Separates words, and replaces characters that no merge may touch.
  static let separator = UInt32.max
  /// Replaces a symbol that is now inside another one.
  static let interior = UInt32.max - 1

  package let alphabet: [[UInt8]]
  let symbols: UnsafeMutableBufferPointer<UInt32>
  let weights: PositionWeights
  /// Whether the last symbol of each word carries `</w>`, as in word mode.
  let marksEndOfWord: Bool

  deinit { symbols.deallocate() }

  /// Words as bytes; symbol i is byte i of ``ByteAlphabet/bytes``.
  package init(bytesOf words: WordCounts) throws {
    let ranks = ByteAlphabet.ranks
    try self.init(words, alphabet: ByteAlphabet.bytes.map { [$0] }, marksEndOfWord: false) { word, _, out in
      ranks.withUnsafeBufferPointer { ranks in
        for index in 0..<word.count { out[index] = UInt32(ranks[Int(word[index])]) }
      }
      return word.count
    }
  }

  /// Words as characters (``Characters``), with `</w>` appended to the last one of each.
  ///
  /// The alphabet is that of `inventory`. No merge reaches across any other character, as in encoding.
  package init(charactersOf words: WordCounts, _ inventory: CharacterInventory) throws {
    let alphabet = inventory.symbols
    let index = Vocabulary(alphabet)
    let ids = inventory.characters.map { character in
      (
        inside: index.id(of: character) ?? Self.separator,
        final: index.id(of: character + EndOfWord.mark) ?? Self.separator
      )
    }
    let characters = Vocabulary(inventory.characters)
    let ascii = (0..<128).map { characters.id(of: [UInt8($0)]).map { ids[Int($0)] } }
    let dropped = (inside: Self.separator, final: Self.separator)
    try self.init(words, alphabet: alphabet, marksEndOfWord: true) { word, _, out in
      var count = 0
      Characters.forEachCharacter(in: word) { character, isLast in
        let id =
          character.count == 1 && character[0] < 0x80
          ? ascii[Int(character[0])] ?? dropped : characters.id(of: character).map { ids[Int($0)] } ?? dropped
        out[count] = isLast ? id.final : id.inside
        count += 1
      }
      return count
    }
  }

  /// `split` writes the symbols of a word, at most one per `bytesPerSymbol`, and returns their number.
  init(
    _ words: WordCounts, alphabet: [[UInt8]], marksEndOfWord: Bool, bytesPerSymbol: Int = 1,
    split: (UnsafeBufferPointer<UInt8>, _ word: Int, _ out: UnsafeMutablePointer<UInt32>) -> Int
  ) throws {
    let capacity = words.bytes.count / bytesPerSymbol + words.distinct + 1
    guard capacity < Int(UInt32.max) - 2 else {
      throw Failure(
        .failed, "the distinct words have \(capacity) symbols, more than 4 billion",
        remedy: "Learn from a part of the text, or with a pre-tokenizer that makes shorter words")
    }
    let symbols = LargePages.allocate(UInt32.self, count: capacity)
    symbols[0] = Self.separator
    var filled = 1
    var weights = PositionWeights.Runs()
    var occurrences = 0
    var isTooMuch = false
    words.bytes.withUnsafeBufferPointer { bytes in
      for word in words.byFallingCount() {
        let length = split(
          UnsafeBufferPointer(rebasing: bytes[words.range(of: word)]), word, symbols + filled)
        filled += length
        symbols[filled] = Self.separator
        filled += 1
        let count = words.counts[word]
        weights.append(count, until: filled)
        let (product, overflow) = count.multipliedReportingOverflow(by: length)
        let (sum, overflowToo) = occurrences.addingReportingOverflow(product)
        isTooMuch = isTooMuch || overflow || overflowToo
        occurrences = sum
      }
    }
    if isTooMuch {
      symbols.deallocate()
      throw Failure(
        .failed, "the words have more than \(Int.max) symbols, counted as often as they occur",
        remedy: "Divide all counts by the same number")
    }
    self.alphabet = alphabet
    self.marksEndOfWord = marksEndOfWord
    self.symbols = UnsafeMutableBufferPointer(start: symbols, count: filled)
    self.weights = PositionWeights(weights)
  }
}
