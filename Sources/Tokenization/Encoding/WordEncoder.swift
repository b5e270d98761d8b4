import Foundation
import Support

/// What all threads of an encoder share: how one word becomes ids, with nothing remembered.
final class EncodingTables: @unchecked Sendable {
  // Written by `init` only.
  let tokenizer: Tokenizer
  let options: EncodingOptions
  let merges: MergeTable
  let specialTokens: SpecialTokenFinder
  let endOfWordSymbol: UInt32
  private let byteSymbols: [UInt32]
  /// Nil where the merges have to be applied.
  private let backtracking: Backtracking?
  /// Nothing but the bytes of a word tells its ids.
  private let isPlain: Bool
  /// Nil where only whole words have ids.
  let safeCuts: SafeCuts?
  /// The two parts of what a merge makes, by its id; empty without a restricted vocabulary.
  private var parts: [UInt32: (left: UInt32, right: UInt32)] = [:]

  /// Dropout redraws everything at each step; longer words go in parts of so many symbols.
  private static let dropoutSymbols = 4096

  /// What one thread needs.
  struct Scratch: ~Copyable {
    var merger = WordMerger()
    var backtracking = Backtracking.Scratch()
    var random = RandomGenerator(seed: 0)
    fileprivate var text: [UInt8] = []
    fileprivate var character: [UInt8] = []
    /// Word mode, where the tokens do not tell it (glossaries): how many bytes each id of the word stands for.
    var lengths: [Int] = []
  }

  init(_ tokenizer: Tokenizer, _ options: EncodingOptions) {
    self.tokenizer = tokenizer
    self.options = options
    let count = min(options.merges ?? .max, tokenizer.merges.count)
    specialTokens = SpecialTokenFinder(tokenizer.specialTokens)
    byteSymbols = (0...255).map { tokenizer.vocabulary.id(of: [UInt8($0)]) ?? WordMerger.unknown }
    endOfWordSymbol = tokenizer.vocabulary.id(of: EndOfWord.mark) ?? WordMerger.unknown
    if options.allowed != nil {
      // Of merges with the same result the first tells the parts.
      for merge in tokenizer.merges.prefix(count) where parts[merge.result] == nil {
        parts[merge.result] = (merge.left, merge.right)
      }
    }
    backtracking = options.dropout > 0 ? nil : Backtracking(tokenizer, mergeCount: count)
    // Bytes never need them, words only if they hold what is no UTF-8.
    merges = MergeTable(
      tokenizer.merges.prefix(backtracking == nil || tokenizer.mode == .word ? count : 0))
    isPlain =
      backtracking != nil && tokenizer.mode == .byteLevel && !tokenizer.ignoresMerges
      && options.glossary == nil && options.allowed == nil
    takesWords = isPlain && backtracking!.takesWords
    safeCuts =
      isPlain ? SafeCuts(tokenizer.vocabulary, tokenizer.merges.prefix(count)) : nil
  }

  /// Whether ``encodeWords(_:_:tokens:counts:)`` can be used.
  let takesWords: Bool

  /// Whether a word always gives the same ids.
  var isRepeatable: Bool { options.dropout == 0 }

  /// Writes the ids of a word to `output`, which has room for one a byte and one more, and returns how many.
  ///
  /// Characters without a token are ``WordMerger/unknown``.
  func encode(
    _ word: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch, into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if isPlain {
      return backtracking!.encode(word.baseAddress!, word.count, &scratch.backtracking, into: output)
    }
    scratch.lengths.removeAll(keepingCapacity: true)
    guard let glossary = options.glossary, let segments = glossary.segments(of: word) else {
      return encode(word, isFinal: true, &scratch, into: output)
    }
    var count = 0
    for (index, segment) in segments.enumerated() {
      let bytes = UnsafeBufferPointer(rebasing: word[segment.range])
      if segment.isWhole {
        let isLast = index == segments.count - 1
        output[count] =
          tokenizer.vocabulary.id(of: Array(bytes) + (isLast ? EndOfWord.mark : [])) ?? WordMerger.unknown
        scratch.lengths.append(bytes.count)
        count += 1
      } else {
        // Each part is encoded as a word of its own, though its last piece does not end the word.
        let more = encode(bytes, isFinal: true, &scratch, into: output + count)
        appendLengths(UnsafeBufferPointer(start: output + count, count: more), bytes, &scratch.lengths)
        count += more
      }
    }
    return count
  }

  /// The ids of a few short words at once.
  func encodeWords(
    _ words: UnsafePointer<WordKey>, _ count: Int, tokens: UnsafeMutablePointer<UInt32>,
    counts: UnsafeMutablePointer<UInt32>
  ) {
    backtracking!.encodeWords(words, count, tokens: tokens, counts: counts)
  }

  private func encode(
    _ word: UnsafeBufferPointer<UInt8>, isFinal: Bool, _ scratch: inout Scratch,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if tokenizer.ignoresMerges, isRepeatable, let id = tokenizer.vocabulary.id(of: word) {
      output[0] = id
      return 1
    }
    var count: Int
    if let backtracking, tokenizer.mode == .byteLevel {
      count = backtracking.encode(word.baseAddress!, word.count, &scratch.backtracking, into: output)
    } else if let backtracking, !word.contains(Backtracking.endOfWord) {
      scratch.text.removeAll(keepingCapacity: true)
      scratch.text.append(contentsOf: word)
      scratch.text.append(Backtracking.endOfWord)
      let length = scratch.text.count
      // The array's address is needed beside the scratch that holds it.
      let text = scratch.text
      count = text.withUnsafeBufferPointer {
        backtracking.encode($0.baseAddress!, length, &scratch.backtracking, into: output)
      }
    } else {
      let symbols = Self.symbolize(word, isFinal: true, tokenizer, byteSymbols, endOfWordSymbol, &scratch)
      if options.dropout > 0 {
        count = mergeWithDropout(symbols, &scratch, into: output)
      } else {
        count = merges.withView { scratch.merger.merge($0, count: symbols) }
        output.update(from: scratch.merger.symbols, count: count)
      }
    }
    if let allowed = options.allowed { count = restrict(count, to: allowed, output) }
    return count
  }

