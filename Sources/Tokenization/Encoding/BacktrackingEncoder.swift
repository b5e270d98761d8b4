import CPreTokens
import Support

/// Encodes a word in time linear in its length, without applying merges: by the longest tokens, taken back where merging
/// would have given others.
///
/// What the merges make of a text and of each prefix of it is unique, and any run of tokens is such a result exactly when
/// each two neighbors are: another merge across a border would already happen between the two. So the word is walked from
/// left to right, each time with the longest token that goes with the one before; where none does, the last token gives
/// way to the next shorter one, and the place where it ended is never tried again. Every place is given up at most once.
/// (The method is that of the crate `bpe` of rust-gems, GitHub 2024.)
///
/// It needs merges as learning makes them: each makes a token of its own from tokens made before, and what the merges
/// make of the text of a token is that token. ``init(_:mergeCount:)`` checks it, and other tables are refused.
///
/// Tokens have numbers of their own here: the alphabet first, then the results of the merges in order, so that comparing
/// two numbers compares ranks. Short words are merged after all, as all their pairs go into a vector or two.
final class Backtracking: @unchecked Sendable {
  // Written by `init` only.

  /// Behind the last character of a word, in word mode: no byte of UTF-8.
  static let endOfWord: UInt8 = 0xff

  private let trie: TokenTrie
  private let pairs: pkm_pairs
  /// The id of each number.
  private let ids: UnsafeMutablePointer<UInt32>
  /// For short words of bytes: the number of each byte, then what each two bytes make; nil where a byte has none.
  private let byteNumbers: UnsafeMutablePointer<UInt32>?
  /// For short words of characters: the number of each ASCII character inside a word, then at its end, or
  /// ``WordMerger/unknown``.
  private var asciiNumbers: [UInt32] = []
  /// The number of the mark where it is a symbol of its own.
  private var markNumber: UInt32?
  private let isWord: Bool
  /// The size of the alphabet: tokens below have no parts.
  private let alphabet: UInt32
  private let tokens: UnsafeMutableBufferPointer<Token>

  private struct Token {
    let id: UInt32
    let length: UInt32
    /// The longest token that this one begins with.
    var prefix = TokenTrie.none
    let left, right: UInt32
  }

  /// Nil where the table is not of the kind described.
  init?(_ tokenizer: Tokenizer, mergeCount: Int) {
    isWord = tokenizer.mode == .word
    let merges = tokenizer.merges.prefix(mergeCount)
    let vocabulary = tokenizer.vocabulary
    guard let symbols = Self.alphabet(of: tokenizer) else { return nil }
    let alphabet = UInt32(symbols.count)
    self.alphabet = alphabet
    let count = symbols.count + merges.count
    guard count > 0, count < 1 << PKM_PAIR_BITS else { return nil }
    var pairs = PairNumbers.make(capacity: merges.count)
    let tokens = UnsafeMutableBufferPointer(
      start: LargePages.allocate(Token.self, count: count), count: count)
    let ids = LargePages.allocate(UInt32.self, count: count)
    var isComplete = false
    defer {
      if !isComplete {
        pairs.slots.deallocate()
        tokens.deallocate()
        ids.deallocate()
      }
    }
    var numbers = [UInt32](repeating: TokenTrie.none, count: vocabulary.count)
    var texts = TokenStrings()
    func add(_ id: UInt32, _ left: UInt32, _ right: UInt32) {
      let number = texts.count
      numbers[Int(id)] = UInt32(number)
      Self.withText(of: id, tokenizer) { texts.append($0) }
      tokens.initializeElement(
        at: number,
        to: Token(id: id, length: UInt32(texts.range(of: UInt32(number)).count), left: left, right: right))
      (ids + number).initialize(to: id)
    }
    for (number, id) in symbols.enumerated() { add(id, UInt32(number), UInt32(number)) }
    for merge in merges {
      let (left, right) = (numbers[Int(merge.left)], numbers[Int(merge.right)])
      let number = UInt32(texts.count)
      guard left != TokenTrie.none, right != TokenTrie.none, numbers[Int(merge.result)] == TokenTrie.none
      else {
        return nil
      }
      add(merge.result, left, right)
      // The merges before it leave the two of its text: no other reaches across the border.
      guard texts.isJoined(number, left, right),
        Self.mergesKeepBorder(left, right, below: number, pairs, tokens.baseAddress!, alphabet)
      else { return nil }
      PairNumbers.insert(number, for: left, right, into: &pairs)
    }
    trie = TokenTrie(texts)
    guard trie.isUnique else { return nil }
    for number in 0..<count { tokens[number].prefix = trie.prefixes[number] }
    (self.tokens, self.ids) = (tokens, ids)
    self.pairs = pairs
    isComplete = true
    let bytes = (0...255).map { byte in
      vocabulary.id(of: [UInt8(byte)]).map { numbers[Int($0)] } ?? TokenTrie.none
    }
    if !isWord && !bytes.contains(TokenTrie.none) {
      let table = pairs
      let made = bytes.flatMap { left in bytes.map { pkm_pair_result(table, left, $0) } }
      byteNumbers = LargePages.allocate(UInt32.self, count: 256 + made.count)
      byteNumbers!.initialize(from: bytes + made, count: 256 + made.count)
    } else {
      byteNumbers = nil
    }
    if isWord {
      markNumber = number(of: [Self.endOfWord])
      asciiNumbers = (0..<256).map {
        number(of: [UInt8($0 & 127)] + ($0 < 128 ? [] : [Self.endOfWord])) ?? WordMerger.unknown
      }
    }
  }

