// Extending a tokenizer: the one place where learning needs an encoder.
extension SymbolizedWords {
  /// Words as the tokens of a tokenizer; symbol i is the i-th of its ``Tokenizer/ordinaryIDs``.
  package init(tokensOf words: WordCounts, _ tokenizer: Tokenizer) throws {
    let ids = tokenizer.ordinaryIDs
    var symbolOfID = [UInt32](repeating: Self.separator, count: tokenizer.vocabulary.count)
    for (symbol, id) in ids.enumerated() { symbolOfID[Int(id)] = UInt32(symbol) }
    // A word is a pre-token already.
    let encoder = BPEEncoder(tokenizer.takingWholeTexts())
    let encoded = words.bytes.withUnsafeBufferPointer { bytes in
      encoder.encode(bytes, documents: (0..<words.distinct).map { words.range(of: $0) })
    }
    try self.init(
      words, alphabet: ids.map { tokenizer.vocabulary[$0] }, marksEndOfWord: tokenizer.mode == .word
    ) { _, word, out in
      encoded.withDocument(word) { ids in
        for (index, id) in ids.enumerated() { out[index] = symbolOfID[Int(id)] }
        return ids.count
      }
    }
  }
}
