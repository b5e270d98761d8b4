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
    /// Symbols begin as characters without any mark, as in SentencePiece; spaces are written as another character before
    /// text comes here (``Tokenizer/normalization`` or ``Tokenizer/spacing``).
    case character
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

  package static let endOfText = "<|endoftext|>"
  package static let unknownToken = "<unk>"

  package let mode: Mode
  package internal(set) var preTokenizer: PreTokenizer
  /// The bytes of each token by id; in word mode a token that ends a word carries `</w>`.
  ///
  /// Added tokens have their text here too, but merging never makes one that is special.
  package internal(set) var vocabulary: Vocabulary
  package internal(set) var merges: [Merge]
  /// The rank of each merge, where some have equal ranks, of which the leftmost applies; empty if the rank is the index.
  package internal(set) var mergeRanks: [UInt32] = []
  /// In the order of their ids.
  package internal(set) var addedTokens: [AddedToken]
  /// The id of a character without a token, or byte-level of a byte without one; nil drops them.
  package internal(set) var unknown: UInt32?
  /// Whether a pre-token that is a token is not merged, as in Llama 3.
  package internal(set) var ignoresMerges: Bool
  /// Ids from here on are only steps of merging; where one remains in the result, it becomes ``unknown``.
  ///
  /// The size of the vocabulary, except for an ``XLMDictionary``.
  package internal(set) var listedCount: Int
  /// Whether the end of a word is a separate symbol and not a part of the last character, as in subword-nmt's
  /// format 0.1.
  package let endOfWordIsSymbol: Bool
  /// Character mode: whether a character without a token becomes the tokens `<0x00>` to `<0xFF>` of its bytes, if there
  /// are tokens for all of them.
  package internal(set) var byteFallback = false
  /// Whether successive characters without a token are one ``unknown``.
  package internal(set) var fusesUnknown = false
  /// What changes a document, or the parts of it between added tokens, before anything else.
  package internal(set) var normalization: [NormalizationStep] = []
  /// What is put into each part of a document between added tokens before it is split into pre-tokens.
  package internal(set) var spacing = Spacing.none
  /// What follows encoding where special tokens are asked for.
  package internal(set) var postProcessor: PostProcessor?
  /// How the texts of tokens become text.
  package internal(set) var decoding: [DecodingStep] = []

  /// `tokens` are in the order of their ids, including the special tokens.
  package init(
    mode: Mode, preTokenizer: PreTokenizer, tokens: [[UInt8]], merges: [Merge], addedTokens: [AddedToken],
    unknown: UInt32? = nil, ignoresMerges: Bool = false, endOfWordIsSymbol: Bool = false,
    listedCount: Int? = nil
  ) {
    self.init(
      mode: mode, preTokenizer: preTokenizer, vocabulary: Vocabulary(tokens), merges: merges,
      addedTokens: addedTokens, unknown: unknown, ignoresMerges: ignoresMerges,
      endOfWordIsSymbol: endOfWordIsSymbol, listedCount: listedCount)
  }

  init(
    mode: Mode, preTokenizer: PreTokenizer, vocabulary: Vocabulary, merges: [Merge],
    addedTokens: [AddedToken], unknown: UInt32?, ignoresMerges: Bool = false,
    endOfWordIsSymbol: Bool = false, listedCount: Int? = nil
  ) {
    self.mode = mode
    self.preTokenizer = preTokenizer
    self.vocabulary = vocabulary
    self.merges = merges
    self.addedTokens = addedTokens.sorted { $0.id < $1.id }
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
    var specials: [AddedToken] = []
    if mode == .word { specials.append(AddedToken(id: 0, text: Self.unknownToken)) }
    for text in specialTokens where !specials.contains(where: { $0.text == text }) {
      specials.append(AddedToken(id: UInt32(tokens.count), text: text))
      tokens.append(Array(text.utf8))
    }
    self.init(
      mode: mode, preTokenizer: preTokenizer, tokens: tokens, merges: merges, addedTokens: specials,
      unknown: mode == .word ? 0 : nil)
  }

  package var specialTokens: [AddedToken] { addedTokens.filter(\.isSpecial) }

  package func id(ofSpecialToken text: String) -> UInt32? {
    addedTokens.first { $0.isSpecial && $0.text == text }?.id
  }

  /// The id that ends a document: the special token of one of the usual names.
  package var endOfDocument: UInt32? {
    for name in [Self.endOfText, "<|end_of_text|>", "</s>", "<eos>", "<|end|>"] {
      if let id = id(ofSpecialToken: name) { return id }
    }
    return nil
  }

  /// The ids that the ``postProcessor`` puts before and after those of a document.
  var idsAround: (before: [UInt32], after: [UInt32]) {
    postProcessor.map { ($0.before, $0.after) } ?? ([], [])
  }

  /// Whether a document is more than its pre-tokens: text between added tokens is changed, or such tokens are found.
  package var preparesText: Bool {
    !normalization.isEmpty || spacing != .none || addedTokens.contains { !$0.isSpecial }
  }

  private func isSpecial(_ id: UInt32) -> Bool { addedToken(id)?.isSpecial ?? false }

  func addedToken(_ id: UInt32) -> AddedToken? {
    let index = addedTokens.partitioningIndex { $0.id >= id }
    return index < addedTokens.count && addedTokens[index].id == id ? addedTokens[index] : nil
  }

  /// The text of an id: in word mode with a space after the end of a word, and empty for a special token that
  /// is not kept.
  ///
  /// What depends on the place in the document, ``TextEnds`` does.
  func text(of id: UInt32, keepsSpecialTokens: Bool) -> [UInt8] {
    var bytes = vocabulary[id]
    if let added = addedToken(id) {
      // As the reference does, whose added tokens are what they are found by.
      if added.isNormalized && !normalization.isEmpty {
        bytes = TextNormalizer(normalization).normalize(added.text)
      }
      // Unknown characters of words are always visible.
      if added.isSpecial && !keepsSpecialTokens && !(mode == .word && id == unknown) { return [] }
      // The decoder of `tokenizers` takes any text in these characters for bytes.
      if mode == .byteLevel { return ByteAlphabet.decode(bytes) ?? bytes }
      if mode == .word { return bytes }
    }
    switch mode {
    case .byteLevel: return bytes
    case .word: return bytes.suffix(4).elementsEqual(EndOfWord.mark) ? bytes.dropLast(4) + [0x20] : bytes
    case .character: return DecodingStep.text(of: bytes, decoding)
    }
  }

  /// The text of a few ids, as described for ``TokenDecoder``, which is faster for many.
  package func decode(_ ids: UnsafeBufferPointer<UInt32>, keepsSpecialTokens: Bool = false) throws -> [UInt8]
  {
    let ends = TextEnds(self)
    var text: [UInt8] = []
    var isFirst = true
    for (index, id) in ids.enumerated() {
      guard id < vocabulary.count else { throw unknownID(UInt64(id), at: index) }
      var token = self.text(of: id, keepsSpecialTokens: keepsSpecialTokens)
      if isFirst && (keepsSpecialTokens || !isSpecial(id)) {
        token = ends.first(token)
        isFirst = false
      }
      text += token
    }
    let range = text.withUnsafeBufferPointer { ends.kept(of: $0) }
    return Array(text[range])
  }

  package func decode(_ ids: [UInt32], keepsSpecialTokens: Bool = false) throws -> [UInt8] {
    try ids.withUnsafeBufferPointer { try decode($0, keepsSpecialTokens: keepsSpecialTokens) }
  }

  func unknownID(_ id: UInt64, at index: Int) -> Failure {
    Failure(
      .badInput, "id \(id) (number \(index + 1)) is not in the vocabulary of \(vocabulary.count) tokens",
      remedy: "Decode with the tokenizer that encoded")
  }

  /// Throws if the decoder, which encoding does not need, has a component that is not supported.
  package func checkDecodable(file: String) throws {
    for step in decoding {
      guard case .other(let part) = step else { continue }
      throw Failure(
        .badInput, "the decoder \(part["type"]?.string ?? "without a type") is not supported", file: file,
        remedy: "pipelines/README.md lists what is supported")
    }
  }

  /// Throws if the tokenizer has parts that change ids and that a format of ranks or merges alone cannot hold.
  ///
  /// `keepsWholeTokens` says that in this format a pre-token that is a token is not merged.
  func refuseParts(of format: String, keepsWholeTokens: Bool) throws {
    func refuse(_ part: String) -> Failure {
      Failure(.usage, "\(format) cannot hold \(part)", remedy: "Write tokenizer.json instead")
    }
    if !normalization.isEmpty { throw refuse("a normalizer") }
    if spacing != .none { throw refuse("spaces that are added to text") }
    if let token = addedTokens.first(where: { !$0.isSpecial }) {
      throw refuse("added tokens that are not special, such as \(token.text)")
    }
    if mode == .byteLevel && listedCount < vocabulary.count { throw refuse("a vocabulary that lacks bytes") }
    if mode == .byteLevel && ignoresMerges != keepsWholeTokens && hasTokens(without: merges[...]) {
      throw refuse(
        ignoresMerges
          ? "tokens that no merge makes (ignore_merges)" : "tokens that no merge makes and text never becomes"
      )
    }
  }

  /// Whether there are tokens, neither added nor single bytes, that none of these merges makes.
  func hasTokens(without merges: ArraySlice<Merge>) -> Bool {
    var isMade = [Bool](repeating: false, count: vocabulary.count)
    for merge in merges { isMade[Int(merge.result)] = true }
    for token in addedTokens { isMade[Int(token.id)] = true }
    return isMade.indices.contains { !isMade[$0] && vocabulary.range(of: UInt32($0)).count > 1 }
  }
}
