import Foundation
import Support

/// Turns one word into ids, without remembering anything; all threads of an encoder share one.
///
/// The merges define the ids of a word: apply the merge of the lowest rank at its leftmost position until
/// none applies. Several engines compute this. A word takes the first row of this table that fits it:
///
/// | | engine | words | time for n symbols |
/// | --- | --- | --- | --- |
/// | 1 | ``DropoutMerger`` | all, if merges are dropped at random | up to n passes over n pairs |
/// | 2 | ``VectorMerger``, four words at a time | cache misses of 1 to 15 bytes, byte-level | n vector steps |
/// | 3 | ``VectorMerger``, one word | up to 32 bytes | n steps of one or two vectors |
/// | 4 | ``BacktrackingEncoder`` | longer words | n |
/// | 5 | ``TableMerger``, scanning | up to 96 symbols, any merges | n² |
/// | 6 | ``TableMerger``, by rank | longer words, any merges | n log n |
///
/// Why each exists:
///
/// 1. BPE-dropout is defined by passes over all pairs.
/// 2. Nearly all misses are such words. Each step waits for the table of pairs, and four words wait together.
/// 3. Words of 16 to 32 bytes, and words of word mode.
/// 4. Merging long words, such as text without spaces, takes more than linear time.
/// 5. Other programs write merges that the engines before cannot take; most words are short.
/// 6. The same for words in which scanning would take quadratic time.
///
/// Rows 2 to 4 need merges as learning makes them, for which there are ``TokenRanks``. In word mode, rows 5
/// and 6 also take words with the byte 0xFF, which is no UTF-8.
///
/// Before all this, a word can be a token as a whole (``Tokenizer/ignoresMerges``), and a glossary can cut it
/// (`WordEncoder+Options.swift`).
final class WordEncoder: Sendable {
  let tokenizer: Tokenizer
  let options: EncodingOptions
  /// Nil where documents are encoded as they are.
  let preparation: TextPreparation?
  /// Nil where only whole words may be encoded.
  let safeCuts: SafeCuts?
  /// How text is cut into words.
  let preTokenizer: PreTokenizer
  /// Character mode: the tokens of characters, where text can be cut.
  private let characterCuts: CharacterCuts?
  /// Whether ``encodeShortWords(_:_:ids:counts:)`` can be used.
  let encodesShortWordsTogether: Bool

  /// Whether the bytes of a word go to an engine as they are: no glossary, no whole tokens, no restricted
  /// vocabulary.
  private let isPlain: Bool
  private let vectorMerger: VectorMerger?
  /// Whether a pre-token can be a token that merging does not make.
  private let hasWholeTokens: Bool
  /// Byte-level: whether the vocabulary lacks bytes, which then have ids from ``Tokenizer/listedCount`` on.
  let lacksBytes: Bool
  /// Whether a byte is one of these and occurs in UTF-8, so that what becomes of it matters to its neighbors.
  private let isLacking: [Bool]
  /// Nil where the merges have no ``TokenRanks`` or are dropped.
  private let backtracking: BacktrackingEncoder?
  private let dropout: DropoutMerger?
  /// For the ``TableMerger`` and the ``DropoutMerger``; empty where neither is needed.
  private let merges: MergeTable
  /// The id of each byte and of the end-of-word mark, or ``Vocabulary/missing``.
  private let byteSymbols: [UInt32]
  let endOfWordSymbol: UInt32
  /// Character mode: the id of `<0x00>` to `<0xFF>`, or ``Vocabulary/missing``.
  private let fallbackSymbols: [UInt32]
  /// The two parts of the result of each merge, by id; empty without a restricted vocabulary.
  let parts: [UInt32: (left: UInt32, right: UInt32)]

  /// What one thread needs.
  struct Scratch: ~Copyable {
    var random = RandomGenerator(seed: 0)
    /// Word mode with a glossary: the bytes that each id of the word stands for.
    var lengths: [Int] = []
    fileprivate var vectors = VectorMerger.Scratch()
    fileprivate var backtracking = BacktrackingEncoder.Scratch()
    fileprivate var table = TableMerger()
    fileprivate var text: [UInt8] = []
    fileprivate var character: [UInt8] = []
  }

