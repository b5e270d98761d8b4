import Support

/// Distinct words as symbols of an alphabet, laid out for ``BPETrainer``: a separator, then each word followed by
/// a separator, the most frequent words first.
package struct SymbolizedWords: Sendable {
  package let alphabet: [[UInt8]]
  let symbols: [UInt32]
  let weights: PositionWeights
  /// Word mode: the last symbol of each word carries `</w>`.
  let marksEndOfWord: Bool

  /// Words as bytes: symbol i is the i-th byte in printable-first order.
  package init(bytesOf words: WordCounts) {
    self.init(words, alphabet: ByteAlphabet.bytes.map { [$0] }, marksEndOfWord: false) { word, emit in
      for byte in word { emit(UInt32(ByteAlphabet.ranks[Int(byte)])) }
    }
  }

  /// Words as characters, the last of each with `</w>` glued to it: a symbol begins at every byte that is not
  /// 10xxxxxx (and at the first of a word), whether or not the text is well-formed.
  ///
  /// The alphabet is what occurs, in byte order.
  package init(charactersOf words: WordCounts) {
    var seen = CountTable()
    words.bytes.withUnsafeBufferPointer { bytes in
      for word in 0..<words.distinct {
        Characters.forEachCharacter(in: UnsafeBufferPointer(rebasing: bytes[words.range(of: word)])) {
          character, isLast in
          seen.add(isLast ? Array(character) + EndOfWord.mark : Array(character))
        }
      }
    }
    var alphabet: [[UInt8]] = []
    seen.forEachKey { text, _ in alphabet.append(Array(text)) }
    alphabet.sort { $0.lexicographicallyPrecedes($1) }
    let index = Vocabulary(alphabet)
    self.init(words, alphabet: alphabet, marksEndOfWord: true) { word, emit in
      Characters.forEachCharacter(in: word) { character, isLast in
        emit(index.id(of: isLast ? Array(character) + EndOfWord.mark : Array(character))!)
      }
    }
  }

  private init(
    _ words: WordCounts, alphabet: [[UInt8]], marksEndOfWord: Bool,
    split: (UnsafeBufferPointer<UInt8>, _ emit: (UInt32) -> Void) -> Void
  ) {
    self.alphabet = alphabet
    self.marksEndOfWord = marksEndOfWord
    var symbols: [UInt32] = [BPETrainer.separator]
    symbols.reserveCapacity(words.bytes.count + words.distinct + 1)
    var weights = PositionWeights()
    let order = (0..<words.distinct).sorted { words.counts[$0] > words.counts[$1] }
    words.bytes.withUnsafeBufferPointer { bytes in
      for word in order {
        split(UnsafeBufferPointer(rebasing: bytes[words.range(of: word)])) { symbols.append($0) }
        symbols.append(BPETrainer.separator)
        weights.append(words.counts[word], until: symbols.count)
      }
    }
    self.symbols = symbols
    self.weights = weights
  }
}

/// The count of the word at each position.
///
/// Words lie by falling count, so that few runs of positions share each.
struct PositionWeights: Sendable {
  private var ends: [Int] = []
  private var weights: [Int] = []

  let start = 0

  mutating func append(_ weight: Int, until end: Int) {
    if weights.last == weight {
      ends[ends.count - 1] = end
    } else {
      ends.append(end)
      weights.append(weight)
    }
  }

  /// `cursor` belongs to one pass over ascending positions and begins as ``start``.
  @inline(__always) func weight(at position: Int, _ cursor: inout Int) -> Int {
    if position >= ends[cursor] { advance(to: position, &cursor) }
    return weights[cursor]
  }

  /// Doubling steps, then halving ones: near runs are found fast and far ones not slowly.
  private func advance(to position: Int, _ cursor: inout Int) {
    var step = 1
    while cursor + step < ends.count && position >= ends[cursor + step] {
      cursor += step
      step *= 2
    }
    while step > 0 {
      if cursor + step < ends.count && position >= ends[cursor + step] { cursor += step }
      step /= 2
    }
    cursor += 1
  }
}

/// Characters as word mode sees them.
enum Characters {
  /// Each byte that is not 10xxxxxx begins a character, and so does the first.
  @inline(__always)
  static func forEachCharacter(
    in word: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>, _ isLast: Bool) -> Void
  ) {
    var start = 0
    while start < word.count {
      var end = start + 1
      while end < word.count && word[end] & 0xc0 == 0x80 { end += 1 }
      body(UnsafeBufferPointer(rebasing: word[start..<end]), end == word.count)
      start = end
    }
  }
}

/// The 256 bytes in GPT-2's order and its characters for them.
package enum ByteAlphabet {
  /// The 188 printable bytes of Latin-1 first, then the others, each part ascending.
  package static let bytes: [UInt8] = {
    let printable = Array(UInt8(0x21)...0x7e) + Array(0xa1...0xac) + Array(0xae...0xff)
    return printable + (UInt8(0)...255).filter { !printable.contains($0) }
  }()

  /// The place of each byte in ``bytes``.
  package static let ranks: [UInt8] = {
    var ranks = [UInt8](repeating: 0, count: 256)
    for (rank, byte) in bytes.enumerated() { ranks[Int(byte)] = UInt8(rank) }
    return ranks
  }()

  /// The character that stands for each byte in vocab.json and tokenizer.json: itself, or U+0100 on in order.
  static let characters: [Unicode.Scalar] = {
    var characters = [Unicode.Scalar](repeating: " ", count: 256)
    for (rank, byte) in bytes.enumerated() {
      characters[Int(byte)] = rank < 188 ? Unicode.Scalar(byte) : Unicode.Scalar(UInt32(0x100 + rank - 188))!
    }
    return characters
  }()

  /// The same as UTF-8.
  static let encoded: [[UInt8]] = characters.map { Array(String($0).utf8) }

  /// A token's bytes as they are written in JSON.
  package static func encode(_ token: [UInt8]) -> [UInt8] { token.flatMap { encoded[Int($0)] } }

  /// The bytes that a written token stands for; nil if a character stands for none.
  package static func decode(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let first = text[index]
      if first < 0x80 {
        guard ranks[Int(first)] < 188 else { return nil }
        bytes.append(first)
        index += 1
        continue
      }
      guard index + 1 < text.count, first >= 0xc2, first <= 0xc5 else { return nil }
      let point = Int(first & 0x1f) << 6 | Int(text[index + 1] & 0x3f)
      if point < 0x100 {
        guard ranks[point] < 188 else { return nil }
        bytes.append(UInt8(point))
      } else {
        guard 188 + point - 0x100 < 256 else { return nil }
        bytes.append(self.bytes[188 + point - 0x100])
      }
      index += 2
    }
    return bytes
  }
}
