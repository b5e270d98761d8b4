import Support

/// One thread's share of an encoder: scratch space, and a cache of the words seen.
final class EncoderWorker {
  private let tokenizer: Tokenizer
  private let table: MergeTable
  private let byteSymbols: [UInt32]
  private let endOfWordSymbol: UInt32
  private var state = State()

  /// What changes while encoding, in one value so that a whole text is one access.
  private struct State: ~Copyable {
    var cache = WordCache()
    var merger = WordMerger()
    var character: [UInt8] = []
  }

  init(_ tokenizer: Tokenizer, _ table: MergeTable) {
    self.tokenizer = tokenizer
    self.table = table
    byteSymbols = (0...255).map { tokenizer.vocabulary.id(of: [UInt8($0)]) ?? WordMerger.unknown }
    endOfWordSymbol = tokenizer.vocabulary.id(of: EndOfWord.mark) ?? WordMerger.unknown
  }

  func encode(_ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>]) -> EncodedBatch {
    let unknown = tokenizer.unknown ?? WordMerger.unknown
    var batch = EncodedBatch()
    batch.ends.reserveCapacity(documents.count)
    // No word has more symbols than bytes, plus one for the end of a word that is a symbol; words are separated then.
    let capacity = documents.reduce(1) { $0 + $1.count + 1 }
    batch.ids = [UInt32](unsafeUninitializedCapacity: capacity) { output, count in
      let base = output.baseAddress!
      for document in documents {
        forEachWord(in: UnsafeBufferPointer(rebasing: text[document])) { _, _, symbols, symbolCount in
          for index in 0..<symbolCount {
            base[count + index] = symbols[index] == WordMerger.unknown ? unknown : symbols[index]
          }
          count += symbolCount
        }
        batch.ends.append(count)
      }
    }
    return batch
  }

  func appendMarkedPieces(of text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) -> Int {
    var copied = 0
    var pieces = 0
    let continuation = Array("@@ ".utf8)
    forEachWord(in: text) { start, end, symbols, count in
      output.append(contentsOf: text[copied..<start])
      copied = end
      var position = start
      for index in 0..<count where position < end {
        var length = end - position
        if symbols[index] == WordMerger.unknown {
          length = 1
          while position + length < end && text[position + length] & 0xc0 == 0x80 { length += 1 }
        } else if index + 1 < count {
          length = min(length, tokenizer.vocabulary.range(of: symbols[index]).count)
        }
        output.append(contentsOf: text[position..<(position + length)])
        position += length
        if position < end { output.append(contentsOf: continuation) }
        pieces += 1
      }
    }
    output.append(contentsOf: text[copied...])
    return pieces
  }

  func appendByteTokens(of text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) -> Int {
    var pieces = 0
    forEachWord(in: text) { _, _, symbols, count in
      for index in 0..<count {
        if pieces > 0 { output.append(0x20) }
        pieces += 1
        for byte in tokenizer.vocabulary[symbols[index]] {
          output.append(contentsOf: ByteAlphabet.encoded[Int(byte)])
        }
      }
    }
    return pieces
  }

  /// Each word of the text with its symbols, unknown characters among them.
  @inline(__always)
  private func forEachWord(
    in text: UnsafeBufferPointer<UInt8>,
    _ body: (_ start: Int, _ end: Int, _ symbols: UnsafePointer<UInt32>, _ count: Int) -> Void
  ) {
    guard let base = text.baseAddress else { return }
    table.withView { table in
      Self.forEachWord(self, &state, base, text, table, body)
    }
  }

  @inline(__always)
  private static func forEachWord(
    _ worker: EncoderWorker, _ state: inout State, _ base: UnsafePointer<UInt8>,
    _ text: UnsafeBufferPointer<UInt8>, _ table: MergeTable.View,
    _ body: (_ start: Int, _ end: Int, _ symbols: UnsafePointer<UInt32>, _ count: Int) -> Void
  ) {
    worker.tokenizer.preTokenizer.forEachPreToken(in: text) { start, end in
      let length = end - start
      guard length <= ShortKey.maximumLength else {
        let count = worker.encodeWord(base + start, length, table, &state)
        body(start, end, state.merger.symbols, count)
        return
      }
      let key = ShortKey(base + start, length: length, readable: text.count - start)
      let entry = state.cache.entry(key)
      if entry.pointee.key == key {
        WordCache.withSymbols(entry) { body(start, end, $0, $1) }
        return
      }
      let count = worker.encodeWord(base + start, length, table, &state)
      WordCache.store(state.merger.symbols, count, for: key, in: entry)
      body(start, end, state.merger.symbols, count)
    }
  }

  /// Leaves the symbols in the merger and returns how many there are.
  private func encodeWord(
    _ start: UnsafePointer<UInt8>, _ length: Int, _ table: MergeTable.View, _ state: inout State
  ) -> Int {
    let word = UnsafeBufferPointer(start: start, count: length)
    state.merger.reserve(length + 1)
    if tokenizer.ignoresMerges, let id = tokenizer.vocabulary.id(of: word) {
      state.merger.symbols[0] = id
      return 1
    }
    var count = 0
    switch tokenizer.mode {
    case .byteLevel:
      for byte in word {
        state.merger.symbols[count] = byteSymbols[Int(byte)]
        count += 1
      }
    case .word:
      let gluesMark = !tokenizer.endOfWordIsSymbol
      let symbols = state.merger.symbols
      Characters.forEachCharacter(in: word) { character, isLast in
        state.character.removeAll(keepingCapacity: true)
        state.character.append(contentsOf: character)
        if isLast && gluesMark { state.character.append(contentsOf: EndOfWord.mark) }
        symbols[count] = tokenizer.vocabulary.id(of: state.character) ?? WordMerger.unknown
        count += 1
      }
      if !gluesMark {
        symbols[count] = endOfWordSymbol
        count += 1
      }
    }
    return state.merger.merge(table, count: count)
  }
}