  init(_ tokenizer: Tokenizer, _ options: EncodingOptions) {
    self.tokenizer = tokenizer
    self.options = options
    let mergeCount = min(options.merges ?? .max, tokenizer.merges.count)
    let applied = tokenizer.merges.prefix(mergeCount)
    dropout = options.dropout > 0 ? DropoutMerger(probability: options.dropout) : nil
    let ranks = dropout == nil ? TokenRanks(tokenizer, mergeCount: mergeCount) : nil
    vectorMerger = ranks.flatMap { VectorMerger($0) }
    backtracking = ranks.map { BacktrackingEncoder($0) }
    // With ranks, only words of word mode that are not UTF-8 need the table.
    merges = MergeTable(
      ranks == nil || tokenizer.mode == .word ? applied : [], ranks: tokenizer.mergeRanks)

    hasWholeTokens =
      tokenizer.ignoresMerges && (ranks == nil || tokenizer.hasTokens(without: applied))
    lacksBytes = tokenizer.mode == .byteLevel && tokenizer.listedCount < tokenizer.vocabulary.count
    var isLacking = [Bool](repeating: false, count: 256)
    if lacksBytes {
      for id in tokenizer.listedCount..<tokenizer.vocabulary.count {
        let byte = tokenizer.vocabulary[UInt32(id)][0]
        isLacking[Int(byte)] = byte != 0xc0 && byte != 0xc1 && byte < 0xf5
      }
    }
    self.isLacking = isLacking
    isPlain =
      ranks != nil && tokenizer.mode == .byteLevel && !hasWholeTokens && !isLacking.contains(true)
      && options.glossary == nil && options.allowed == nil
    encodesShortWordsTogether = isPlain && vectorMerger != nil
    safeCuts = isPlain ? SafeCuts(tokenizer.vocabulary, applied) : nil
    characterCuts = Self.characterCuts(of: tokenizer, applied)
    preTokenizer = characterCuts.map { .cuts($0) } ?? tokenizer.preTokenizer
    preparation = TextPreparation(tokenizer, parsesSpecialTokens: options.parsesSpecialTokens)
    byteSymbols = (0...255).map { tokenizer.vocabulary.id(of: [UInt8($0)]) ?? Vocabulary.missing }
    fallbackSymbols =
      tokenizer.byteFallback
      ? (0...255).map {
        tokenizer.vocabulary.id(of: Array(("<0x" + Hashing.hexadecimal([UInt8($0)]).uppercased() + ">").utf8))
          ?? Vocabulary.missing
      } : []
    endOfWordSymbol = tokenizer.vocabulary.id(of: EndOfWord.mark) ?? Vocabulary.missing
    var parts: [UInt32: (left: UInt32, right: UInt32)] = [:]
    if options.allowed != nil {
      // Of several merges with one result, the first tells the parts.
      for merge in applied where parts[merge.result] == nil {
        parts[merge.result] = (merge.left, merge.right)
      }
    }
    self.parts = parts
  }

  /// The cuts of a text that has no pre-tokens, or begins them at each mark of a space.
  static func characterCuts(of tokenizer: Tokenizer, _ merges: ArraySlice<Tokenizer.Merge>)
    -> CharacterCuts?
  {
    guard tokenizer.mode == .character, !tokenizer.ignoresMerges else { return nil }
    switch tokenizer.preTokenizer {
    case .none: return CharacterCuts(tokenizer, merges, opener: nil)
    case .program(let program):
      guard program.steps.count == 1 else { return nil }
      switch program.steps[0] {
      case .metaspace(let replacement, _, split: true):
        return CharacterCuts(tokenizer, merges, opener: replacement)
      case .split(.literal(" "), let behavior, let isInverted):
        // No space is left to split at, as in Gemma.
        guard case .replace(.literal(" "), let mark)? = tokenizer.normalization.last, !mark.contains(" "),
          behavior != .removed || !isInverted
        else { return nil }
        return CharacterCuts(tokenizer, merges, opener: nil)
      default: return nil
      }
    default: return nil
    }
  }

