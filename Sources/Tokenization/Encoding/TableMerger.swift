/// Applies merges to the symbols of one word: the lowest rank first, of equal ranks the leftmost, until none
/// applies.
///
/// Scratch space that grows to the longest word seen; one per thread.
struct WordMerger: ~Copyable {
  /// A character without a token.
  ///
  /// It merges with nothing.
  static let unknown = UInt32.max

  /// Above this length lists of positions by rank are faster than scanning for the lowest.
  static let scanLimit = 96

  /// The symbols of the word, replaced by the result of ``merge(_:count:)``.
  private(set) var symbols: UnsafeMutablePointer<UInt32>
  private var capacity = 256
  /// Scan: the merge of symbols i and i + 1; lists: the merge that starts at position i.
  private var merges: UnsafeMutablePointer<UInt64>
  private var next: UnsafeMutablePointer<UInt32>
  private var previous: UnsafeMutablePointer<UInt32>
  private var queue = RankQueue()

  init() {
    symbols = .allocate(capacity: capacity)
    merges = .allocate(capacity: capacity)
    next = .allocate(capacity: capacity)
    previous = .allocate(capacity: capacity)
  }

  deinit {
    symbols.deallocate()
    merges.deallocate()
    next.deallocate()
    previous.deallocate()
  }

  /// Makes room for `count` symbols.
  ///
  /// What ``symbols`` held is lost.
  mutating func reserve(_ count: Int) {
    guard count > capacity else { return }
    precondition(count < Int(UInt32.max))
    symbols.deallocate()
    merges.deallocate()
    next.deallocate()
    previous.deallocate()
    capacity = max(count, capacity * 2)
    symbols = .allocate(capacity: capacity)
    merges = .allocate(capacity: capacity)
    next = .allocate(capacity: capacity)
    previous = .allocate(capacity: capacity)
  }

  /// Merges the first `count` of ``symbols`` in place and returns how many are left.
  mutating func merge(_ table: MergeTable.View, count: Int) -> Int {
    count <= Self.scanLimit ? mergeByScan(table, count) : mergeByRank(table, count)
  }

  /// Quadratic with a small constant.
  private func mergeByScan(_ table: MergeTable.View, _ count: Int) -> Int {
    let (symbols, merges) = (symbols, merges)
    var count = count
    if count < 2 { return count }
    for index in 0..<(count - 1) { merges[index] = table.lookUp(symbols[index], symbols[index + 1]) }
    while count > 1 {
      var best = MergeTable.none
      var place = 0
      for index in 0..<(count - 1) where merges[index] < best {
        best = merges[index]
        place = index
      }
      if best == MergeTable.none { break }
      symbols[place] = UInt32(truncatingIfNeeded: best)
      var index = place + 1
      while index + 1 < count {
        symbols[index] = symbols[index + 1]
        merges[index] = merges[index + 1]
        index += 1
      }
      count -= 1
      if place > 0 { merges[place - 1] = table.lookUp(symbols[place - 1], symbols[place]) }
      if place + 1 < count { merges[place] = table.lookUp(symbols[place], symbols[place + 1]) }
    }
    return count
  }

  /// Nearly linear: the positions of each rank in a list of its own, over a doubly linked list of symbols.
  ///
  /// A position is outdated when the merge there is no longer of the list's rank. A merge never makes another of its own
  /// rank, but in a table that was not learned it may make one of a lower rank, which then goes first.
  private mutating func mergeByRank(_ table: MergeTable.View, _ count: Int) -> Int {
    let (symbols, merges, next, previous) = (symbols, merges, next, previous)
    let end = UInt32(count)
    for index in 0..<count {
      next[index] = UInt32(index + 1)
      previous[index] = index == 0 ? end : UInt32(index - 1)
      merges[index] = index + 1 < count ? table.lookUp(symbols[index], symbols[index + 1]) : MergeTable.none
      if merges[index] != MergeTable.none { queue.append(index, rank: merges[index] >> 32) }
    }
    /// Looks up the pair at `place` anew and returns its rank.
    func refresh(_ place: Int, _ after: UInt32, _ queue: inout RankQueue) -> UInt64 {
      merges[place] = after == end ? MergeTable.none : table.lookUp(symbols[place], symbols[Int(after)])
      if merges[place] == MergeTable.none { return .max }
      queue.append(place, rank: merges[place] >> 32)
      return merges[place] >> 32
    }
    while let (rank, positions) = queue.takeLowest() {
      var lowest = UInt64.max
      var taken = 0
      while taken < positions.count && lowest > rank {
        let place = Int(positions[taken])
        taken += 1
        guard merges[place] != MergeTable.none, merges[place] >> 32 == rank else { continue }
        symbols[place] = UInt32(truncatingIfNeeded: merges[place])
        let gone = Int(next[place])
        merges[gone] = MergeTable.none
        let after = next[gone]
        next[place] = after
        if after != end { previous[Int(after)] = UInt32(place) }
        lowest = refresh(place, after, &queue)
        let before = previous[place]
        if before != end { lowest = min(lowest, refresh(Int(before), UInt32(place), &queue)) }
      }
      for place in positions[taken...] { queue.append(Int(place), rank: rank) }
    }
    var kept = 0
    var index: UInt32 = 0
    while index != end {
      symbols[kept] = symbols[Int(index)]
      kept += 1
      index = next[Int(index)]
    }
    return kept
  }
}

/// Positions by rank; the lowest rank comes first, with all its positions in ascending order.
private struct RankQueue {
  private var slots: [UInt64: Int] = [:]
  private var lists: [[UInt32]] = []
  private var freeSlots: [Int] = []
  /// A min-heap of the ranks that have a list.
  private var ranks: [UInt64] = []
  /// The list appended to last: runs of one letter stay with it.
  private var last: (rank: UInt64, slot: Int) = (.max, 0)

  mutating func append(_ position: Int, rank: UInt64) {
    if rank != last.rank { last = (rank, slots[rank] ?? open(rank)) }
    lists[last.slot].append(UInt32(position))
  }

  private mutating func open(_ rank: UInt64) -> Int {
    let slot = freeSlots.popLast() ?? lists.count
    if slot == lists.count { lists.append([]) }
    slots[rank] = slot
    ranks.append(rank)
    var index = ranks.count - 1
    while index > 0, case let parent = (index - 1) / 2, ranks[parent] > rank {
      ranks[index] = ranks[parent]
      index = parent
    }
    ranks[index] = rank
    return slot
  }

  mutating func takeLowest() -> (rank: UInt64, positions: [UInt32])? {
    guard let rank = ranks.first, let slot = slots.removeValue(forKey: rank) else { return nil }
    removeFirstRank()
    if last.rank == rank { last.rank = .max }
    var positions: [UInt32] = []
    swap(&positions, &lists[slot])
    freeSlots.append(slot)
    let isAscending = zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 }
    if !isAscending { positions.sort() }
    return (rank, positions)
  }

  private mutating func removeFirstRank() {
    let item = ranks.removeLast()
    if ranks.isEmpty { return }
    var index = 0
    while true {
      var child = 2 * index + 1
      if child >= ranks.count { break }
      if child + 1 < ranks.count && ranks[child + 1] < ranks[child] { child += 1 }
      if ranks[child] >= item { break }
      ranks[index] = ranks[child]
      index = child
    }
    ranks[index] = item
  }
}