  deinit {
    tokens.deallocate()
    byteNumbers?.deallocate()
    ids.deallocate()
    pairs.slots.deallocate()
  }

  /// What words begin as: bytes; in word mode characters, with the mark if they end the word, or the mark.
  ///
  /// Nil where a text has symbols other than those.
  private static func alphabet(of tokenizer: Tokenizer) -> [UInt32]? {
    let vocabulary = tokenizer.vocabulary
    var isMade = [Bool](repeating: false, count: vocabulary.count)
    for merge in tokenizer.merges { isMade[Int(merge.result)] = true }
    for token in tokenizer.specialTokens { isMade[Int(token.id)] = true }
    var alphabet: [UInt32] = []
    for id in 0..<UInt32(vocabulary.count) where !isMade[Int(id)] {
      let token = vocabulary[id]
      if tokenizer.mode == .byteLevel {
        if token.count != 1 { continue }
      } else {
        let isMarked = token.suffix(4).elementsEqual(EndOfWord.mark)
        let character = isMarked ? token.dropLast(4) : token[...]
        if character.isEmpty && (!tokenizer.endOfWordIsSymbol || !isMarked) { continue }
        if !character.dropFirst().allSatisfy({ $0 & 0xc0 == 0x80 }) { continue }
        if let first = character.first, first & 0xc0 == 0x80 || isMarked && tokenizer.endOfWordIsSymbol {
          return nil
        }
      }
      guard vocabulary.id(of: token) == id else { return nil }
      alphabet.append(id)
    }
    return alphabet
  }

  /// The bytes that the token stands for in the text of a word.
  private static func withText(
    of id: UInt32, _ tokenizer: Tokenizer, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) {
    tokenizer.vocabulary.withBytes { bytes in
      let token = UnsafeBufferPointer(rebasing: bytes[tokenizer.vocabulary.range(of: id)])
      guard tokenizer.mode == .word, token.suffix(4).elementsEqual(EndOfWord.mark) else { return body(token) }
      (Array(token.dropLast(4)) + [endOfWord]).withUnsafeBufferPointer(body)
    }
  }

  /// The number of the token that is exactly this text.
  private func number(of text: UnsafePointer<UInt8>, _ count: Int) -> UInt32? {
    let found = trie.longest(text, count, wholeCharacters: isWord)
    return found != TokenTrie.none && Int(tokens[Int(found)].length) == count ? found : nil
  }

  private func number(of text: [UInt8]) -> UInt32? {
    text.withUnsafeBufferPointer { number(of: $0.baseAddress!, $0.count) }
  }