  /// Whether a word always has the same ids.
  var isRepeatable: Bool { dropout == nil }

  /// Encodes a few short words at once, see ``VectorMerger/encode(_:_:ids:counts:)``.
  func encodeShortWords(
    _ words: UnsafePointer<WordKey>, _ count: Int, ids: UnsafeMutablePointer<UInt32>,
    counts: UnsafeMutablePointer<UInt32>
  ) {
    vectorMerger!.encode(words, count, ids: ids, counts: counts)
  }

  /// Writes the ids of a word to `output`, which has a capacity of one per byte and 16 more, and returns
  /// their number.
  ///
  /// A character without a token becomes ``Vocabulary/missing``.
  func encode(
    _ word: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch, into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if isPlain { return encodeByRanks(word.baseAddress!, word.count, &scratch, into: output) }
    scratch.lengths.removeAll(keepingCapacity: true)
    if let glossary = options.glossary, let segments = glossary.segments(of: word) {
      return encode(segments, of: word, &scratch, into: output)
    }
    return encodeSegment(word, &scratch, into: output)
  }

  /// Encodes a word, or a part of one that is encoded as if it were a word.
  func encodeSegment(
    _ word: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch, into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if hasWholeTokens, isRepeatable, let id = tokenizer.vocabulary.id(of: word), !isSpecial(id) {
      output[0] = id
      return 1
    }
    if lacksBytes, tokenizer.unknown == nil, word.contains(where: { isLacking[Int($0)] }) {
      // Bytes that are dropped have neighbors that can merge.
      let rest = word.filter { !isLacking[Int($0)] }
      return rest.isEmpty ? 0 : rest.withUnsafeBufferPointer { encodeByMerging($0, &scratch, into: output) }
    }
    return encodeByMerging(word, &scratch, into: output)
  }

  private func isSpecial(_ id: UInt32) -> Bool { tokenizer.addedToken(id)?.isSpecial ?? false }

  private func encodeByMerging(
    _ word: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch, into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count: Int
    if backtracking != nil, tokenizer.mode == .byteLevel {
      count = encodeByRanks(word.baseAddress!, word.count, &scratch, into: output)
    } else if backtracking != nil, !word.contains(TokenRanks.endOfWord) {
      scratch.text.removeAll(keepingCapacity: true)
      scratch.text.append(contentsOf: word)
      scratch.text.append(TokenRanks.endOfWord)
      // A copy of the reference, because its address and the scratch that holds it are needed at once.
      let text = scratch.text
      count = text.withUnsafeBufferPointer {
        encodeByRanks($0.baseAddress!, $0.count, &scratch, into: output)
      }
    } else {
      count = encodeByTable(word, &scratch, into: output)
    }
    if let allowed = options.allowed { return restrict(count, to: allowed, output) }
    return count
  }

  private func encodeByRanks(
    _ text: UnsafePointer<UInt8>, _ count: Int, _ scratch: inout Scratch,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if count <= VectorMerger.maximumLength, let vectorMerger {
      return vectorMerger.encode(text, count, scratch.vectors, into: output)
    }
    return backtracking!.encode(text, count, &scratch.backtracking, into: output)
  }

  private func encodeByTable(
    _ word: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch, into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = symbolize(word, &scratch)
    if let dropout {
      return dropout.merge(scratch.table.symbols, count: count, merges, &scratch.random, into: output)
    }
    let written = merges.withView { scratch.table.merge($0, count: count) }
    output.update(from: scratch.table.symbols, count: written)
    return written
  }

