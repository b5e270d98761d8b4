import Support

// Learning more merges for an existing tokenizer.
extension Tokenizer {
  /// The ids of the tokens that text can become, ascending: all except special tokens and ids without a
  /// token.
  var ordinaryIDs: [UInt32] {
    let added = Set(addedTokens.map(\.id))
    return (0..<UInt32(vocabulary.count)).filter {
      !added.contains($0) && !vocabulary.range(of: $0).isEmpty
    }
  }

  /// The same tokenizer with every text as one pre-token; in word mode a text is a word anyway.
  func takingWholeTexts() -> Tokenizer {
    var tokenizer = self
    if mode != .word { tokenizer.preTokenizer = .none }
    return tokenizer
  }

  /// The token bytes by id.
  package var tokens: [[UInt8]] { (0..<UInt32(vocabulary.count)).map { vocabulary[$0] } }

  /// Throws if this tokenizer, which was read from `file`, cannot be extended.
  package func checkExtensible(file: String) throws {
    if endOfWordIsSymbol {
      throw Failure(
        .usage, "codes of subword-nmt's format 0.1 cannot be extended", file: file,
        remedy: "Learn the codes again in format 0.2")
    }
    if mode == .character || preparesText {
      throw Failure(
        .usage,
        "only tokenizers that take text as it is can be extended, without a normalizer, spaces that are added "
          + "or added tokens in text", file: file, remedy: "Learn a new tokenizer")
    }
    if listedCount < vocabulary.count {
      throw Failure(
        .usage, "a dictionary without the intermediate results of merging cannot be extended", file: file,
        remedy: "Extend the codes instead")
    }
    if mode == .byteLevel, let byte = (UInt8(0)...255).first(where: { vocabulary.id(of: [$0]) == nil }) {
      throw Failure(
        .usage, "the vocabulary has no token for the byte 0x\(Hashing.hexadecimal([byte]))", file: file,
        remedy: "Extend a byte-level tokenizer that has all 256")
    }
  }

  /// The same tokenizer with more tokens at the end, for characters that it lacks.
  package func adding(_ more: [[UInt8]]) -> Tokenizer {
    replacing(tokens: tokens + more, merges: merges, addedTokens: addedTokens)
  }

  private func replacing(tokens: [[UInt8]], merges: [Merge], addedTokens: [AddedToken]) -> Tokenizer {
    var tokenizer = self
    tokenizer.vocabulary = Vocabulary(tokens)
    tokenizer.listedCount = tokens.count
    tokenizer.merges = merges
    tokenizer.addedTokens = addedTokens.sorted { $0.id < $1.id }
    return tokenizer
  }

  /// The same tokenizer with the merges that were learned on its own tokens
  /// (``SymbolizedWords/init(tokensOf:_:)``) after its own.
  ///
  /// All ids stay. The new tokens follow them, and then the special tokens that are new.
  package func extended(by learned: LearnedMerges, specialTokens texts: [String]) -> Tokenizer {
    var ids = ordinaryIDs
    var tokens = tokens
    var merges = merges
    for (merge, text) in zip(learned.merges, learned.symbolTexts().dropFirst(learned.alphabet.count)) {
      let result = UInt32(tokens.count)
      merges.append(Merge(left: ids[Int(merge.left)], right: ids[Int(merge.right)], result: result))
      ids.append(result)
      tokens.append(text)
    }
    var added = addedTokens
    for text in texts where !added.contains(where: { $0.text == text }) {
      added.append(AddedToken(id: UInt32(tokens.count), text: text))
      tokens.append(Array(text.utf8))
    }
    return replacing(tokens: tokens, merges: merges, addedTokens: added)
  }

  /// The same tokenizer with special tokens at the end.
  package func adding(specialTokens texts: [String]) -> Tokenizer {
    extended(by: LearnedMerges(alphabet: [], merges: []), specialTokens: texts)
  }

  /// All merges in the form in which codes are written. Only the merges learned last have counts; the others
  /// have 0.
  package func merges(lastLearned learned: LearnedMerges) -> LearnedMerges {
    let older = merges.count - learned.merges.count
    return LearnedMerges(
      alphabet: tokens,
      merges: merges.enumerated().map { rank, merge in
        LearnedMerges.Merge(
          left: merge.left, right: merge.right, count: rank < older ? 0 : learned.merges[rank - older].count)
      })
  }
}