  /// Writes the ids of the word to `output`, which has room for one a byte and 16 more, and returns how many.
  ///
  /// In word mode the text ends in ``endOfWord``, and a character without a token becomes ``WordMerger/unknown``.
  func encode(
    _ text: UnsafePointer<UInt8>, _ count: Int, _ scratch: inout Scratch,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if count <= Int(PKM_SHORT_WORD), let byteNumbers {
      let written = Int(pkm_merge_short(pairs, byteNumbers, byteNumbers + 256, text, Int32(count), output))
      for index in 0..<written { output[index] = ids[Int(output[index])] }
      return written
    }
    if count <= Int(PKM_SHORT_WORD) && isWord {
      return encodeShortWord(text, count, scratch.symbols, into: output)
    }
    var end = count
    var endsUnknown = false
    if isWord && markNumber == nil {
      // The mark belongs to the last character, so that no token ends between the two.
      var last = count - 2
      while last > 0 && text[last] & 0xc0 == 0x80 { last -= 1 }
      endsUnknown = number(of: text + last, count - last) == nil
      if endsUnknown { end = last }
      scratch.reset(end)
      if !endsUnknown { scratch.giveUp(end - 1) }
    } else {
      scratch.reset(end)
    }
    var written = walk(text, end, &scratch, output)
    for index in 0..<written where output[index] != WordMerger.unknown {
      output[index] = ids[Int(output[index])]
    }
    if endsUnknown {
      output[written] = WordMerger.unknown
      written += 1
    }
    return written
  }

  /// Whether ``encodeWords(_:_:tokens:counts:)`` can be used.
  var takesWords: Bool { byteNumbers != nil }

  /// The ids of `count` words of the kind that `pkm_merge_words` takes, and in its form.
  func encodeWords(
    _ words: UnsafePointer<WordKey>, _ count: Int, tokens: UnsafeMutablePointer<UInt32>,
    counts: UnsafeMutablePointer<UInt32>
  ) {
    pkm_merge_words(
      pairs, byteNumbers!, byteNumbers! + 256,
      UnsafeRawPointer(words).assumingMemoryBound(to: UInt8.self), Int32(count), tokens, counts)
    for word in 0..<count {
      for index in (16 * word)..<(16 * word + Int(counts[word])) { tokens[index] = ids[Int(tokens[index])] }
    }
  }

