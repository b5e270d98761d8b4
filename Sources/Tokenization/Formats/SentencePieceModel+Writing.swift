import Support

// SentencePiece models in the terms of tokenizer.json.
extension Tokenizer {
  /// The same tokenizer without what only SentencePiece has, so that tokenizer.json can hold it and gives the same ids.
  ///
  /// Throws a ``Failure`` that names the part that the format cannot express.
  func inTermsOfTokenizerJSON() throws -> Tokenizer {
    let pieces = normalization.compactMap { step in
      if case .sentencePiece(let normalizer) = step { normalizer } else { nil }
    }
    guard let normalizer = pieces.first else { return self }
    func refuse(_ part: String) -> Failure {
      Failure(
        .usage, "tokenizer.json cannot hold \(part) of this SentencePiece model",
        remedy: "Keep tokenizer.model, which is read as it is, or write --format ids")
    }
    if normalizer.mapsCharacters { throw refuse("the map of characters (normalization_rule_name)") }
    if normalizer.hasPrefixBehind { throw refuse("the space behind words (treat_whitespace_as_suffix)") }
    if !normalizer.marksSpaces { throw refuse("the spaces that are not marked (escape_whitespaces)") }
    if let symbol = addedTokens.first(where: { !$0.isSpecial }) {
      let name = JSONText.quote(symbol.text)
      if normalizer.addsPrefix || normalizer.removesExtraSpaces {
        throw refuse(
          "the user-defined symbol \(name) together with spaces that are added or removed (add_dummy_prefix, "
            + "remove_extra_whitespaces)")
      }
      if let spaced = addedTokens.first(where: { !$0.isSpecial && $0.text.contains(" ") }) {
        throw refuse("the user-defined symbol \(JSONText.quote(spaced.text)), which holds a space")
      }
    }
    var tokenizer = self
    tokenizer.normalization = []
    (tokenizer.merges, tokenizer.mergeRanks) = (try mergesInOneOrder(refuse), [])
    try tokenizer.checkRepetitions(against: self, refuse)
    if normalizer.removesExtraSpaces {
      tokenizer.normalization = [.replace(.regex(#"\A +"#), with: ""), .replace(.regex(" {2,}"), with: " ")]
    }
    if normalizer.addsPrefix { tokenizer.normalization.append(.prepend("\u{2581}")) }
    tokenizer.normalization.append(.replace(.literal(" "), with: "\u{2581}"))
    // At the end the library also removes marks that the text itself has.
    if normalizer.removesExtraSpaces {
      tokenizer.normalization.append(.replace(.regex("\u{2581}+\\z"), with: ""))
    }
    tokenizer.addedTokens = addedTokens.map { token in
      var token = token
      token.isVerbatim = false
      return token
    }
    return tokenizer
  }

  /// The merges with a rank for each.
  ///
  /// The ways to make one piece have one rank in SentencePiece, and of two that want the same token the left one
  /// applies. So a merge whose right side is the left side of another comes before it.
  private func mergesInOneOrder(_ refuse: (String) -> Failure) throws -> [Merge] {
    var ordered: [Merge] = []
    ordered.reserveCapacity(merges.count)
    var start = 0
    while start < merges.count {
      var end = start + 1
      while end < merges.count && mergeRanks[end] == mergeRanks[start] { end += 1 }
      let group = merges[start..<end]
      if let other = group.first(where: { $0.result != group.first!.result }) {
        let names = [group.first!.result, other.result].map {
          JSONText.quote(String(decoding: vocabulary[$0], as: UTF8.self))
        }
        throw refuse("the equal scores of the pieces \(names[0]) and \(names[1])")
      }
      var waiting = Array(group)
      while !waiting.isEmpty {
        // Where all wait for each other, the piece repeats a shorter text: `checkRepetitions`.
        let next =
          waiting.indices.first { index in
            !waiting.indices.contains { $0 != index && waiting[$0].right == waiting[index].left }
          } ?? 0
        ordered.append(waiting.remove(at: next))
      }
      start = end
    }
    return ordered
  }

  /// Compares with `other` on repetitions of the texts that pieces repeat, such as spaces and dashes. Only there can
  /// each of two merges of one piece take a token from the other, so that no order of the two is right everywhere.
  private func checkRepetitions(against other: Tokenizer, _ refuse: (String) -> Failure) throws {
    var other = other
    other.normalization = []
    var units: [[UInt8]: Int] = [:]
    for id in Set(merges.map(\.result)) {
      let text = vocabulary[id]
      if let unit = Self.repeatedUnit(of: text) {
        units[unit] = max(units[unit] ?? 0, text.count / unit.count)
      }
    }
    let encoders = (BPEEncoder(self), BPEEncoder(other))
    for (unit, most) in units.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) where most > 2 {
      var text: [UInt8] = []
      for _ in 0..<min(4 * most, 256) {
        text += unit
        if encoders.0.encode(text) != encoders.1.encode(text) {
          throw refuse(
            "the scores of the pieces that repeat \(JSONText.quote(String(decoding: unit, as: UTF8.self)))")
        }
      }
    }
  }

  /// The shortest text that `text` is at least two copies of.
  private static func repeatedUnit(of text: [UInt8]) -> [UInt8]? {
    for length in 1..<max(1, text.count / 2 + 1) where text.count.isMultiple(of: length) {
      if (length..<text.count).allSatisfy({ text[$0] == text[$0 - length] }) { return Array(text[..<length]) }
    }
    return nil
  }
}
