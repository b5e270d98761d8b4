import HeapModule

/// Applies the merges of any table to the symbols of one word: the lowest rank first, of equal ranks the
/// leftmost, until none applies.
///
/// Holds memory that grows to the longest word so far, so each thread has its own.
struct TableMerger: ~Copyable {
  /// Up to this many symbols, scanning for the lowest rank is faster than lists of positions by rank.
  private static let scanLimit = 96

  /// The symbols of the word, replaced by the result of ``merge(_:count:)``.
  private(set) var symbols: UnsafeMutablePointer<UInt32>
  private var capacity = 256
  /// The merge of symbols i and i + 1 when scanning; the merge that starts at position i when going by rank.
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

  /// Makes the capacity at least `count` symbols; the contents of ``symbols`` are lost.
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

  /// Merges the first `count` of ``symbols`` in place and returns the number of symbols left.
  mutating func merge(_ table: MergeTable.View, count: Int) -> Int {
    count <= Self.scanLimit ? mergeByScan(table, count) : mergeByRank(table, count)
  }

  /// Quadratic in the length, with a small constant.
  private func mergeByScan(_ table: MergeTable.View, _ count: Int) -> Int {
    let (symbols, merges) = (symbols, merges)
    var count = count
    if count < 2 { return count }
    for index in 0..<(count - 1) { merges[index] = table.lookUp(symbols[index], symbols[index + 1]) }
    while count > 1 {
      var best = MergeTable.none
      var position = 0
      for index in 0..<(count - 1) where merges[index] >> 32 < best >> 32 {
        best = merges[index]
        position = index
      }
      if best == MergeTable.none { break }
      symbols[position] = UInt32(truncatingIfNeeded: best)
      var index = position + 1
      while index + 1 < count {
        symbols[index] = symbols[index + 1]
        merges[index] = merges[index + 1]
        index += 1
      }
      count -= 1
      if position > 0 { merges[position - 1] = table.lookUp(symbols[position - 1], symbols[position]) }
      if position + 1 < count { merges[position] = table.lookUp(symbols[position], symbols[position + 1]) }
    }
    return count
  }

  /// Nearly linear in the length: a doubly linked list of the symbols, and for each rank a list of the
  /// positions where it applies.
  ///
  /// An entry of a list is outdated when the merge at its position has another rank by now. In a table that was not
  /// learned a merge may create one of a lower rank, which then goes first, or one of its own rank, before which the
  /// list is sorted again.
  private mutating func mergeByRank(_ table: MergeTable.View, _ count: Int) -> Int {
    let (symbols, merges, next, previous) = (symbols, merges, next, previous)
    let end = UInt32(count)
    for index in 0..<count {
      next[index] = UInt32(index + 1)
      previous[index] = index == 0 ? end : UInt32(index - 1)
      merges[index] = index + 1 < count ? table.lookUp(symbols[index], symbols[index + 1]) : MergeTable.none
      if merges[index] != MergeTable.none { queue.append(index, rank: merges[index] >> 32) }
    }
    /// Looks up the pair at `position` again and returns its rank.
    func refresh(_ position: Int, _ after: UInt32, _ queue: inout RankQueue) -> UInt64 {
      merges[position] = after == end ? MergeTable.none : table.lookUp(symbols[position], symbols[Int(after)])
      if merges[position] == MergeTable.none { return .max }
      queue.append(position, rank: merges[position] >> 32)
      return merges[position] >> 32
    }
    while let (rank, positions) = queue.takeLowest() {
      var lowest = UInt64.max
      var taken = 0
      while taken < positions.count && lowest > rank {
        let position = Int(positions[taken])
        taken += 1
        guard merges[position] != MergeTable.none, merges[position] >> 32 == rank else { continue }
        symbols[position] = UInt32(truncatingIfNeeded: merges[position])
        let gone = Int(next[position])
        merges[gone] = MergeTable.none
        let after = next[gone]
        next[position] = after
        if after != end { previous[Int(after)] = UInt32(position) }
        lowest = refresh(position, after, &queue)
        let before = previous[position]
        if before != end { lowest = min(lowest, refresh(Int(before), UInt32(position), &queue)) }
      }
      for position in positions[taken...] { queue.append(Int(position), rank: rank) }
    }
    var written = 0
    var index: UInt32 = 0
    while index != end {
      symbols[written] = symbols[Int(index)]
      written += 1
      index = next[Int(index)]
    }
    return written
  }
}

/// Lists of positions by rank, the lowest rank first, each list in ascending order.
private struct RankQueue {
  private var slots: [UInt64: Int] = [:]
  private var lists: [[UInt32]] = []
  private var freeSlots: [Int] = []
  /// The ranks that have a list.
  private var ranks = Heap<UInt64>()
  /// The list appended to last, which runs of one letter append to again and again.
  private var last: (rank: UInt64, slot: Int) = (.max, 0)

  mutating func append(_ position: Int, rank: UInt64) {
    if rank != last.rank { last = (rank, slots[rank] ?? open(rank)) }
    lists[last.slot].append(UInt32(position))
  }

  private mutating func open(_ rank: UInt64) -> Int {
    let slot = freeSlots.popLast() ?? lists.count
    if slot == lists.count { lists.append([]) }
    slots[rank] = slot
    ranks.insert(rank)
    return slot
  }

  mutating func takeLowest() -> (rank: UInt64, positions: [UInt32])? {
    guard let rank = ranks.popMin(), let slot = slots.removeValue(forKey: rank) else { return nil }
    if last.rank == rank { last.rank = .max }
    var positions: [UInt32] = []
    swap(&positions, &lists[slot])
    freeSlots.append(slot)
    let isAscending = zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 }
    if !isAscending { positions.sort() }
    return (rank, positions)
  }
}
