/// Applies merges to the symbols of one word: the lowest rank first, of equal ranks the leftmost, until none
/// applies.
///
/// Scratch space that grows to the longest word seen; one per thread.
struct WordMerger: ~Copyable {
  /// A character without a token.
  ///
  /// It merges with nothing.
  static let unknown = UInt32.max

  /// Above this length the heap is faster than scanning for the lowest rank.
  static let scanLimit = 96

  /// The symbols of the word, replaced by the result of ``merge(_:count:)``.
  private(set) var symbols: UnsafeMutablePointer<UInt32>
  private var capacity = 256
  /// Scan: the merge of symbols i and i + 1.
  ///
  /// Heap: the merge that starts at position i.
  private var merges: UnsafeMutablePointer<UInt64>
  private var next: UnsafeMutablePointer<UInt32>
  private var previous: UnsafeMutablePointer<UInt32>
  /// rank << 32 | position.
  private var heap: [UInt64] = []

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
    count <= Self.scanLimit ? mergeByScan(table, count) : mergeByHeap(table, count)
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

  /// n log n: a heap of candidates over a doubly linked list of positions.
  ///
  /// A candidate is outdated when the merge at its position is no longer the one it was made for.
  private mutating func mergeByHeap(_ table: MergeTable.View, _ count: Int) -> Int {
    let end = UInt32(count)
    heap.removeAll(keepingCapacity: heap.capacity < 1 << 20)
    for index in 0..<count {
      next[index] = UInt32(index + 1)
      previous[index] = index == 0 ? end : UInt32(index - 1)
      merges[index] =
        index + 1 < count ? table.lookUp(symbols[index], symbols[index + 1]) : MergeTable.none
      if merges[index] != MergeTable.none { heap.append(candidate(index)) }
    }
    for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
    while let top = heap.first {
      removeTop()
      let place = Int(UInt32(truncatingIfNeeded: top))
      guard merges[place] != MergeTable.none, merges[place] >> 32 == top >> 32 else { continue }
      symbols[place] = UInt32(truncatingIfNeeded: merges[place])
      let gone = next[place]
      merges[Int(gone)] = MergeTable.none
      let after = next[Int(gone)]
      next[place] = after
      if after != end { previous[Int(after)] = UInt32(place) }
      refresh(place, after, table, end)
      let before = previous[place]
      if before != end { refresh(Int(before), UInt32(place), table, end) }
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

  /// The heap's item for the merge at a position.
  @inline(__always) private func candidate(_ place: Int) -> UInt64 {
    merges[place] & 0xffff_ffff_0000_0000 | UInt64(place)
  }

  private mutating func refresh(_ place: Int, _ after: UInt32, _ table: MergeTable.View, _ end: UInt32) {
    merges[place] = after == end ? MergeTable.none : table.lookUp(symbols[place], symbols[Int(after)])
    if merges[place] != MergeTable.none { push(candidate(place)) }
  }

  private mutating func push(_ item: UInt64) {
    heap.append(item)
    var index = heap.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      if heap[parent] <= item { break }
      heap[index] = heap[parent]
      index = parent
    }
    heap[index] = item
  }

  private mutating func removeTop() {
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      siftDown(0)
    }
  }

  private mutating func siftDown(_ start: Int) {
    let item = heap[start]
    var index = start
    while true {
      var child = 2 * index + 1
      if child >= heap.count { break }
      if child + 1 < heap.count && heap[child + 1] < heap[child] { child += 1 }
      if heap[child] >= item { break }
      heap[index] = heap[child]
      index = child
    }
    heap[index] = item
  }
}
