import Support

/// The ids of XLM (Lample and Conneau 2019), whose code numbers the pieces of fastBPE by a vocabulary file.
///
/// 0 `<s>`, 1 `</s>`, 2 `<pad>`, 3 `<unk>`, 4 to 13 `<special0>` to `<special9>`, then the lines of the file, `piece count`,
/// in order. As there, a line is left out that holds U+2028, is not two fields between any white space of Unicode, or
/// repeats a piece; and counts must not rise. Pieces that are not in the file become `<unk>`.
package enum XLMDictionary {
  package static let specialTokens =
    ["<s>", "</s>", "<pad>", Tokenizer.unknownToken] + (0..<10).map { "<special\($0)>" }

  /// The tokenizer with the ids of the dictionary.
  package static func apply(_ file: [UInt8], name: String, to tokenizer: Tokenizer) throws -> Tokenizer {
    guard tokenizer.mode == .word, !tokenizer.endOfWordIsSymbol else {
      throw Failure(.usage, "a dictionary of pieces is for word tokenizers", file: name)
    }
    var tokens = specialTokens.map { Array($0.utf8) }
    for piece in try pieces(file, name) {
      tokens.append(
        piece.suffix(2).elementsEqual("@@".utf8) ? Array(piece.dropLast(2)) : piece + EndOfWord.mark)
    }
    let listed = tokens.count
    // Merging passes through tokens that need not be listed.
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
      specialTokens: specialTokens.enumerated().map { .init(id: UInt32($0), text: $1) }, unknown: 3,
      listedCount: listed)
  }

  private static func pieces(_ file: [UInt8], _ name: String) throws -> [[UInt8]] {
    var pieces: [[UInt8]] = []
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
          .badInput, "a count that is no number or larger than the one before", file: name, line: index + 1,
          remedy: "Sort the vocabulary by count, as fastBPE getvocab does")
      }
      last = count
      let piece = Array(String(fields[0]).utf8)
      if known.insert(piece).inserted { pieces.append(piece) }
    }
    return pieces
  }
}
