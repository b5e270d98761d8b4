import Algorithms
import Support

/// A vocabulary with its merges and its pre-tokenizer: everything that defines how text becomes ids, and ids
/// text.
///
/// A value; ``BPEEncoder`` has the tables that make encoding fast.
package struct Tokenizer: Sendable {
  package enum Mode: String, Sendable, CaseIterable {
    /// Symbols begin as bytes. Any text can be encoded, and decoding returns it byte for byte.
    case byteLevel = "byte-level"
    /// Words are split at spaces and line feeds, and symbols begin as characters; the last one of a word is
    /// marked.
    case word
  }

  /// Two tokens that become one. The rank of a merge is its index in ``Tokenizer/merges``.
  package struct Merge: Sendable, Equatable {
    package let left, right, result: UInt32

    package init(left: UInt32, right: UInt32, result: UInt32) {
      self.left = left
      self.right = right
      self.result = result
    }
  }

  package struct SpecialToken: Sendable, Equatable {
    package let id: UInt32
    package let text: String

    package init(id: UInt32, text: String) {
      self.id = id
      self.text = text
    }
  }

  package static let endOfText = "<|endoftext|>"
  package static let unknownToken = "<unk>"

  package let mode: Mode
  package let preTokenizer: PreTokenizer
  /// The bytes of each token by id; in word mode a token that ends a word carries `</w>`.
  ///
  /// Special tokens have their text here too, but no text is encoded to them.
  package let vocabulary: Vocabulary
  package let merges: [Merge]
  /// In the order of their ids.
  package let specialTokens: [SpecialToken]
  /// Word mode: the id of a character without a token.
  package let unknown: UInt32?
  /// Whether a pre-token that is a token is not merged, as in Llama 3.
  package let ignoresMerges: Bool
  /// Ids from here on are only steps of merging; where one remains in the result, it becomes ``unknown``.
  ///
  /// The size of the vocabulary, except for an ``XLMDictionary``.
  package let listedCount: Int
  /// Whether the end of a word is a separate symbol and not a part of the last character, as in subword-nmt's
  /// format 0.1.
  package let endOfWordIsSymbol: Bool

  /// `tokens` are in the order of their ids, including the special tokens.
  package init(
    mode: Mode, preTokenizer: PreTokenizer, tokens: [[UInt8]], merges: [Merge], specialTokens: [SpecialToken],
    unknown: UInt32? = nil, ignoresMerges: Bool = false, endOfWordIsSymbol: Bool = false,
    listedCount: Int? = nil
  ) {
    self.init(
      mode: mode, preTokenizer: preTokenizer, vocabulary: Vocabulary(tokens), merges: merges,
      specialTokens: specialTokens, unknown: unknown, ignoresMerges: ignoresMerges,
      endOfWordIsSymbol: endOfWordIsSymbol, listedCount: listedCount)
  }

  init(
    mode: Mode, preTokenizer: PreTokenizer, vocabulary: Vocabulary, merges: [Merge],
    specialTokens: [SpecialToken], unknown: UInt32?, ignoresMerges: Bool = false,
    endOfWordIsSymbol: Bool = false, listedCount: Int? = nil
  ) {
    self.mode = mode
    self.preTokenizer = preTokenizer
    self.vocabulary = vocabulary
    self.merges = merges
    self.specialTokens = specialTokens.sorted { $0.id < $1.id }
    self.unknown = unknown
    self.ignoresMerges = ignoresMerges
    self.listedCount = listedCount ?? vocabulary.count
    self.endOfWordIsSymbol = endOfWordIsSymbol
  }

  /// The tokenizer with learned merges.
  ///
  /// The ids are, in this order: ``unknownToken`` in word mode, the alphabet, the merges, and the special
  /// tokens.
  package init(
    _ learned: LearnedMerges, mode: Mode, preTokenizer: PreTokenizer, specialTokens: [String] = [endOfText]
  ) {
    let base = UInt32(mode == .word ? 1 : 0)
    var tokens = learned.symbolTexts()
    if mode == .word { tokens.insert(Array(Self.unknownToken.utf8), at: 0) }
    let merges = learned.merges.enumerated().map { rank, merge in
      Merge(
        left: merge.left + base, right: merge.right + base,
        result: UInt32(learned.alphabet.count + rank) + base)
    }
    var specials: [SpecialToken] = []
    if mode == .word { specials.append(SpecialToken(id: 0, text: Self.unknownToken)) }
    for text in specialTokens where !specials.contains(where: { $0.text == text }) {
      specials.append(SpecialToken(id: UInt32(tokens.count), text: text))
      tokens.append(Array(text.utf8))
    }
    self.init(
      mode: mode, preTokenizer: preTokenizer, tokens: tokens, merges: merges, specialTokens: specials,
      unknown: mode == .word ? 0 : nil)
  }

  package func id(ofSpecialToken text: String) -> UInt32? {
    specialTokens.first { $0.text == text }?.id
  }

  /// The id that ends a document: the special token of one of the usual names.
  package var endOfDocument: UInt32? {
    for name in [Self.endOfText, "<|end_of_text|>", "</s>", "<eos>", "<|end|>"] {
      if let id = id(ofSpecialToken: name) { return id }
    }
    return nil
  }

  /// The text of an id: in word mode with a space after the end of a word, and empty for a special token that
  /// is not kept.
  func text(of id: UInt32, keepsSpecialTokens: Bool) -> [UInt8] {
    let bytes = vocabulary[id]
    if isSpecial(id) {
      // Unknown characters are always visible.
      return keepsSpecialTokens || id == unknown ? bytes : []
    }
    guard mode == .word, bytes.suffix(4).elementsEqual(EndOfWord.mark) else { return bytes }
    return bytes.dropLast(4) + [0x20]
  }

  private func isSpecial(_ id: UInt32) -> Bool {
    let index = specialTokens.partitioningIndex { $0.id >= id }
    return index < specialTokens.count && specialTokens[index].id == id
  }

  /// The text of a few ids, as described for ``TokenDecoder``, which is faster for many.
  package func decode(_ ids: UnsafeBufferPointer<UInt32>, keepsSpecialTokens: Bool = false) throws -> [UInt8]
  {
    var text: [UInt8] = []
    for (index, id) in ids.enumerated() {
      guard id < vocabulary.count else { throw unknownID(UInt64(id), at: index) }
      text += self.text(of: id, keepsSpecialTokens: keepsSpecialTokens)
    }
    if mode == .word && text.last == 0x20 { text.removeLast() }
    return text
  }

  package func decode(_ ids: [UInt32], keepsSpecialTokens: Bool = false) throws -> [UInt8] {
    try ids.withUnsafeBufferPointer { try decode($0, keepsSpecialTokens: keepsSpecialTokens) }
  }

  func unknownID(_ id: UInt64, at index: Int) -> Failure {
    Failure(
      .badInput, "id \(id) (number \(index + 1)) is not in the vocabulary of \(vocabulary.count) tokens",
      remedy: "Decode with the tokenizer that encoded")
  }
}
