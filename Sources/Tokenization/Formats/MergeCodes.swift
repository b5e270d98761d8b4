import Support

/// Codes files of word mode: one merge per line in order of rank, with `</w>` at the end of a symbol that
/// ends a word.
///
/// - subword-nmt 0.2: a line `#version: 0.2`, then `left right`;
/// - subword-nmt 0.1: no version line, `left right`; the end of a word is a separate symbol `</w>`
///   (learn-bpe does not write it);
/// - fastBPE: `left right count`.
///
/// A merge that occurs twice has the rank of its first line. Tokens contain no spaces or line feeds, but any
/// other byte.
package enum MergeCodes {
  package enum Format: String, Sendable, CaseIterable {
    case subwordNMT = "subword-nmt"
    case fastBPE = "fastbpe"
  }

  package static func write(_ learned: LearnedMerges, format: Format) -> [UInt8] {
    let texts = learned.symbolTexts()
    var out: [UInt8] = []
    if format == .subwordNMT { out.append(contentsOf: "#version: 0.2\n".utf8) }
    for merge in learned.merges {
      out.append(contentsOf: texts[Int(merge.left)])
      out.append(0x20)
      out.append(contentsOf: texts[Int(merge.right)])
      if format == .fastBPE { out.append(contentsOf: " \(merge.count)".utf8) }
      out.append(0x0a)
    }
    return out
  }

  /// The merges of a word tokenizer, in format 0.1 if the end of a word is a symbol.
  ///
  /// A tokenizer has no counts, so fastBPE's are 0; no program reads them.
  package static func write(_ tokenizer: Tokenizer, format: Format) -> [UInt8] {
    var out: [UInt8] = []
    if format == .subwordNMT && !tokenizer.endOfWordIsSymbol { out += "#version: 0.2\n".utf8 }
    for merge in tokenizer.merges {
      out += tokenizer.vocabulary[merge.left] + [0x20] + tokenizer.vocabulary[merge.right]
      if format == .fastBPE { out += " 0".utf8 }
      out.append(0x0a)
    }
    return out
  }

  /// A codes file has no vocabulary, so it is made from the merges: ``Tokenizer/unknownToken``, the symbols
  /// that no merge makes in byte order, the results in the order of the merges, and ``Tokenizer/endOfText``.
  package static func read(_ bytes: [UInt8], file: String) throws -> Tokenizer {
    var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { lines[0] = lines[0].dropFirst(3) }
    guard let first = lines.first else {
      throw Failure(.badInput, "the file is empty", file: file, remedy: "Give the codes that learn-bpe wrote")
    }
    // A token may end in a carriage return, so these are removed only if every line has one.
    let hasCarriageReturns = lines.allSatisfy { $0.last == 0x0d }
    if hasCarriageReturns { lines = lines.map { $0.dropLast() } }

    let header = String(decoding: hasCarriageReturns ? first.dropLast() : first, as: UTF8.self)
    var columns = 2
    var endOfWordIsSymbol = false
    var skipped = 0
    if header.hasPrefix("#version:") && header.split(separator: " ").count < 3 {
      switch header.dropFirst("#version:".count).drop(while: { $0 == " " }) {
      case "0.2": break
      case "0.1": endOfWordIsSymbol = true
      case let version:
        throw Failure(
          .badInput, "the codes have version \(version), not 0.1 or 0.2", file: file, line: 1,
          remedy: "Give codes of learn-bpe, fastBPE or subword-nmt")
      }
      skipped = 1
    } else if fields(lines[0]).count == 3 {
      columns = 3
    } else {
      endOfWordIsSymbol = true
    }
    var symbols = Symbols()
    for (index, line) in lines.enumerated().dropFirst(skipped) {
      let parts = fields(line)
      let isWhole =
        parts.count == columns && !parts[0].isEmpty && !parts[1].isEmpty
        && (columns == 2 || parts[2].allSatisfy { $0 &- 0x30 < 10 } && !parts[2].isEmpty)
      guard isWhole else {
        throw Failure(
          .badInput,
          columns == 3
            ? "not a merge of the form \"left right count\"" : "not a merge of the form \"left right\"",
          file: file, line: index + 1,
          remedy: "Give a codes file of learn-bpe, fastBPE or subword-nmt, or a tokenizer.json")
      }
      symbols.addMerge(of: parts[0], parts[1])
    }
    return symbols.tokenizer(endOfWordIsSymbol: endOfWordIsSymbol)
  }

  private static func fields(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    line.split(separator: 0x20, omittingEmptySubsequences: false)
  }

  /// The symbols in the merges.
  private struct Symbols {
    /// All symbols in the order of the merges: the two sides of each, then its result.
    private var texts = Vocabulary([])
    private var merges: [(left: UInt32, right: UInt32, result: UInt32)] = []
    private var joined: [UInt8] = []

    mutating func addMerge(of left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) {
      joined.removeAll(keepingCapacity: true)
      joined += left
      joined += right
      let numbers = joined.withUnsafeBufferPointer {
        (
          texts.insert(UnsafeBufferPointer(rebasing: $0[..<left.count])),
          texts.insert(UnsafeBufferPointer(rebasing: $0[left.count...])), texts.insert($0)
        )
      }
      merges.append(numbers)
    }

    mutating func tokenizer(endOfWordIsSymbol: Bool) -> Tokenizer {
      var isMade = [Bool](repeating: false, count: texts.count)
      for merge in merges { isMade[Int(merge.result)] = true }
      if endOfWordIsSymbol {
        let mark = EndOfWord.mark.withUnsafeBufferPointer { texts.insert($0) }
        if mark == isMade.count { isMade.append(false) }
        isMade[Int(mark)] = false
      }
      let alphabet = (0..<UInt32(texts.count)).filter { !isMade[Int($0)] }.map { ($0, texts[$0]) }
        .sorted { $0.1.lexicographicallyPrecedes($1.1) }.map(\.0)
      var ids = [UInt32](repeating: 0, count: texts.count)
      var (bytes, counts) = (Array(Tokenizer.unknownToken.utf8), [Tokenizer.unknownToken.utf8.count])
      texts.withBytes { all in
        func add(_ symbol: UInt32) {
          ids[Int(symbol)] = UInt32(counts.count)
          let range = texts.range(of: symbol)
          bytes.append(contentsOf: UnsafeBufferPointer(rebasing: all[range]))
          counts.append(range.count)
        }
        for symbol in alphabet { add(symbol) }
        for merge in merges where ids[Int(merge.result)] == 0 { add(merge.result) }
      }
      let end = UInt32(counts.count)
      bytes += Tokenizer.endOfText.utf8
      counts.append(Tokenizer.endOfText.utf8.count)
      return Tokenizer(
        mode: .word, preTokenizer: .words, vocabulary: Vocabulary(bytes: bytes, counts: counts),
        merges: merges.map {
          .init(left: ids[Int($0.left)], right: ids[Int($0.right)], result: ids[Int($0.result)])
        },
        addedTokens: [
          .init(id: 0, text: Tokenizer.unknownToken), .init(id: end, text: Tokenizer.endOfText),
        ], unknown: 0, endOfWordIsSymbol: endOfWordIsSymbol)
    }
  }
}
