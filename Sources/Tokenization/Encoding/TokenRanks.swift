import CPreTokens
import Support

/// The tokens of a tokenizer numbered by rank, with what each two of them merge to: what the fast engines of
/// ``WordEncoder`` work on.
///
/// The rank of a token is its number here: the alphabet first, then the results of the merges in order. So
/// comparing two ranks compares the ranks of the merges that make the tokens.
///
/// Only merges as learning makes them can be numbered so: each makes a token of its own from two tokens made
/// before, and applying the merges to the text of a token gives that token. ``init(_:mergeCount:)`` checks
/// both, and refuses any other table.
final class TokenRanks: @unchecked Sendable {
  // Written by `init` only.

  /// Follows the last character of a word in word mode; no byte of UTF-8.
  static let endOfWord: UInt8 = 0xff

  struct Token {
    let length: UInt32
    /// The longest token that this one begins with, beside itself.
    var prefix = TokenTrie.none
    /// The two tokens that it was merged from; of the alphabet, itself.
    let left, right: UInt32
  }

  /// Whether the tokens are of word mode.
  let isWord: Bool
  /// The size of the alphabet. Tokens of lower rank are not merged from others.
  let alphabetCount: UInt32
  /// What two tokens merge to.
  let pairs: pkm_pair_table
  /// The id of each rank.
  let ids: UnsafeMutablePointer<UInt32>
  /// By rank.
  let tokens: UnsafeMutablePointer<Token>
  let trie: TokenTrie
  /// Word mode: the rank of the end-of-word mark if it is a separate symbol, not a part of the last
  /// character.
  private(set) var mark: UInt32?

  /// Nil where the merges cannot be numbered.
  init?(_ tokenizer: Tokenizer, mergeCount: Int) {
    if tokenizer.mode == .character { return nil }
    guard let alphabet = Self.alphabet(of: tokenizer) else { return nil }
    let merges = tokenizer.merges.prefix(mergeCount)
    let count = alphabet.count + merges.count
    guard count > 0, count < 1 << PKM_PAIR_BITS else { return nil }
    isWord = tokenizer.mode == .word
    let alphabetCount = UInt32(alphabet.count)
    self.alphabetCount = alphabetCount
    var pairs = RankedPairs.make(capacity: merges.count)
    let tokens = LargePages.allocate(Token.self, count: count)
    let ids = LargePages.allocate(UInt32.self, count: count)
    var isComplete = false
    defer {
      if !isComplete {
        pairs.slots.deallocate()
        tokens.deallocate()
        ids.deallocate()
      }
    }
    var ranks = [UInt32](repeating: TokenTrie.none, count: tokenizer.vocabulary.count)
    var texts = TokenStrings()
    func add(_ id: UInt32, _ left: UInt32, _ right: UInt32) {
      let rank = texts.count
      ranks[Int(id)] = UInt32(rank)
      Self.withText(of: id, tokenizer) { texts.append($0) }
      let length = UInt32(texts.range(of: UInt32(rank)).count)
      (tokens + rank).initialize(to: Token(length: length, left: left, right: right))
      (ids + rank).initialize(to: id)
    }
    for (rank, id) in alphabet.enumerated() { add(id, UInt32(rank), UInt32(rank)) }
    for merge in merges {
      let (left, right) = (ranks[Int(merge.left)], ranks[Int(merge.right)])
      let rank = UInt32(texts.count)
      let isNew = ranks[Int(merge.result)] == TokenTrie.none
      guard left != TokenTrie.none, right != TokenTrie.none, isNew else { return nil }
      add(merge.result, left, right)
      // The merges before this one turn its text into the two tokens if no other merge reaches across the
      // border between them.
      guard texts.isConcatenation(rank, of: left, right),
        Self.keepsBorder(left, right, below: rank, pairs, tokens, alphabetCount)
      else { return nil }
      RankedPairs.insert(rank, for: left, right, into: &pairs)
    }
    trie = TokenTrie(texts)
    guard trie.isUnique else { return nil }
    for rank in 0..<count { tokens[rank].prefix = trie.prefixes[rank] }
    (self.tokens, self.ids, self.pairs) = (tokens, ids, pairs)
    isComplete = true
    if isWord { mark = rank(of: [Self.endOfWord]) }
  }

  deinit {
    tokens.deallocate()
    ids.deallocate()
    pairs.slots.deallocate()
  }

  /// The ids of the symbols that words begin as: bytes; in word mode characters, with the mark if they end
  /// the word, or the mark.
  ///
  /// Nil where a text could have other symbols.
  private static func alphabet(of tokenizer: Tokenizer) -> [UInt32]? {
    let vocabulary = tokenizer.vocabulary
    var isMade = [Bool](repeating: false, count: vocabulary.count)
    for merge in tokenizer.merges { isMade[Int(merge.result)] = true }
    var isAdded = [Bool](repeating: false, count: vocabulary.count)
    for token in tokenizer.addedTokens {
      isAdded[Int(token.id)] = true
      // A token of the model can also be added.
      if tokenizer.mode != .byteLevel { isMade[Int(token.id)] = true }
    }
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
      guard vocabulary.id(of: token) == id else {
        if isAdded[Int(id)] { continue }
        return nil
      }
      alphabet.append(id)
    }
    return alphabet
  }

  /// Calls `body` with the bytes of a token in a word that ends in ``endOfWord``.
  private static func withText(
    of id: UInt32, _ tokenizer: Tokenizer, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) {
    tokenizer.vocabulary.withBytes { bytes in
      let token = UnsafeBufferPointer(rebasing: bytes[tokenizer.vocabulary.range(of: id)])
      guard tokenizer.mode == .word, token.suffix(4).elementsEqual(EndOfWord.mark) else { return body(token) }
      (Array(token.dropLast(4)) + [endOfWord]).withUnsafeBufferPointer(body)
    }
  }

  /// The rank of the token that is exactly this text.
  func rank(of text: UnsafePointer<UInt8>, _ count: Int) -> UInt32? {
    let found = trie.longest(text, count, wholeCharacters: isWord)
    return found != TokenTrie.none && Int(tokens[Int(found)].length) == count ? found : nil
  }

  func rank(of text: [UInt8]) -> UInt32? {
    text.withUnsafeBufferPointer { rank(of: $0.baseAddress!, $0.count) }
  }

  /// Whether merging the texts of two tokens together gives these two tokens.
  func keepsBorder(_ left: UInt32, _ right: UInt32) -> Bool {
    Self.keepsBorder(left, right, below: PKM_NO_MERGE, pairs, tokens, alphabetCount)
  }

  /// The same with the merges of ranks below `limit` only.
  ///
  /// Undoes the merges on both sides of the border, the last one first, and checks whether a pair across the
  /// border would have merged before it.
  private static func keepsBorder(
    _ left: UInt32, _ right: UInt32, below limit: UInt32, _ pairs: pkm_pair_table,
    _ tokens: UnsafePointer<Token>, _ alphabetCount: UInt32
  ) -> Bool {
    var (left, right, limit) = (left, right, limit)
    while true {
      if pkm_pair_result(pairs, left, right) < limit { return false }
      // A pair across the border that merges at this rank or later comes too late. Of two merges of one rank
      // the left one happens first, so the right one is undone first.
      if left > right {
        if left < alphabetCount { return true }
        limit = left
        left = tokens[Int(left)].right
      } else {
        if right < alphabetCount { return true }
        limit = right + 1
        right = tokens[Int(right)].left
      }
    }
  }
}
