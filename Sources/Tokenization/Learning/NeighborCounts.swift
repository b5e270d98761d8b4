/// What one merge does to the pairs around it, gathered per neighboring symbol: occurrences lost by the old pair and
/// found by the new one, and how many positions the latter has.
struct NeighborCounts: ~Copyable {
  struct Tally {
    var lost = 0
    var found = 0
    /// While counting, 0 in a tally that was never touched and ``touched`` plus the positions otherwise; then the place
    /// of the next position in the pair's list, negative where no list is wanted.
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

  /// Forgets the last merge.
  ///
  /// Symbols are below `symbolCount` until the next call.
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

  /// The symbols touched, in the order they were.
  var touched: UnsafeBufferPointer<UInt32> { UnsafeBufferPointer(start: symbols, count: count) }
}
