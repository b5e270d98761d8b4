import CPreTokens
import Support

/// Learns the merges of byte-pair encoding (Sennrich, Haddow and Birch 2015) from counts of distinct pre-tokens: again and again the
/// most frequent pair of neighboring symbols becomes a symbol.
///
/// The words lie end to end in one array. A symbol stands at the first and at the last of its positions, so that both
/// neighbors are found without links. Each pair lists the positions where it occurs; a merge touches those only, and
/// the work of all merges together is at most proportional to the length of the words. A position stays on a list after
/// its pair is gone and is passed over when the list is used. That needs no upkeep, because a pair of neighbors can
/// only come about in the merge that makes the newer of the two, so its list is written once and its count only falls.
///
/// For the same reason a pair can be left out of sight for as long as more frequent ones are merged: what is born below
/// the ``threshold`` is forgotten, and only when no pair above it is left are all pairs counted anew, with a lower
/// threshold. Most pairs are rare and never come up, so table and heap stay small.
///
/// Counts are exact in 64 bits. Equal counts are decided by ``TieBreak`` alone, so the order of the words, and with it
/// the number of threads that counted them, does not matter.
package struct BPETrainer: ~Copyable {
  /// What is merged, and when to stop.
  package struct Options: Sendable {
    package var tieBreak: TieBreak
    /// Merges to learn.
    package var limit: Int
    /// The least count of a pair that is merged, at least 1.
    package var minimumCount: Int
    /// The most bytes of a symbol that is made, in word mode characters.
    package var maximumSize: Int
    /// No symbol becomes equal to one of these texts.
    package var reserved: [[UInt8]]

    package init(
      tieBreak: TieBreak, limit: Int, minimumCount: Int = 1, maximumSize: Int = .max, reserved: [[UInt8]] = []
    ) {
      self.tieBreak = tieBreak
      self.limit = limit
      self.minimumCount = max(1, minimumCount)
      self.maximumSize = maximumSize
      self.reserved = reserved
    }
  }

  private let words: SymbolizedWords
  private let options: Options
  private let texts: TrainerSymbols
  /// Every pair that can be merged and counts as much is in ``pairs`` and ``heap``.
  private var threshold = 1
  private var pairs = PairTable()
  private var heap: PairHeap
  private var lists = PositionLists()
  private var left = NeighborCounts()
  private var right = NeighborCounts()
  private var learned = 0
  /// Pairs in sight when they were last counted.
  private var collected = 0

  private init(_ words: consuming SymbolizedWords, _ options: Options) {
    texts = TrainerSymbols(
      words.alphabet, marksEndOfWord: words.marksEndOfWord, maximumSize: options.maximumSize,
      reserved: options.reserved)
    heap = PairHeap(options.tieBreak, texts)
    self.words = words
    self.options = options
    collectPairs()
  }

  /// Learns at most `options.limit` merges.
  ///
  /// `report` is told of each as it is chosen, with its number from 1 and how many pairs wait.
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
          // Outdated: counts fall without the heap being told.
          if count >= threshold { heap.replaceTop(count: count) } else { heap.removeTop() }
          continue
        }
        heap.removeTop()
        entry.pointee.count = 0
        let (a, b) = (UInt32(top.key >> 32), UInt32(truncatingIfNeeded: top.key))
        let list = entry.pointee.list..<(entry.pointee.list + entry.pointee.length)
        let c = texts.append(a, b)
        let positions = replace(a, b, by: c, list)
        forget(a, b)
        announce(a, b, c, positions)
        lists.release(list)
        learned += 1
        if pairs.used > max(4 * pairLimit, 2 * collected) || lists.count > 2 * words.symbols.count + 1 << 20 {
          collectPairs()
        }
        return LearnedMerges.Merge(left: a, right: b, count: count)
      }
      if threshold <= options.minimumCount { return nil }
      collectPairs()
      if heap.count == 0 { return nil }
    }
  }

  /// How many positions or pairs ahead memory is asked for.
  private static let lookahead = 16

  // One merge.

  /// Puts the new symbol in place, left to right without overlap, and notes which neighbors were lost and found.
  ///
  /// Returns the positions of the new symbol, a part of `list` that is overwritten with them.
  private mutating func replace(_ a: UInt32, _ b: UInt32, by c: UInt32, _ list: Range<Int>) -> Range<Int> {
    left.begin(symbolCount: Int(c) + 1)
    right.begin(symbolCount: Int(c) + 1)
    let lengths = texts.lengths
    let lengthA = Int(lengths[Int(a)])
    let lengthC = Int(lengths[Int(c)])
    let symbols = words.symbols.baseAddress!
    let positions = lists.base
    var kept = list.lowerBound
    var cursor = words.weights.start
    for index in list {
      // The positions lie far apart: each would be waited for.
      pkm_prefetch(symbols + Int(positions[min(index + Self.lookahead, list.upperBound - 1)]))
      let position = Int(positions[index])
      guard symbols[position] == a, symbols[position + lengthA] == b else { continue }
      let weight = words.weights.weight(at: position, &cursor)

      let before = symbols[position - 1]
      if before == c {
        // The occurrence just before found (c, a) here; the pair is (c, c) now.
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
        // In a run of one letter the pair behind is the merged pair itself, which is gone as a whole.
        if a != b || after != a { tally.pointee.lost += weight }
        tally.pointee.found += weight
        tally.pointee.positions += 1
      }

      symbols[position + lengthA] = SymbolizedWords.interior
      symbols[position] = c
      symbols[position + lengthC - 1] = c
      positions[kept] = UInt32(position)
      kept += 1
    }
    return list.lowerBound..<kept
  }

  /// Takes what the merge lost from the counts of the old pairs.
  private func forget(_ a: UInt32, _ b: UInt32) {
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

  /// Enters the new pairs that are frequent enough, with their positions.
  private mutating func announce(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ positions: Range<Int>) {
    let first = lists.count
    for symbol in left.touched { enter(PairTable.key(symbol, c), left.tallies + Int(symbol)) }
    for symbol in right.touched { enter(PairTable.key(c, symbol), right.tallies + Int(symbol)) }
    if lists.count == first { return }
    // Each list in the order of the positions: ascending.
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

  /// How many pairs to keep in sight.
  private var pairLimit: Int { 4 * (options.limit - learned) + 1 << 17 }

  private struct PlacedPair {
    let key: UInt64
    let position, weight: Int
  }

  /// Calls `body` with each pair in each word, its position and the count of the word.
  ///
  /// `prefetch` is called some pairs earlier.
  @inline(__always) private func forEachPair(
    prefetch: (UInt64) -> Void, _ body: (UInt64, _ position: Int, _ weight: Int) -> Void
  ) {
    let (symbols, lengths) = (words.symbols.baseAddress!, texts.lengths)
    var cursor = words.weights.start
    withUnsafeTemporaryAllocation(of: PlacedPair.self, capacity: Self.lookahead) { waiting in
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
          let pair = PlacedPair(
            key: PairTable.key(symbol, after), position: position,
            weight: words.weights.weight(at: position, &cursor))
          prefetch(pair.key)
          let place = seen % Self.lookahead
          if seen >= Self.lookahead {
            body(waiting[place].key, waiting[place].position, waiting[place].weight)
          }
          waiting[place] = pair
          seen += 1
        }
        position = next
      }
      for late in max(0, seen - Self.lookahead)..<seen {
        let pair = waiting[late % Self.lookahead]
        body(pair.key, pair.position, pair.weight)
      }
    }
  }

  /// Counts all pairs, chooses the threshold, and lists the positions of the pairs that reach it.
  private mutating func collectPairs() {
    let isDense = learned == 0 && texts.count <= DensePairs.symbolLimit
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
    collected = pairs.used
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

  /// The count of every pair that reaches the threshold, which is chosen here, and the number of its positions.
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
        // Several rare pairs looked like a frequent one.
        hashed.limit = max(1, hashed.limit / 4)
        continue
      }
      // Zipf's law: the n-th merge counts about an n-th of the first, so that nothing far below that will come up.
      // Where it does, all this is done again.
      let likely = levels.highest / (4 * max(1, options.limit - learned))
      threshold = max(threshold, min(levels.floorOfHighest, max(likely, levels.floor(ofAtMost: pairLimit))))
      return counted
    }
  }

  /// The counts of all pairs but some that are rare.
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

  /// Where a table of all pairs may outgrow the words, this tells most of the rare ones.
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
