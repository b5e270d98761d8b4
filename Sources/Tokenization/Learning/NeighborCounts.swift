/// What one merge does to the pairs around it, by neighboring symbol: the occurrences that the old pair lost,
/// those of the new pair, and the number of positions of the new pair.
struct NeighborCounts: ~Copyable {
  struct Tally {
    var lost = 0
    var found = 0
    /// While counting: 0 if the symbol was not touched, else ``touched`` plus the number of positions.
    /// Afterwards: the index of the next position in the list of the pair, negative if the pair is not
    /// recorded.
    var positions = 0

    static let touched = Int.min
  }

  private(set) var tallies: UnsafeMutablePointer<Tally>
  private var symbols: UnsafeMutablePointer<UInt32>
  private var capacity = 1 << 12
  private(set) var count = 0

  init() {
    tallies = .allocate(capacity: capacity)
    tallies.initialize(repeating: Tally(), count: capacity)
    symbols = .allocate(capacity: capacity)
  }

  deinit {
    tallies.deallocate()
    symbols.deallocate()
  }

  /// Clears the counts of the last merge. All symbols of the next one are below `symbolCount`.
  mutating func begin(symbolCount: Int) {
    for index in 0..<count { tallies[Int(symbols[index])] = Tally() }
    count = 0
    guard symbolCount > capacity else { return }
    tallies.deallocate()
    symbols.deallocate()
    capacity = symbolCount * 2
    tallies = .allocate(capacity: capacity)
    tallies.initialize(repeating: Tally(), count: capacity)
    symbols = .allocate(capacity: capacity)
  }

  @inline(__always) mutating func touch(_ symbol: UInt32) -> UnsafeMutablePointer<Tally> {
    let tally = tallies + Int(symbol)
    if tally.pointee.positions == 0 {
      tally.pointee.positions = Tally.touched
      symbols[count] = symbol
      count += 1
    }
    return tally
  }

  /// The symbols in the order in which they were first touched.
  var touched: UnsafeBufferPointer<UInt32> { UnsafeBufferPointer(start: symbols, count: count) }
}
