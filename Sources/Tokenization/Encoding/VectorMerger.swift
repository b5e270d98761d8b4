import CPreTokens
import Support

/// Merges short words in vector registers: all symbols of a word, and what each merges to with the next, are
/// one or two vectors.
///
/// The merging itself is `merging.c`; here are the symbols that words begin as.
final class VectorMerger: @unchecked Sendable {
  // Written by `init` only.

  /// The longest word in bytes; in word mode with ``TokenRanks/endOfWord``.
  static var maximumLength: Int { Int(PKM_SHORT_WORD) }

  private let ranks: TokenRanks
  /// Byte-level: the rank of each byte, and then what each two bytes merge to.
  private let bytes: UnsafeMutablePointer<UInt32>?
  /// Word mode: the rank of each ASCII character inside a word, then of each at the end of a word, or
  /// ``Vocabulary/missing``.
  private var asciiRanks: [UInt32] = []

  /// What one thread needs in word mode.
  struct Scratch: ~Copyable {
    fileprivate let symbols: UnsafeMutablePointer<UInt32>

    init() {
      symbols = .allocate(capacity: Int(PKM_SYMBOL_CAPACITY))
      symbols.initialize(repeating: 0, count: Int(PKM_SYMBOL_CAPACITY))
    }

    deinit { symbols.deallocate() }
  }

  /// Nil for a byte-level tokenizer that lacks a byte.
  init?(_ ranks: TokenRanks) {
    self.ranks = ranks
    if ranks.isWord {
      bytes = nil
      asciiRanks = (0..<256).map {
        ranks.rank(of: [UInt8($0 & 127)] + ($0 < 128 ? [] : [TokenRanks.endOfWord])) ?? Vocabulary.missing
      }
      return
    }
    let single = (UInt8.min...UInt8.max).map { ranks.rank(of: [$0]) ?? TokenTrie.none }
    if single.contains(TokenTrie.none) {
      bytes = nil
      return nil
    }
    let pairs = ranks.pairs
    let table = single + single.flatMap { left in single.map { pkm_pair_result(pairs, left, $0) } }
    let bytes = LargePages.allocate(UInt32.self, count: table.count)
    bytes.initialize(from: table, count: table.count)
    self.bytes = bytes
  }

  deinit { bytes?.deallocate() }

  /// Writes the ids of a word of at most ``maximumLength`` bytes to `output`, which has a capacity of one per
  /// byte and 16 more, and returns their number.
  ///
  /// In word mode the text ends in ``TokenRanks/endOfWord``, and a character without a token becomes
  /// ``Vocabulary/missing``.
  func encode(
    _ text: UnsafePointer<UInt8>, _ count: Int, _ scratch: borrowing Scratch,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    guard let bytes else { return encodeCharacters(text, count, scratch.symbols, into: output) }
    let written = Int(pkm_merge_bytes(ranks.pairs, bytes, bytes + 256, text, Int32(count), output))
    let ids = ranks.ids
    for index in 0..<written { output[index] = ids[Int(output[index])] }
    return written
  }

  /// The ids of up to `PKM_BATCH_WORDS` words of 1 to 15 bytes, merged side by side: 16 numbers for each
  /// word, and how many of them are ids.
  ///
  /// Byte-level only.
  func encode(
    _ words: UnsafePointer<WordKey>, _ count: Int, ids output: UnsafeMutablePointer<UInt32>,
    counts: UnsafeMutablePointer<UInt32>
  ) {
    pkm_merge_words(
      ranks.pairs, bytes!, bytes! + 256, UnsafeRawPointer(words).assumingMemoryBound(to: UInt8.self),
      Int32(count), output, counts)
    let ids = ranks.ids
    for word in 0..<count {
      for index in (16 * word)..<(16 * word + Int(counts[word])) { output[index] = ids[Int(output[index])] }
    }
  }

  private func encodeCharacters(
    _ text: UnsafePointer<UInt8>, _ count: Int, _ symbols: UnsafeMutablePointer<UInt32>,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var symbolCount = 0
    var position = 0
    let end = count - 1
    while position < end {
      let byte = text[position]
      var next = position + 1
      while next < end && text[next] & 0xc0 == 0x80 { next += 1 }
      let isMarked = next == end && ranks.mark == nil
      if byte < 0x80 && next == position + 1 {
        symbols[symbolCount] = asciiRanks[Int(byte) + (isMarked ? 128 : 0)]
      } else {
        symbols[symbolCount] =
          ranks.rank(of: text + position, next - position + (isMarked ? 1 : 0)) ?? Vocabulary.missing
      }
      symbolCount += 1
      position = next
    }
    if let mark = ranks.mark {
      symbols[symbolCount] = mark
      symbolCount += 1
    }
    let written = Int(pkm_merge_symbols(ranks.pairs, symbols, Int32(symbolCount)))
    for index in 0..<written {
      output[index] =
        symbols[index] == Vocabulary.missing ? Vocabulary.missing : ranks.ids[Int(symbols[index])]
    }
    return written
  }
}
