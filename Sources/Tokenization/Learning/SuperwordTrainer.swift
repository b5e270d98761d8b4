import Support

/// Learns merges across spaces: the second stage of SuperBPE (Liu et al., 2025), on units of text as tokens of the first.
///
/// Units are about as long as the text, so they are never all in memory. A pair of tokens that occurs fewer than
/// `floor` times can be no part of a merge that is chosen with that count or a higher one, because each occurrence of
/// two symbols side by side is one of the last token of the one and the first of the other. So the units are cut at
/// all rarer pairs, the pieces of more than one token are counted, and ``BPETrainer`` learns from these until no pair
/// reaches the floor. The merges are those of the whole units. If more are wanted, the units are encoded with
/// what is learned, and cut at a lower floor.
///
/// Pairs are counted by a hash in a table of fixed size, which never counts too few: some pairs are kept for
/// nothing, and none is lost. The result depends neither on the floors nor on the number of threads.
package struct SuperwordTrainer {
  package struct Options: Sendable {
    package var merging: BPETrainer.Options
    /// For counting and for merging, in bytes.
    package var memory: Int
    package var threads: Int
    package var temporaryDirectory: String
    /// About how many pairs are kept at a time; nil: a few for each merge.
    package var keptPairs: Int?

    package init(merging: BPETrainer.Options, memory: Int, threads: Int, temporaryDirectory: String) {
      self.merging = merging
      self.memory = memory
      self.threads = threads
      self.temporaryDirectory = temporaryDirectory
    }
  }

  private let units: ReplayedCounts
  private let options: Options
  private var tokenizer: Tokenizer

  /// The tokenizer that `base`, which has no added tokens and is applied to whole units, becomes by the merges.
  ///
  /// `report` gets each merge, whose symbols are ids, its number from 1 and the number of pairs left.
  package static func learn(
    _ units: ReplayedCounts, extending base: Tokenizer, _ options: Options,
    report: (_ merge: LearnedMerges.Merge, _ number: Int, _ pairs: Int) throws -> Void = { _, _, _ in }
  ) throws -> Tokenizer {
    var trainer = SuperwordTrainer(units: units, options: options, tokenizer: base)
    try trainer.learn(report)
    return trainer.tokenizer
  }

  /// The number of tokens that hold more than one word.
  package static func count(in tokenizer: Tokenizer) -> Int {
    tokenizer.tokens.count { $0.split(separator: 0x20).count > 1 }
  }

  private mutating func learn(
    _ report: (_ merge: LearnedMerges.Merge, _ number: Int, _ pairs: Int) throws -> Void
  ) throws {
    let first = tokenizer.merges.count
    let minimum = options.merging.minimumCount
    // No pair occurs so often.
    var ceiling = Int.max
    while case let done = tokenizer.merges.count - first, done < options.merging.limit {
      let remaining = options.merging.limit - done
      var pairs = try countPairs()
      pairs.chooseLimit(keeping: options.keptPairs ?? 4 * remaining + 1 << 17)
      pairs.limit = max(minimum, min(pairs.limit, ceiling / 2))
      let pieces = try frequentPieces(&pairs, below: ceiling)
      let floor = pairs.limit
      var merging = options.merging
      merging.limit = remaining
      merging.minimumCount = floor
      merging.reserved += tokenizer.tokens
      let learned = try BPETrainer.learn(symbolized(pieces), merging) {
        try report($0, done + $1, $2)
      }
      tokenizer = tokenizer.extended(by: learned, specialTokens: [])
      if floor == minimum { return }
      ceiling = floor
    }
  }

  /// Calls `body` with the tokens of each unit and its count.
  private func forEachEncoded(_ body: (UnsafeBufferPointer<UInt32>, Int) throws -> Void) throws {
    let encoder = BPEEncoder(tokenizer.takingWholeTexts())
    let pool = WorkerPool(threads: options.threads)
    var waiting: [WordCounts] = []
    func encodeWaiting() throws {
      var encoded = [EncodedBatch](repeating: EncodedBatch(), count: waiting.count)
      encoded.withUnsafeMutableBufferPointer { encoded in
        pool.forEach(waiting.count) { index, _ in
          let words = waiting[index]
          encoded[index] = words.bytes.withUnsafeBufferPointer { bytes in
            encoder.encode(bytes, documents: (0..<words.distinct).map { words.range(of: $0) })
          }
        }
      }
      for (words, batch) in zip(waiting, encoded) {
        for unit in 0..<words.distinct { try batch.withDocument(unit) { try body($0, words.counts[unit]) } }
      }
      waiting = []
    }
    try units.forEachBatch(bytes: 1 << 19) { words in
      waiting.append(words)
      if waiting.count == options.threads { try encodeWaiting() }
    }
    try encodeWaiting()
  }

  private func countPairs() throws -> HashedCounts {
    // An eighth of the memory, or less for a small text.
    let room = max(1 << 13, min(options.memory / 64, 4 * units.distinct + 1 << 16))
    var bits = 10
    while bits < 30 && 1 << (bits + 1) <= room { bits += 1 }
    let counts = HashedCounts(bits: bits)
    try forEachEncoded { tokens, count in
      for index in tokens.indices.dropLast() {
        counts.add(PairTable.key(tokens[index], tokens[index + 1]), count)
      }
    }
    return counts
  }

  /// The runs of tokens without a rare pair, as ``PieceText``.
  ///
  /// Where they would need too much memory, the limit of `pairs` is raised.
  private func frequentPieces(_ pairs: inout HashedCounts, below ceiling: Int) throws -> WordCounts {
    while true {
      if let pieces = try pieces(pairs) { return pieces }
      let limit = pairs.limit
      pairs.limit += max(1, limit / 4)
      guard pairs.limit < min(ceiling, Int.max / 2) else {
        throw Failure(
          .failed, "superwords of pairs that occur \(limit) times need more memory",
          remedy: "Give more --memory")
      }
    }
  }

  /// Nil if they are too many.
  private func pieces(_ pairs: borrowing HashedCounts) throws -> WordCounts? {
    let counter = PreTokenCounter(
      .none, memory: options.memory / 2, threads: 1, temporaryDirectory: options.temporaryDirectory)
    var batch = WordCounts()
    var text: [UInt8] = []
    func add(_ piece: Slice<UnsafeBufferPointer<UInt32>>, _ count: Int) throws {
      guard piece.count > 1 else { return }
      text.removeAll(keepingCapacity: true)
      for token in piece { PieceText.append(token, to: &text) }
      batch.append(text, count: count)
      if batch.bytes.count < 1 << 18 { return }
      try counter.count(batch)
      batch = WordCounts()
    }
    try forEachEncoded { tokens, count in
      var start = 0
      for index in tokens.indices.dropLast()
      where pairs.isRare(PairTable.key(tokens[index], tokens[index + 1])) {
        try add(tokens[start...index], count)
        start = index + 1
      }
      if start < tokens.count { try add(tokens[start...], count) }
    }
    try counter.count(batch)
    // Merging takes about 20 bytes a token.
    let limit = options.memory / 20 * PieceText.width
    if counter.spilledRuns == 0 {
      let pieces = try counter.finish()
      return pieces.bytes.count <= limit ? pieces : nil
    }
    var pieces = WordCounts()
    var fits = true
    try counter.finishSorted { piece, count in
      if fits { pieces.append(piece, count: count) }
      fits = pieces.bytes.count <= limit
    }
    return fits ? pieces : nil
  }

  private func symbolized(_ pieces: WordCounts) throws -> SymbolizedWords {
    try SymbolizedWords(
      pieces, alphabet: tokenizer.tokens, marksEndOfWord: false, bytesPerSymbol: PieceText.width
    ) { piece, _, out in
      let count = piece.count / PieceText.width
      for index in 0..<count { out[index] = PieceText.token(piece, at: index) }
      return count
    }
  }
}

/// Tokens as text, so that they are counted and spilled like words: four characters for each.
private enum PieceText {
  static let width = 4

  static func append(_ token: UInt32, to text: inout [UInt8]) {
    for shift in [18, 12, 6, 0] { text.append(0x3f + UInt8(token >> UInt32(shift) & 0x3f)) }
  }

  static func token(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> UInt32 {
    (0..<width).reduce(0) { $0 << 6 | UInt32(text[index * width + $1] - 0x3f) }
  }
}
