/// The count of the word at each position.
///
/// Words are in the order of falling counts, so long runs of positions share a count.
struct PositionWeights: ~Copyable {
  /// The end of each run, and the count of its words.
  struct Runs {
    fileprivate var ends: [Int] = []
    fileprivate var weights: [Int] = []

    mutating func append(_ weight: Int, until end: Int) {
      if weights.last == weight {
        ends[ends.count - 1] = end
      } else {
        ends.append(end)
        weights.append(weight)
      }
    }
  }

  private let ends: UnsafeMutableBufferPointer<Int>
  private let weights: UnsafeMutableBufferPointer<Int>

  let start = 0

  init(_ runs: Runs) {
    ends = .allocate(capacity: runs.ends.count)
    weights = .allocate(capacity: runs.weights.count)
    _ = ends.initialize(from: runs.ends)
    _ = weights.initialize(from: runs.weights)
  }

  deinit {
    ends.deallocate()
    weights.deallocate()
  }

  /// Calls `body` with the positions that share a count, run by run, and the count.
  func forEachRun(_ body: (Range<Int>, _ weight: Int) -> Void) {
    var start = 0
    for (end, weight) in zip(ends, weights) {
      body(start..<end, weight)
      start = end
    }
  }

  /// The count at a position. `cursor` belongs to one pass over ascending positions, and is ``start`` at its
  /// beginning.
  @inline(__always) func weight(at position: Int, _ cursor: inout Int) -> Int {
    if position >= ends.baseAddress![cursor] { advance(to: position, &cursor) }
    return weights.baseAddress![cursor]
  }

  /// A search with doubling and then halving steps, which is fast for near runs and logarithmic for far ones.
  private func advance(to position: Int, _ cursor: inout Int) {
    let (ends, count) = (ends.baseAddress!, ends.count)
    var step = 1
    while cursor + step < count && position >= ends[cursor + step] {
      cursor += step
      step *= 2
    }
    while step > 0 {
      if cursor + step < count && position >= ends[cursor + step] { cursor += step }
      step /= 2
    }
    cursor += 1
  }
}
