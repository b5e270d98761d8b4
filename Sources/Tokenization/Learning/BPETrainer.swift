import CBytes
import Support

/// Learns the merges of byte-pair encoding (Sennrich, Haddow and Birch, 2015) from counts of distinct
/// pre-tokens: the most frequent pair of neighboring symbols becomes a symbol, again and again.
///
/// The words are in one array, end to end. A symbol of several positions is written at the first and at the
/// last of them, so that both its neighbors are found without links. Each pair has a list of the positions
/// where it occurs, and a merge touches only these; all merges together take time at most proportional to the
/// length of the words. A position stays in a list after its pair is gone, and is skipped when the list is
/// used. The lists need no updates, because a pair can only arise in the merge that makes the newer of its
/// two symbols: its list is written once, and from then on its count only falls.
///
/// For the same reason a pair can be ignored while more frequent ones are merged. Pairs below the
/// ``threshold`` are not recorded; when no pair above it is left, all pairs are counted again with a lower
/// threshold. Most pairs are rare and never merged, so the table and the heap stay small.
///
/// Counts are exact in 64 bits. ``TieBreak`` alone decides between equal counts, so the result does not
/// depend on the order of the words, nor on the number of threads that counted them.
package struct BPETrainer: ~Copyable {
  /// What is merged, and when learning stops.
  package struct Options: Sendable {
    package var tieBreak: TieBreak
    /// The number of merges to learn.
    package var limit: Int
    /// The lowest count of a pair that is merged, at least 1.
    package var minimumCount: Int
    /// The maximum size of a symbol, in bytes; in word mode in characters.
    package var maximumSize: Int
    /// Texts that no symbol may become equal to.
    package var reserved: [[UInt8]]
    /// Byte-level: the maximum number of words in a symbol that crosses spaces (``TrainerSymbols``); nil where words
    /// are not counted.
    package var maximumWords: Int?

    package init(
      tieBreak: TieBreak, limit: Int, minimumCount: Int = 1, maximumSize: Int = .max,
      reserved: [[UInt8]] = [],
      maximumWords: Int? = nil
    ) {
      self.tieBreak = tieBreak
      self.limit = limit
      self.minimumCount = max(1, minimumCount)
      self.maximumSize = maximumSize
      self.reserved = reserved
      self.maximumWords = maximumWords
    }
  }

  private let words: SymbolizedWords
  private let options: Options
  private let texts: TrainerSymbols
  /// Every pair with at least this count that may be merged is in ``pairs`` and ``heap``.
  private var threshold = 1
  private var pairs = PairTable()
  private var heap: PairHeap
  private var lists = PositionLists()
  private var left = NeighborCounts()
  private var right = NeighborCounts()
  private var learnedCount = 0
  /// The number of recorded pairs when all pairs were last counted.
  private var collectedCount = 0

  private init(_ words: consuming SymbolizedWords, _ options: Options) {
    texts = TrainerSymbols(
      words.alphabet, marksEndOfWord: words.marksEndOfWord, maximumSize: options.maximumSize,
      reserved: options.reserved, maximumWords: options.maximumWords)
    heap = PairHeap(options.tieBreak, texts)
    self.words = words
    self.options = options
    collectPairs()
  }

  /// Learns at most `options.limit` merges.
  ///
  /// `report` is called with each merge when it is chosen, its number from 1, and the number of pairs in the
  /// heap.
  package static func learn(
    _ words: consuming SymbolizedWords, _ options: Options,
    report: (_ merge: LearnedMerges.Merge, _ number: Int, _ pairs: Int) throws -> Void = { _, _, _ in }
  ) throws -> LearnedMerges {
    let alphabet = words.alphabet
    var trainer = BPETrainer(words, options)
    var merges: [LearnedMerges.Merge] = []
    while merges.count < options.limit, let merge = trainer.mergeNext() {
      merges.append(merge)
      try report(merge, merges.count, trainer.heap.count)
    }
    return LearnedMerges(alphabet: alphabet, merges: merges)
  }

  /// Merges the best pair; nil when none is frequent enough.
  private mutating func mergeNext() -> LearnedMerges.Merge? {
    while true {
      while let top = heap.top {
        let entry = pairs.find(top.key)!
        let count = entry.pointee.count
        if count != top.count {
          // The count of the heap is outdated, as counts fall without updates of the heap.
          if count >= threshold { heap.replaceTop(count: count) } else { heap.removeTop() }
          continue
        }
        heap.removeTop()
        entry.pointee.count = 0
        let (a, b) = (UInt32(top.key >> 32), UInt32(truncatingIfNeeded: top.key))
        let list = entry.pointee.list..<(entry.pointee.list + entry.pointee.length)
        let c = texts.append(a, b)
        let positions = replace(a, b, by: c, list)
        subtractLostPairs(a, b)
        enterNewPairs(a, b, c, positions)
        lists.release(list)
        learnedCount += 1
        let hasManyPairs = pairs.used > max(4 * pairLimit, 2 * collectedCount)
        if hasManyPairs || lists.count > 2 * words.symbols.count + 1 << 20 { collectPairs() }
        return LearnedMerges.Merge(left: a, right: b, count: count)
      }
      if threshold <= options.minimumCount { return nil }
      collectPairs()
      if heap.count == 0 { return nil }
    }
  }

  /// How many positions or pairs ahead memory is prefetched.
  private static let lookahead = 16

  // One merge.

  /// Writes the new symbol over its pair, from left to right without overlap, and counts the pairs with its
  /// neighbors that are lost and found.
  ///
  /// Returns the positions of the new symbol, which overwrite the first part of `list`.
  private mutating func replace(_ a: UInt32, _ b: UInt32, by c: UInt32, _ list: Range<Int>) -> Range<Int> {
    left.begin(symbolCount: Int(c) + 1)
    right.begin(symbolCount: Int(c) + 1)
    let lengths = texts.lengths
    let lengthA = Int(lengths[Int(a)])
    let lengthC = Int(lengths[Int(c)])
    let symbols = words.symbols.baseAddress!
    let positions = lists.base
    var written = list.lowerBound
    var cursor = words.weights.start
    for index in list {
      // The positions are far apart, so each access would wait for memory.
      pkm_prefetch(symbols + Int(positions[min(index + Self.lookahead, list.upperBound - 1)]))
      let position = Int(positions[index])
      guard symbols[position] == a, symbols[position + lengthA] == b else { continue }
      let weight = words.weights.weight(at: position, &cursor)

      let before = symbols[position - 1]
      if before == c {
        // The occurrence just before counted the pair (c, a) here, which is (c, c) now.
        let old = right.touch(a)
        old.pointee.found -= weight
        old.pointee.positions -= 1
        let new = right.touch(c)
        new.pointee.found += weight
        new.pointee.positions += 1
      } else if before != SymbolizedWords.separator {
        let tally = left.touch(before)
        tally.pointee.lost += weight
        tally.pointee.found += weight
        tally.pointee.positions += 1
      }

      let after = symbols[position + lengthC]
      if after != SymbolizedWords.separator {
        let tally = right.touch(after)
        // In a run of one letter the next pair is the merged pair itself, whose count is already 0.
        if a != b || after != a { tally.pointee.lost += weight }
        tally.pointee.found += weight
        tally.pointee.positions += 1
      }

      symbols[position + lengthA] = SymbolizedWords.interior
      symbols[position] = c
      symbols[position + lengthC - 1] = c
      positions[written] = UInt32(position)
      written += 1
    }
    return list.lowerBound..<written
  }

  /// Subtracts the occurrences that the merge removed from the counts of the old pairs.
  private func subtractLostPairs(_ a: UInt32, _ b: UInt32) {
    for symbol in left.touched { pairs.prefetch(PairTable.key(symbol, a)) }
    for symbol in left.touched {
      if let entry = pairs.find(PairTable.key(symbol, a)) {
        entry.pointee.count -= left.tallies[Int(symbol)].lost
      }
    }
    for symbol in right.touched { pairs.prefetch(PairTable.key(b, symbol)) }
    for symbol in right.touched {
      if let entry = pairs.find(PairTable.key(b, symbol)) {
        entry.pointee.count -= right.tallies[Int(symbol)].lost
      }
    }
  }

  /// Records the new pairs that are frequent enough, with their positions.
  private mutating func enterNewPairs(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ positions: Range<Int>) {
    let first = lists.count
    for symbol in left.touched { enter(PairTable.key(symbol, c), left.tallies + Int(symbol)) }
    for symbol in right.touched { enter(PairTable.key(c, symbol), right.tallies + Int(symbol)) }
    if lists.count == first { return }
    // The positions ascend, so each list ascends too.
    let (symbols, lengths, lengthC) = (words.symbols.baseAddress!, texts.lengths, Int(texts.lengths[Int(c)]))
    let (base, left, right) = (lists.base, left.tallies, right.tallies)
    for index in positions {
      pkm_prefetch(symbols + Int(base[min(index + Self.lookahead, positions.upperBound - 1)]))
      let position = Int(base[index])
      let before = symbols[position - 1]
      if before != c && before != SymbolizedWords.separator {
        let next = left[Int(before)].positions
        if next >= 0 {
          base[next] = UInt32(position - Int(lengths[Int(before)]))
          left[Int(before)].positions = next + 1
        }
      }
      let after = symbols[position + lengthC]
      if after != SymbolizedWords.separator {
        let next = right[Int(after)].positions
        if next >= 0 {
          base[next] = UInt32(position)
          right[Int(after)].positions = next + 1
        }
      }
    }
  }

  private mutating func enter(_ key: UInt64, _ tally: UnsafeMutablePointer<NeighborCounts.Tally>) {
    let (count, length) = (tally.pointee.found, tally.pointee.positions - NeighborCounts.Tally.touched)
    tally.pointee.positions = -1
    guard count >= threshold, !texts.isRefused(key) else { return }
    tally.pointee.positions = lists.append(length)
    let entry = pairs.insert(key)
    entry.pointee = PairTable.Entry(key: key, count: count, list: tally.pointee.positions, length: length)
    heap.push(PairHeap.Item(count: count, key: key))
  }

  // All pairs.

  /// The number of pairs to record at most when all are counted.
  private var pairLimit: Int { 4 * (options.limit - learnedCount) + 1 << 17 }

  private struct PairOccurrence {
    let key: UInt64
    let position, weight: Int
  }

  /// Calls `body` with each pair in each word, its position and the count of the word.
  ///
  /// `prefetch` is called with the pair ``lookahead`` pairs earlier.
  @inline(__always) private func forEachPair(
    prefetch: (UInt64) -> Void, _ body: (UInt64, _ position: Int, _ weight: Int) -> Void
  ) {
    let (symbols, lengths) = (words.symbols.baseAddress!, texts.lengths)
    var cursor = words.weights.start
    withUnsafeTemporaryAllocation(of: PairOccurrence.self, capacity: Self.lookahead) { ring in
      var seen = 0
      var position = 1
      while position < words.symbols.count {
        let symbol = symbols[position]
        if symbol == SymbolizedWords.separator {
          position += 1
          continue
        }
        let next = position + Int(lengths[Int(symbol)])
        let after = symbols[next]
        if after != SymbolizedWords.separator {
          let pair = PairOccurrence(
            key: PairTable.key(symbol, after), position: position,
            weight: words.weights.weight(at: position, &cursor))
          prefetch(pair.key)
          let index = seen % Self.lookahead
          if seen >= Self.lookahead { body(ring[index].key, ring[index].position, ring[index].weight) }
          ring[index] = pair
          seen += 1
        }
        position = next
      }
      for late in max(0, seen - Self.lookahead)..<seen {
        let pair = ring[late % Self.lookahead]
        body(pair.key, pair.position, pair.weight)
      }
    }
  }

  /// Counts all pairs, chooses the ``threshold``, and records the pairs that reach it with their positions.
  private mutating func collectPairs() {
    let isDense = learnedCount == 0 && texts.count <= DensePairs.symbolLimit
    let dense = isDense ? DensePairs(words) : nil
    let counted = countPairs(dense)
    pairs = PairTable()
    heap.removeAll()
    var length = 0
    for entry in counted.entries where entry.key != PairTable.free && entry.count >= threshold {
      pairs.insert(entry.key).pointee = PairTable.Entry(
        key: entry.key, count: entry.count, list: length, length: 0)
      heap.append(PairHeap.Item(count: entry.count, key: entry.key))
      length += entry.length
    }
    collectedCount = pairs.used
    heap.arrange()
    lists.reset(length)
    let base = lists.base
    if let dense { return dense.list(pairs, base) }
    forEachPair(prefetch: { pairs.prefetch($0) }) { key, position, _ in
      guard let entry = pairs.find(key) else { return }
      base[entry.pointee.list + entry.pointee.length] = UInt32(position)
      entry.pointee.length += 1
    }
  }

  /// Chooses the ``threshold``, and returns each pair that reaches it with its count and the number of its
  /// positions.
  private mutating func countPairs(_ dense: DensePairs?) -> PairTable {
    var hashed = hashedCounts()
    while true {
      let counted = dense?.table() ?? countedPairs(hashed)
      threshold = max(options.minimumCount, hashed.limit)
      var levels = CountLevels()
      for entry in counted.entries where entry.key != PairTable.free && entry.count >= threshold {
        if texts.isRefused(entry.key) {
          counted.find(entry.key)!.pointee.count = 0
        } else {
          levels.add(entry.count)
        }
      }
      if levels.highest == 0 && hashed.limit > options.minimumCount {
        // Several rare pairs with one hash looked like a frequent pair.
        hashed.limit = max(1, hashed.limit / 4)
        continue
      }
      // By Zipf's law the n-th merge has about an n-th of the count of the first, so pairs far below that
      // will hardly be merged. Where one is, all pairs are counted again.
      let likely = levels.highest / (4 * max(1, options.limit - learnedCount))
      threshold = max(threshold, min(levels.floorOfHighest, max(likely, levels.floor(ofAtMost: pairLimit))))
      return counted
    }
  }

  /// The counts of all pairs except some that are rare.
  private func countedPairs(_ hashed: borrowing HashedCounts) -> PairTable {
    var counted = PairTable()
    forEachPair(
      prefetch: {
        hashed.prefetch($0)
        counted.prefetch($0)
      }
    ) { key, _, weight in
      if hashed.isRare(key) { return }
      let entry = counted.insert(key)
      entry.pointee.count += weight
      entry.pointee.length += 1
    }
    return counted
  }

  /// Finds most of the rare pairs, where a table of all pairs could outgrow the words.
  private func hashedCounts() -> HashedCounts {
    let isNeeded = words.symbols.count > 1 << 23 && texts.count > 1 << 11
    var counts = HashedCounts(bits: isNeeded ? 22 : 0)
    if isNeeded {
      forEachPair(prefetch: { counts.prefetch($0) }) { key, _, weight in counts.add(key, weight) }
      counts.chooseLimit(keeping: pairLimit)
    }
    return counts
  }
}
