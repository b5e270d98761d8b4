import CPreTokens
import Support

/// The pairs of an alphabet of few symbols, of one position each: they are counted and listed by their place in a square of all
/// pairs, which takes a quarter of the time of a ``PairTable``.
///
/// This is where byte-level learning begins.
final class DensePairs {
  /// The most symbols.
  static let symbolLimit = 256

  private struct Tally {
    var count = 0
    var length = 0
  }

  /// A row for each symbol; the separator has the one behind them, so that it takes no branch.
  private static let row = 512
  private static let size = row * (symbolLimit + 1)

  private let words: UnsafeMutableBufferPointer<UInt32>
  private let tallies: UnsafeMutablePointer<Tally>

  /// Counts the pairs of words.
  init(_ words: borrowing SymbolizedWords) {
    self.words = words.symbols
    tallies = LargePages.allocate(Tally.self, count: Self.size)
    tallies.initialize(repeating: Tally(), count: Self.size)
    let (symbols, tallies) = (words.symbols.baseAddress!, tallies)
    words.weights.forEachRun { positions, weight in
      // A run ends with a separator, which belongs to no pair.
      var left = Self.index(symbols[positions.lowerBound])
      for position in positions {
        let right = Self.index(symbols[min(position + 1, positions.upperBound - 1)])
        tallies[left * Self.row + right].count &+= weight
        tallies[left * Self.row + right].length &+= 1
        left = right
      }
    }
  }

  deinit { tallies.deallocate() }

  @inline(__always) private static func index(_ symbol: UInt32) -> Int {
    Int(min(symbol, UInt32(symbolLimit)))
  }

  /// The counts and lengths of all pairs.
  func table() -> PairTable {
    var table = PairTable()
    for left in 0..<Self.symbolLimit {
      for right in 0..<Self.symbolLimit where tallies[left * Self.row + right].length > 0 {
        let entry = table.insert(PairTable.key(UInt32(left), UInt32(right)))
        entry.pointee.count = tallies[left * Self.row + right].count
        entry.pointee.length = tallies[left * Self.row + right].length
      }
    }
    return table
  }

  /// Writes the positions of the pairs of a table to where its entries say, and how many there are to the entries.
  func list(_ pairs: borrowing PairTable, _ positions: UnsafeMutablePointer<UInt32>) {
    // Where the next position of each pair goes; those of pairs that are not in the table go nowhere.
    let next = LargePages.allocate(Int.self, count: Self.size)
    next.initialize(repeating: -1, count: Self.size)
    defer { next.deallocate() }
    for index in pairs.entries.indices where pairs.entries[index].key != PairTable.free {
      let key = pairs.entries[index].key
      let place = Int(key >> 32) * Self.row + Int(UInt32(truncatingIfNeeded: key))
      next[place] = pairs.entries[index].list
      pairs.entries[index].length = tallies[place].length
    }
    let symbols = words.baseAddress!
    var left = Self.index(symbols[0])
    for position in 0..<(words.count - 1) {
      let right = Self.index(symbols[position + 1])
      let place = next[left * Self.row + right]
      if place >= 0 {
        positions[place] = UInt32(truncatingIfNeeded: position)
        next[left * Self.row + right] = place + 1
      }
      left = right
    }
  }
}