  /// Leaves the symbols that a word begins as in the merger and returns how many there are.
  private static func symbolize(
    _ word: UnsafeBufferPointer<UInt8>, isFinal: Bool, _ tokenizer: Tokenizer, _ byteSymbols: [UInt32],
    _ endOfWordSymbol: UInt32, _ scratch: inout Scratch
  ) -> Int {
    scratch.merger.reserve(word.count + 1)
    let symbols = scratch.merger.symbols
    var count = 0
    switch tokenizer.mode {
    case .byteLevel:
      for byte in word {
        symbols[count] = byteSymbols[Int(byte)]
        count += 1
      }
    case .word:
      let gluesMark = isFinal && !tokenizer.endOfWordIsSymbol
      Characters.forEachCharacter(in: word) { character, isLast in
        scratch.character.removeAll(keepingCapacity: true)
        scratch.character.append(contentsOf: character)
        if isLast && gluesMark { scratch.character.append(contentsOf: EndOfWord.mark) }
        symbols[count] = tokenizer.vocabulary.id(of: scratch.character) ?? WordMerger.unknown
        count += 1
      }
      if isFinal && !gluesMark {
        symbols[count] = endOfWordSymbol
        count += 1
      }
    }
    return count
  }

  /// subword-nmt's dropout: at each step every pair is passed over with the given probability, and of the others the
  /// best one is merged wherever it was not passed over.
  private func mergeWithDropout(
    _ symbolCount: Int, _ scratch: inout Scratch, into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let symbols = scratch.merger.symbols
    var total = 0
    // Characters of one byte are whole words to subword-nmt, drawn for like any other: one symbol draws nothing.
    for start in stride(from: 0, to: symbolCount, by: Self.dropoutSymbols) {
      let part = output + total
      var count = min(Self.dropoutSymbols, symbolCount - start)
      part.update(from: symbols + start, count: count)
      var places: [Int] = []
      while count > 1 {
        var best = MergeTable.none
        places.removeAll(keepingCapacity: true)
        merges.withView { table in
          for index in 0..<(count - 1) {
            guard scratch.random.uniform() > options.dropout else { continue }
            let merge = table.lookUp(part[index], part[index + 1])
            if merge == MergeTable.none || merge > best { continue }
            if merge < best {
              best = merge
              places.removeAll(keepingCapacity: true)
            }
            places.append(index)
          }
        }
        if best == MergeTable.none { break }
        var read = 0
        var written = 0
        for place in places where place >= read {
          while read < place {
            part[written] = part[read]
            (read, written) = (read + 1, written + 1)
          }
          part[written] = UInt32(truncatingIfNeeded: best)
          (read, written) = (read + 2, written + 1)
        }
        while read < count {
          part[written] = part[read]
          (read, written) = (read + 1, written + 1)
        }
        count = written
      }
      total += count
    }
    return total
  }

  /// Takes apart what is not in the vocabulary until it is, or is a character.
  private func restrict(
    _ count: Int, to allowed: SubwordVocabulary, _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let ids = Array(UnsafeBufferPointer(start: output, count: count))
    let mark = tokenizer.endOfWordIsSymbol && ids.last == endOfWordSymbol ? 1 : 0
    var written = 0
    func add(_ id: UInt32, isFinal: Bool) {
      if id != WordMerger.unknown, let (left, right) = parts[id], !allowed.contains(id, isFinal: isFinal) {
        add(left, isFinal: false)
        add(right, isFinal: isFinal)
      } else {
        output[written] = id
        written += 1
      }
    }
    for (index, id) in ids.enumerated() { add(id, isFinal: index >= count - 1 - mark) }
    return written
  }

  /// Word mode: replaces the ids of a word by the ends of its pieces in it and returns how many there are.
  func makeEnds(
    of ids: UnsafeMutablePointer<UInt32>, _ count: Int, _ word: UnsafeBufferPointer<UInt8>,
    _ scratch: borrowing Scratch
  ) -> Int {
    var position = 0
    var written = 0
    for index in 0..<count {
      let length =
        scratch.lengths.isEmpty
        ? self.length(of: ids[index], isLast: index + 1 == count, word, from: position)
        : scratch.lengths[index]
      // The mark as a symbol of its own is no piece.
      if length == 0 { continue }
      position += length
      ids[written] = UInt32(position)
      written += 1
    }
    return written
  }

  /// Word mode: how many bytes of the word each id stands for; 0 for the mark as a symbol of its own.
  private func appendLengths(
    _ ids: UnsafeBufferPointer<UInt32>, _ word: UnsafeBufferPointer<UInt8>, _ lengths: inout [Int]
  ) {
    var position = 0
    for (index, id) in ids.enumerated() {
      let length = length(of: id, isLast: index + 1 == ids.count, word, from: position)
      lengths.append(length)
      position += length
    }
  }

  private func length(of id: UInt32, isLast: Bool, _ word: UnsafeBufferPointer<UInt8>, from position: Int)
    -> Int
  {
    let rest = word.count - position
    if id == WordMerger.unknown {
      var length = min(1, rest)
      while length < rest && word[position + length] & 0xc0 == 0x80 { length += 1 }
      return length
    }
    return isLast ? rest : min(rest, tokenizer.vocabulary.range(of: id).count)
  }
}
