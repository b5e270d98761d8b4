/// What one merge does to the pairs around it, gathered per neighboring symbol: occurrences lost by the old pair and
/// found by the new one, and the positions of the latter.
struct NeighborCounts: ~Copyable {
  let left = Side()
  let right = Side()

  /// Forgets the last merge.
  ///
  /// Symbols are below `symbolCount` until the next call.
  func begin(symbolCount: Int) {
    left.begin(symbolCount)
    right.begin(symbolCount)
  }

  final class Side {
    private struct Tally {
      var lost = 0
      var found = 0
      var positions: UInt32 = 0
      var isTouched = false
      /// Where the next position of the pair goes; negative where its list is not wanted.
      var cursor = -1
    }
    private struct Event {
      let symbol: UInt32
      let position: UInt32
    }

    private var tallies: UnsafeMutableBufferPointer<Tally> = .allocate(capacity: 0)
    private var touched: [UInt32] = []
    private var events: UnsafeMutablePointer<Event> = .allocate(capacity: 1024)
    private var eventCapacity = 1024
    private var eventCount = 0

    deinit {
      tallies.deallocate()
      events.deallocate()
    }

    func begin(_ symbolCount: Int) {
      for symbol in touched { tallies[Int(symbol)] = Tally() }
      touched.removeAll(keepingCapacity: true)
      eventCount = 0
      if symbolCount > tallies.count {
        tallies.deallocate()
        tallies = .allocate(capacity: max(1024, symbolCount * 2))
        tallies.initialize(repeating: Tally())
      }
    }

    @inline(__always) private func touch(_ symbol: UInt32) -> UnsafeMutablePointer<Tally> {
      let tally = tallies.baseAddress! + Int(symbol)
      if !tally.pointee.isTouched {
        tally.pointee.isTouched = true
        touched.append(symbol)
      }
      return tally
    }

    @inline(__always) func lost(_ symbol: UInt32, _ weight: Int) { touch(symbol).pointee.lost += weight }

    @inline(__always) func found(_ symbol: UInt32, _ weight: Int) { touch(symbol).pointee.found += weight }

    @inline(__always) func found(_ symbol: UInt32, _ weight: Int, at position: Int) {
      let tally = touch(symbol)
      tally.pointee.found += weight
      tally.pointee.positions += 1
      if eventCount == eventCapacity { growEvents() }
      events[eventCount] = Event(symbol: symbol, position: UInt32(position))
      eventCount += 1
    }

    private func growEvents() {
      let larger = UnsafeMutablePointer<Event>.allocate(capacity: eventCapacity * 2)
      larger.update(from: events, count: eventCount)
      events.deallocate()
      events = larger
      eventCapacity *= 2
    }

    func forEachTouched(_ body: (_ symbol: UInt32, _ lost: Int, _ found: Int) -> Void) {
      for symbol in touched { body(symbol, tallies[Int(symbol)].lost, tallies[Int(symbol)].found) }
    }

    func positions(of symbol: UInt32) -> Int { Int(tallies[Int(symbol)].positions) }

    func setListStart(of symbol: UInt32, _ start: Int?) { tallies[Int(symbol)].cursor = start ?? -1 }

    /// Writes each position behind the start of its symbol's list, in the order they were found: ascending.
    func distribute(into postings: UnsafeMutableBufferPointer<UInt32>) {
      for event in UnsafeBufferPointer(start: events, count: eventCount) {
        let cursor = tallies[Int(event.symbol)].cursor
        if cursor >= 0 {
          postings[cursor] = event.position
          tallies[Int(event.symbol)].cursor = cursor + 1
        }
      }
    }
  }
}