  /// Leaves the symbols that a word begins as in the ``TableMerger``, and returns their number.
  private func symbolize(_ word: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch) -> Int {
    scratch.table.reserve(word.count + 1)
    let symbols = scratch.table.symbols
    var count = 0
    switch tokenizer.mode {
    case .byteLevel:
      for byte in word {
        symbols[count] = byteSymbols[Int(byte)]
        count += 1
      }
    case .word:
      let gluesMark = !tokenizer.endOfWordIsSymbol
      Characters.forEachCharacter(in: word) { character, isLast in
        scratch.character.removeAll(keepingCapacity: true)
        scratch.character.append(contentsOf: character)
        if isLast && gluesMark { scratch.character.append(contentsOf: EndOfWord.mark) }
        symbols[count] = tokenizer.vocabulary.id(of: scratch.character) ?? Vocabulary.missing
        count += 1
      }
      if !gluesMark {
        symbols[count] = endOfWordSymbol
        count += 1
      }
    case .character: count = symbolizeCharacters(word, symbols)
    }
    return count
  }

  /// The tokens of characters, or of their bytes, or the unknown token, as `tokenizers` chooses.
  private func symbolizeCharacters(
    _ word: UnsafeBufferPointer<UInt8>, _ symbols: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var count = 0
    var hasUnknown = false
    func add(_ id: UInt32) {
      symbols[count] = id
      count += 1
    }
    Characters.forEachCharacter(in: word) { character, _ in
      if let id = symbol(of: character) {
        if hasUnknown { add(tokenizer.unknown!) }
        hasUnknown = false
        return add(id)
      }
      if tokenizer.byteFallback, character.allSatisfy({ fallbackSymbols[Int($0)] != Vocabulary.missing }) {
        for byte in character { add(fallbackSymbols[Int(byte)]) }
        return
      }
      guard let unknown = tokenizer.unknown else { return }
      if hasUnknown && !tokenizer.fusesUnknown { add(unknown) }
      hasUnknown = true
    }
    if hasUnknown { add(tokenizer.unknown!) }
    return count
  }

  private func symbol(of character: UnsafeBufferPointer<UInt8>) -> UInt32? {
    guard let characterCuts else { return tokenizer.vocabulary.id(of: character) }
    let (point, length) = CharacterCuts.character(character.baseAddress!, character.count)
    guard point != .max, length == character.count else { return nil }
    let id = characterCuts.symbols[Int(point)]
    return id == Vocabulary.missing ? nil : id
  }

  /// Character mode: whether there are tokens for all bytes, so that no character is unknown.
  var hasAllFallbacks: Bool { tokenizer.byteFallback && !fallbackSymbols.contains(Vocabulary.missing) }

  /// The number of bytes, or in character mode characters, that have no token.
  func droppedCharacters(in text: UnsafeBufferPointer<UInt8>) -> Int {
    var count = 0
    if tokenizer.mode == .byteLevel {
      let listed = UInt32(tokenizer.listedCount)
      let isMissing = byteSymbols.map { $0 >= listed }
      for byte in text where isMissing[Int(byte)] { count += 1 }
      return count
    }
    Characters.forEachCharacter(in: text) { character, _ in
      if tokenizer.vocabulary.id(of: character) != nil { return }
      let isSpelled =
        tokenizer.byteFallback && character.allSatisfy { fallbackSymbols[Int($0)] != Vocabulary.missing }
      if !isSpelled { count += 1 }
    }
    return count
  }

  /// Replaces the ids of characters and bytes without a token, and in word mode of tokens that are only steps of
  /// merging, by ``Tokenizer/unknown``; byte-level drops them if there is none. Returns the number of ids.
  func replaceUnlisted(_ ids: UnsafeMutablePointer<UInt32>, _ count: Int) -> Int {
    let listed = UInt32(tokenizer.listedCount)
    if tokenizer.mode == .word {
      let unknown = tokenizer.unknown ?? Vocabulary.missing
      for index in 0..<count where ids[index] >= listed { ids[index] = unknown }
      return count
    }
    guard lacksBytes else { return count }
    var written = 0
    var follows = false
    for index in 0..<count {
      let isListed = ids[index] < listed
      defer { follows = !isListed }
      if isListed {
        ids[written] = ids[index]
      } else if let unknown = tokenizer.unknown, !(follows && tokenizer.fusesUnknown) {
        ids[written] = unknown
      } else {
        continue
      }
      written += 1
    }
    return written
  }
}
