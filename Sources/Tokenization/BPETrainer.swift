import Support

/// What BPE learning found: the alphabet it began with and the pairs it merged, best first.
package struct LearnedMerges: Sendable {
  package struct Merge: Sendable, Equatable {
    /// Symbols: the alphabet is 0..<A, the result of merge m is A + m.
    package let left, right: UInt32
    /// Occurrences of the pair when it was chosen.
    package let count: Int
  }

  /// Text of each symbol of the alphabet, in word mode with `</w>` where the symbol ends a word.
  package let alphabet: [[UInt8]]
  package let merges: [Merge]

  /// The texts of all symbols, the alphabet's first.
  package func symbolTexts() -> [[UInt8]] {
    var texts = alphabet
    for merge in merges { texts.append(texts[Int(merge.left)] + texts[Int(merge.right)]) }
    return texts
  }
}

/// Learns the merges of byte-pair encoding (Sennrich, Haddow and Birch 2015) from counts of distinct pre-tokens: again and again the
/// most frequent pair of neighboring symbols becomes a symbol.
///
/// The words lie end to end in one array. A symbol stands at the first and at the last of its positions, so that both
/// neighbors are found without links. Each pair lists the positions where it occurs; a merge touches those only, and
/// the work of all merges together is at most proportional to the length of the words. A position stays on a list after
/// its pair is gone and is passed over when the list is used. That needs no upkeep, because a pair of neighbors can
/// only come about in the merge that makes the newer of the two, so its list is written once and its count only falls.
/// For the same reason pairs that are born below the least count are forgotten at once.
///
/// Counts are exact in 64 bits. Equal counts are decided by ``TieBreak`` alone, so the order of the words, and with it
/// the number of threads that counted them, does not matter.
package struct BPETrainer: ~Copyable {
  /// Which of several pairs with the same count is merged first.
  package enum TieBreak: Sendable {
    /// The smallest (left, right) as ids: Hugging Face's trainer.
    case smallestIDs
    /// The largest (left, right) as strings by code point, `</w>` included: subword-nmt.
    case largestStrings
  }

  static let separator = UInt32.max
  /// Left where a symbol began that is now inside another.
  static let interior = UInt32.max - 1

  private let texts: SymbolTexts
  private let minimumCount: Int
  private var symbols: UnsafeMutableBufferPointer<UInt32>
  private let weights: PositionWeights
  private var pairs = PairTable()
  private var heap: PairHeap
  private var postings: [UInt32] = []
  private var neighbors: NeighborCounts

  /// `minimumCount` is the least count of a pair that is merged, at least 1.
  init(_ words: SymbolizedWords, tieBreak: TieBreak, minimumCount: Int, reserved: [String]) {
    texts = SymbolTexts(
      words.alphabet, marksEndOfWord: words.marksEndOfWord, reserved: reserved.map { Array($0.utf8) })
    self.minimumCount = max(1, minimumCount)
    symbols = .allocate(capacity: words.symbols.count)
    _ = symbols.initialize(from: words.symbols)
    weights = words.weights
    heap = PairHeap(tieBreak, texts)
    neighbors = NeighborCounts()
    countPairs()
  }

  deinit { symbols.deallocate() }

  /// Learns at most `limit` merges.
  ///
  /// No symbol becomes equal to one of the `reserved` texts. `progress` is told now and then how many there
  /// are.
  package static func learn(
    _ words: SymbolizedWords, limit: Int, tieBreak: TieBreak, minimumCount: Int,
    reserved: [String] = [],
    progress: (_ merges: Int, _ pairs: Int) throws -> Void = { _, _ in }
  ) throws -> LearnedMerges {
    guard words.symbols.count < Int(UInt32.max) - 2 else {
      throw Failure(
        .failed, "the distinct words hold \(words.symbols.count) symbols, more than 4 billion",
        remedy: "Learn from a part of the text, or with a pre-tokenizer that makes shorter words")
    }
    var trainer = BPETrainer(words, tieBreak: tieBreak, minimumCount: minimumCount, reserved: reserved)
    var merges: [LearnedMerges.Merge] = []
    while merges.count < limit, let merge = trainer.mergeNext() {
      merges.append(merge)
      if merges.count & 63 == 0 { try progress(merges.count, trainer.heap.count) }
    }
    return LearnedMerges(alphabet: words.alphabet, merges: merges)
  }

  /// The first list of positions: every pair of neighbors in every word.
  private mutating func countPairs() {
    func forEachPair(_ body: (UInt64, _ position: Int, _ weight: Int) -> Void) {
      var cursor = weights.start
      for position in 1..<max(1, symbols.count - 1) {
        let (left, right) = (symbols[position], symbols[position + 1])
        if left == Self.separator || right == Self.separator { continue }
        body(PairTable.key(left, right), position, weights.weight(at: position, &cursor))
      }
    }
    forEachPair { key, _, weight in
      let entry = pairs.insert(key)
      entry.pointee.count += weight
      entry.pointee.postings += 1
    }
    var next = 0
    for index in pairs.entries.indices where pairs.entries[index].key != PairTable.free {
      let entry = pairs.entries.baseAddress! + index
      if entry.pointee.count < minimumCount || texts.isRefused(entry.pointee.key) {
        entry.pointee.count = 0
        entry.pointee.postings = 0
        continue
      }
      heap.append(PairHeap.Item(count: entry.pointee.count, key: entry.pointee.key))
      entry.pointee.firstPosting = next
      next += entry.pointee.postings
      entry.pointee.postings = 0
    }
    heap.arrange()
    postings = [UInt32](repeating: 0, count: next)
    postings.withUnsafeMutableBufferPointer { postings in
      forEachPair { key, position, _ in
        guard let entry = pairs.find(key), entry.pointee.count > 0 else { return }
        postings[entry.pointee.firstPosting + entry.pointee.postings] = UInt32(position)
        entry.pointee.postings += 1
      }
    }
  }

  /// Merges the best pair; nil when none is frequent enough.
  private mutating func mergeNext() -> LearnedMerges.Merge? {
    while let top = heap.top {
      let entry = pairs.find(top.key)!
      let count = entry.pointee.count
      if count != top.count {
        // Outdated: counts fall without the heap being told.
        if count >= minimumCount { heap.replaceTop(count: count) } else { heap.removeTop() }
        continue
      }
      heap.removeTop()
      let range = entry.pointee.firstPosting..<(entry.pointee.firstPosting + entry.pointee.postings)
      entry.pointee.count = 0
      let (left, right) = (UInt32(top.key >> 32), UInt32(truncatingIfNeeded: top.key))
      let result = texts.append(left, right)
      replace(left, right, by: result, postings: range)
      announce(left, right, result)
      return LearnedMerges.Merge(left: left, right: right, count: count)
    }
    return nil
  }

  /// Puts the new symbol in place, left to right without overlap, and notes which neighbors were lost and found.
  private mutating func replace(_ a: UInt32, _ b: UInt32, by c: UInt32, postings range: Range<Int>) {
    neighbors.begin(symbolCount: Int(c) + 1)
    let lengths = texts.lengths
    let lengthA = Int(lengths[Int(a)])
    let lengthB = Int(lengths[Int(b)])
    let symbols = self.symbols.baseAddress!
    var cursor = weights.start
    postings.withUnsafeBufferPointer { postings in
      for index in range {
        let position = Int(postings[index])
        guard symbols[position] == a, symbols[position + lengthA] == b else { continue }
        let weight = weights.weight(at: position, &cursor)

        let before = symbols[position - 1]
        if before == c {
          // The merge just before announced (c, a) here; the pair is (c, c) now.
          neighbors.right.found(a, -weight)
          neighbors.left.found(c, weight, at: position - lengthA - lengthB)
        } else if before != Self.separator {
          neighbors.left.lost(before, weight)
          neighbors.left.found(before, weight, at: position - Int(lengths[Int(before)]))
        }

        let after = symbols[position + lengthA + lengthB]
        if after != Self.separator {
          // In a run of one letter the pair behind is the merged pair itself, which is gone as a whole.
          if a != b || after != a { neighbors.right.lost(after, weight) }
          neighbors.right.found(after, weight, at: position)
        }

        symbols[position + lengthA] = Self.interior
        symbols[position] = c
        symbols[position + lengthA + lengthB - 1] = c
      }
    }
  }

  /// Brings counts, lists and heap up to date with what ``replace`` noted, one look-up for each distinct neighbor.
  private mutating func announce(_ a: UInt32, _ b: UInt32, _ c: UInt32) {
    neighbors.left.forEachTouched { symbol, lost, _ in
      if lost > 0, let entry = pairs.find(PairTable.key(symbol, a)) { entry.pointee.count -= lost }
    }
    neighbors.right.forEachTouched { symbol, lost, _ in
      if lost > 0, let entry = pairs.find(PairTable.key(b, symbol)) { entry.pointee.count -= lost }
    }
    addPairs(neighbors.left) { PairTable.key($0, c) }
    addPairs(neighbors.right) { PairTable.key(c, $0) }
  }

  private mutating func addPairs(_ side: NeighborCounts.Side, key: (UInt32) -> UInt64) {
    side.forEachTouched { symbol, _, found in
      let key = key(symbol)
      guard found >= minimumCount, !texts.isRefused(key) else {
        side.setListStart(of: symbol, nil)
        return
      }
      let entry = pairs.insert(key)
      entry.pointee.count = found
      entry.pointee.firstPosting = postings.count
      entry.pointee.postings = side.positions(of: symbol)
      side.setListStart(of: symbol, postings.count)
      postings.append(contentsOf: repeatElement(0, count: entry.pointee.postings))
      heap.push(PairHeap.Item(count: found, key: key))
    }
    postings.withUnsafeMutableBufferPointer { side.distribute(into: $0) }
  }
}