/// Words of up to 15 bytes and four symbols, each in the one place that its hash gives it.
///
/// A word displaces the one that was there, so the size is fixed; what is cached never changes a result.
struct WordCache: ~Copyable {
  struct Entry {
    var key = ShortKey.free
    var symbols = (WordCache.end, WordCache.end, WordCache.end, WordCache.end)
  }

  /// Behind the last symbol of an entry.
  private static let end = UInt32.max - 1
  /// 2 MB a thread.
  private static let capacity = 1 << 16

  private let entries: UnsafeMutablePointer<Entry>

  init() {
    entries = .allocate(capacity: Self.capacity)
    entries.initialize(repeating: Entry(), count: Self.capacity)
  }

  deinit { entries.deallocate() }

  /// The place of a word, whatever is there.
  @inline(__always) func entry(_ key: ShortKey) -> UnsafeMutablePointer<Entry> {
    entries + (key.hash & (Self.capacity - 1))
  }

  @inline(__always)
  static func withSymbols(_ entry: UnsafeMutablePointer<Entry>, _ body: (UnsafePointer<UInt32>, Int) -> Void)
  {
    let symbols = entry.pointee.symbols
    let count =
      symbols.1 == end ? 1 : symbols.2 == end ? 2 : symbols.3 == end ? 3 : 4
    withUnsafePointer(to: symbols) {
      $0.withMemoryRebound(to: UInt32.self, capacity: 4) { body($0, count) }
    }
  }

  @inline(__always)
  static func store(
    _ symbols: UnsafePointer<UInt32>, _ count: Int, for key: ShortKey, in entry: UnsafeMutablePointer<Entry>
  ) {
    guard (1...4).contains(count) else { return }
    entry.pointee.key = key
    entry.pointee.symbols = (
      symbols[0], count > 1 ? symbols[1] : end, count > 2 ? symbols[2] : end, count > 3 ? symbols[3] : end
    )
  }
}