  /// A word of characters, applying the merges.
  private func encodeShortWord(
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
      let isMarked = next == end && markNumber == nil
      if byte < 0x80 && next == position + 1 {
        symbols[symbolCount] = asciiNumbers[Int(byte) + (isMarked ? 128 : 0)]
      } else {
        symbols[symbolCount] =
          number(of: text + position, next - position + (isMarked ? 1 : 0)) ?? WordMerger.unknown
      }
      symbolCount += 1
      position = next
    }
    if let markNumber {
      symbols[symbolCount] = markNumber
      symbolCount += 1
    }
    let written = Int(pkm_merge_symbols(pairs, symbols, Int32(symbolCount)))
    for index in 0..<written {
      output[index] = symbols[index] == WordMerger.unknown ? WordMerger.unknown : ids[Int(symbols[index])]
    }
    return written
  }

  private func walk(
    _ text: UnsafePointer<UInt8>, _ end: Int, _ scratch: inout Scratch,
    _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let tokens = tokens.baseAddress!
    var count = 0
    // Nothing merges across an unknown character: tokens before it are final.
    var settled = 0
    var position = 0
    var candidate = TokenTrie.none
    while position < end {
      if candidate == TokenTrie.none {
        candidate = trie.longest(text + position, end - position, wholeCharacters: isWord)
        if candidate == TokenTrie.none {
          output[count] = WordMerger.unknown
          count += 1
          settled = count
          position += 1
          while position < end && text[position] & 0xc0 == 0x80 { position += 1 }
          continue
        }
      }
      while candidate != TokenTrie.none {
        let next = position + Int(tokens[Int(candidate)].length)
        if !scratch.isGivenUp(next)
          && (count == settled || areNeighbors(output[count - 1], candidate, &scratch))
        {
          output[count] = candidate
          count += 1
          position = next
          break
        }
        candidate = tokens[Int(candidate)].prefix
      }
      if candidate == TokenTrie.none {
        scratch.giveUp(position)
        count -= 1
        candidate = tokens[Int(output[count])].prefix
        position -= Int(tokens[Int(output[count])].length)
        // The token before may have no shorter one: then its own place is given up too.
        while candidate == TokenTrie.none {
          scratch.giveUp(position)
          count -= 1
          candidate = tokens[Int(output[count])].prefix
          position -= Int(tokens[Int(output[count])].length)
        }
      } else {
        candidate = TokenTrie.none
      }
    }
    return count
  }

  /// Whether merging the texts of both tokens together gives the two.
  @inline(__always)
  private func areNeighbors(
    _ left: UInt32, _ right: UInt32, _ scratch: inout Scratch
  ) -> Bool {
    let key = (UInt64(left) << 32 | UInt64(right)) << 1
    let slot = scratch.verdict(of: key)
    if slot.pointee & ~1 == key { return slot.pointee & 1 == 1 }
    let answer = mergesKeepBorder(left, right)
    slot.pointee = key | (answer ? 1 : 0)
    return answer
  }

  private func mergesKeepBorder(_ left: UInt32, _ right: UInt32) -> Bool {
    Self.mergesKeepBorder(left, right, below: PKM_NO_MERGE, pairs, tokens.baseAddress!, alphabet)
  }

  /// Undoes the merges on both sides of the border, the last first, and looks whether a pair across it would have merged
  /// before; merges from number `limit` on do not count.
  private static func mergesKeepBorder(
    _ left: UInt32, _ right: UInt32, below limit: UInt32, _ pairs: pkm_pairs, _ tokens: UnsafePointer<Token>,
    _ alphabet: UInt32
  ) -> Bool {
    var (left, right, limit) = (left, right, limit)
    while true {
      if pkm_pair_result(pairs, left, right) < limit { return false }
      // Merges of this rank and later come too late. Of equal ranks the left one was merged first, so the right one is undone
      // first.
      if left > right {
        if left < alphabet { return true }
        limit = left
        left = tokens[Int(left)].right
      } else {
        if right < alphabet { return true }
        limit = right + 1
        right = tokens[Int(right)].left
      }
    }
  }

  /// What one thread needs while encoding.
  struct Scratch: ~Copyable {
    /// A bit for each place of the word that no token may end at.
    private var givenUp: UnsafeMutablePointer<UInt64>
    private var capacity = 64
    /// Pairs that were judged, and the verdict in the lowest bit.
    private let verdicts: UnsafeMutablePointer<UInt64>
    private static let verdictCount = 1 << 13
    /// The symbols of a short word.
    fileprivate let symbols = UnsafeMutablePointer<UInt32>.allocate(capacity: Int(PKM_SHORT_WORD) + 34)

    init() {
      symbols.initialize(repeating: 0, count: Int(PKM_SHORT_WORD) + 34)
      givenUp = .allocate(capacity: capacity)
      verdicts = .allocate(capacity: Self.verdictCount)
      verdicts.initialize(repeating: .max, count: Self.verdictCount)
    }

    deinit {
      givenUp.deallocate()
      verdicts.deallocate()
      symbols.deallocate()
    }

    @inline(__always) fileprivate mutating func reset(_ count: Int) {
      let words = count / 64 + 1
      if words > capacity {
        givenUp.deallocate()
        capacity = words
        givenUp = .allocate(capacity: words)
      }
      for index in 0..<words { givenUp[index] = 0 }
    }

    @inline(__always) fileprivate func isGivenUp(_ place: Int) -> Bool {
      givenUp[place >> 6] >> UInt64(place & 63) & 1 == 1
    }

    @inline(__always) fileprivate func giveUp(_ place: Int) { givenUp[place >> 6] |= 1 << UInt64(place & 63) }

    @inline(__always) fileprivate func verdict(of key: UInt64) -> UnsafeMutablePointer<UInt64> {
      verdicts + Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 51)
    }
  }
}
