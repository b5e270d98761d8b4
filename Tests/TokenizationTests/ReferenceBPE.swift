import Foundation
import Support
import Tokenization

/// BPE by its definition: all pairs are counted again after every merge.
///
/// Slow and obvious; the reference for the fast implementation.
enum ReferenceBPE {
  struct Merge: Equatable {
    let left, right: [UInt8]
    let count: Int
  }

  /// Learns merges from words as lists of symbols with counts. Symbols are texts; their ids are the order in
  /// which they arise.
  static func learn(
    words: [(symbols: [[UInt8]], count: Int)], alphabet: [[UInt8]], limit: Int, minimumCount: Int,
    tieBreak: TieBreak, maximumSize: Int = .max,
    isAllowed: (_ left: [UInt8], _ right: [UInt8]) -> Bool = { _, _ in true }
  ) -> [Merge] {
    var words = words
    var ids: [[UInt8]: Int] = [:]
    for (id, symbol) in alphabet.enumerated() { ids[symbol] = id }
    var merges: [Merge] = []
    while merges.count < limit {
      var counts: [Pair: Int] = [:]
      for word in words {
        for (left, right) in zip(word.symbols, word.symbols.dropFirst())
        where left.count + right.count <= maximumSize {
          counts[Pair(left: left, right: right), default: 0] += word.count
        }
      }
      func isBetter(_ a: (key: Pair, value: Int), _ b: (key: Pair, value: Int)) -> Bool {
        if a.value != b.value { return a.value > b.value }
        switch tieBreak {
        case .smallestIDs:
          return (ids[a.key.left]!, ids[a.key.right]!) < (ids[b.key.left]!, ids[b.key.right]!)
        case .largestStrings:
          if a.key.left != b.key.left { return b.key.left.lexicographicallyPrecedes(a.key.left) }
          return b.key.right.lexicographicallyPrecedes(a.key.right)
        }
      }
      // Few of the pairs that are best are not allowed.
      while let best = counts.min(by: isBetter), !isAllowed(best.key.left, best.key.right) {
        counts[best.key] = nil
      }
      guard let best = counts.min(by: isBetter), best.value >= minimumCount else { break }
      let (left, right) = (best.key.left, best.key.right)
      merges.append(Merge(left: left, right: right, count: best.value))
      ids[left + right] = ids.count
      for index in words.indices { words[index].symbols = merged(words[index].symbols, left, right) }
    }
    return merges
  }

  private struct Pair: Hashable {
    let left, right: [UInt8]
  }

  static func merged(_ symbols: [[UInt8]], _ left: [UInt8], _ right: [UInt8]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var index = 0
    while index < symbols.count {
      if index + 1 < symbols.count && symbols[index] == left && symbols[index + 1] == right {
        result.append(left + right)
        index += 2
      } else {
        result.append(symbols[index])
        index += 1
      }
    }
    return result
  }

  /// The symbols that a word begins as; a character without a token is the unknown one.
  static func symbols(of word: [UInt8], _ tokenizer: Tokenizer) -> [UInt32] {
    if tokenizer.mode == .byteLevel { return word.map { UInt32(ByteAlphabet.ranks[Int($0)]) } }
    var characters: [[UInt8]] = []
    for byte in word {
      if byte & 0xc0 == 0x80 && !characters.isEmpty {
        characters[characters.count - 1].append(byte)
      } else {
        characters.append([byte])
      }
    }
    characters[characters.count - 1] += EndOfWord.mark
    return characters.map { tokenizer.vocabulary.id(of: $0) ?? tokenizer.unknown! }
  }

  /// Applies the merge of the lowest rank at its leftmost position until none applies.
  static func encode(_ symbols: [UInt32], _ merges: [Tokenizer.Merge], ranks: [UInt32] = []) -> [UInt32] {
    var symbols = symbols
    while true {
      var best: (rank: Int, place: Int, result: UInt32)?
      for place in symbols.indices.dropLast() {
        let index = merges.firstIndex { $0.left == symbols[place] && $0.right == symbols[place + 1] }
        guard let index else { continue }
        let rank = ranks.isEmpty ? index : Int(ranks[index])
        if rank < best?.rank ?? .max { best = (rank, place, merges[index].result) }
      }
      guard let best else { return symbols }
      symbols.replaceSubrange(best.place...(best.place + 1), with: [best.result])
    }
  }
}

/// Shorthands for several suites.
enum Make {
  static func counts(_ words: [(String, Int)]) -> WordCounts {
    var counts = WordCounts()
    for (word, count) in words { counts.append(Array(word.utf8), count: count) }
    return counts
  }

  /// The pre-tokens of texts, counted.
  static func counts(_ texts: [String], _ preTokenizer: PreTokenizer) throws -> WordCounts {
    let counter = PreTokenCounter(preTokenizer)
    for text in texts { try Array(text.utf8).withUnsafeBufferPointer { try counter.countText($0) } }
    return try counter.finish()
  }

  static func learn(
    _ counts: WordCounts, mode: Tokenizer.Mode, limit: Int, minimumCount: Int = 1, reserved: [String] = []
  ) throws -> LearnedMerges {
    try BPETrainer.learn(
      symbolized(counts, mode),
      BPETrainer.Options(
        tieBreak: mode == .word ? .largestStrings : .smallestIDs, limit: limit, minimumCount: minimumCount,
        reserved: reserved.map { Array($0.utf8) }))
  }

  static func symbolized(_ counts: WordCounts, _ mode: Tokenizer.Mode) throws -> SymbolizedWords {
    mode == .word
      ? try SymbolizedWords(charactersOf: counts, CharacterInventory(of: counts))
      : try SymbolizedWords(bytesOf: counts)
  }

  static func tokenizer(
    _ texts: [String], mode: Tokenizer.Mode = .byteLevel, preTokenizer: PreTokenizer = .gpt2, merges: Int
  ) throws -> Tokenizer {
    let splitter = mode == .word ? PreTokenizer.words : preTokenizer
    return Tokenizer(
      try learn(counts(texts, splitter), mode: mode, limit: merges), mode: mode, preTokenizer: splitter)
  }

  /// A random word of the first letters of the alphabet, with many runs.
  static func word(_ random: inout RandomGenerator, letters: Int, maximumLength: Int) -> String {
    var word = ""
    var letter = random.below(letters)
    for _ in 0...random.below(maximumLength) {
      if random.below(3) > 0 { letter = random.below(letters) }
      word.unicodeScalars.append(Unicode.Scalar(UInt8(97 + letter)))
    }
    return word
  }
}
