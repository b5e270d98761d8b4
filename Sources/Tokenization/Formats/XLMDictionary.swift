import Support

/// The ids of XLM (Lample and Conneau, 2019), whose code numbers the subwords of fastBPE by a vocabulary
/// file.
///
/// The ids are 0 `<s>`, 1 `</s>`, 2 `<pad>`, 3 `<unk>`, 4 to 13 `<special0>` to `<special9>`, and then the
/// lines of the file, a subword and its count, in order. As in XLM, a line is skipped if it contains U+2028,
/// does not have two fields separated by white space of Unicode, or repeats a subword; and counts must not
/// rise. Subwords that are not in the file become `<unk>`.
package enum XLMDictionary {
  package static let specialTokens =
    ["<s>", "</s>", "<pad>", Tokenizer.unknownToken] + (0..<10).map { "<special\($0)>" }

  /// The tokenizer with the ids of the dictionary.
  package static func apply(_ file: [UInt8], name: String, to tokenizer: Tokenizer) throws -> Tokenizer {
    guard tokenizer.mode == .word, !tokenizer.endOfWordIsSymbol else {
      throw Failure(
        .usage, "a dictionary of subwords is for word tokenizers without codes of format 0.1", file: name,
        remedy: "Give codes of fastBPE, or of subword-nmt's format 0.2")
    }
    var tokens = specialTokens.map { Array($0.utf8) }
    for subword in try subwords(file, name) {
      tokens.append(
        subword.suffix(2).elementsEqual("@@".utf8) ? Array(subword.dropLast(2)) : subword + EndOfWord.mark)
    }
    let listed = tokens.count
    // Intermediate results of merging need not be in the file.
    let special = Set(tokenizer.specialTokens.map(\.id))
    let index = Vocabulary(tokens)
    var ids: [UInt32] = []
    for id in 0..<UInt32(tokenizer.vocabulary.count) {
      let token = tokenizer.vocabulary[id]
      if !special.contains(id), let known = index.id(of: token), known >= specialTokens.count {
        ids.append(known)
      } else {
        ids.append(UInt32(tokens.count))
        tokens.append(special.contains(id) ? [] : token)
      }
    }
    return Tokenizer(
      mode: .word, preTokenizer: tokenizer.preTokenizer, tokens: tokens,
      merges: tokenizer.merges.map {
        .init(left: ids[Int($0.left)], right: ids[Int($0.right)], result: ids[Int($0.result)])
      },
      addedTokens: specialTokens.enumerated().map { .init(id: UInt32($0), text: $1) }, unknown: 3,
      listedCount: listed)
  }

  private static func subwords(_ file: [UInt8], _ name: String) throws -> [[UInt8]] {
    var subwords: [[UInt8]] = []
    var known = Set(specialTokens.map { Array($0.utf8) })
    var last = Int.max
    for (index, line) in file.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      if line.isEmpty { continue }
      let text = String(decoding: line, as: UTF8.self)
      let fields = text.unicodeScalars.split {
        $0.properties.isWhitespace || (0x1c...0x1f).contains($0.value)
      }
      if text.unicodeScalars.contains("\u{2028}") || fields.count != 2 { continue }
      guard let count = Int(String(fields[1])), count <= last else {
        throw Failure(
          .badInput, "a count that is not a number or is larger than the one before", file: name,
          line: index + 1,
          remedy: "Sort the vocabulary by count, as fastBPE getvocab does")
      }
      last = count
      let subword = Array(String(fields[0]).utf8)
      if known.insert(subword).inserted { subwords.append(subword) }
    }
    return subwords
  }
}
