import CPreTokens
import Support

/// The pairs of an alphabet of few symbols, each at one position: they are counted in a square of all pairs,
/// which takes a quarter of the time of a ``PairTable``.
///
/// Byte-level learning begins with these.
final class DensePairs {
  /// The maximum number of symbols.
  static let symbolLimit = 256

  private struct Tally {
    var count = 0
    var length = 0
  }

  /// The length of the row of a symbol. The separator has the row after the last symbol, so that it needs no
  /// branch.
  private static let row = 512
  private static let size = row * (symbolLimit + 1)

  private let words: UnsafeMutableBufferPointer<UInt32>
  private let tallies: UnsafeMutablePointer<Tally>

  /// Counts the pairs in the words.
  init(_ words: borrowing SymbolizedWords) {
    self.words = words.symbols
    tallies = LargePages.allocate(Tally.self, count: Self.size)
    tallies.initialize(repeating: Tally(), count: Self.size)
    let (symbols, tallies) = (words.symbols.baseAddress!, tallies)
    words.weights.forEachRun { positions, weight in
      // A run ends with a separator, which is in no pair.
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

  /// All pairs with their counts and the numbers of their positions.
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

  /// Writes the positions of the pairs in a table to the lists of its entries, and their numbers to the
  /// entries.
  func list(_ pairs: borrowing PairTable, _ positions: UnsafeMutablePointer<UInt32>) {
    // The index of the next position in the list of each pair, or -1 for a pair that is not in the table.
    let next = LargePages.allocate(Int.self, count: Self.size)
    next.initialize(repeating: -1, count: Self.size)
    defer { next.deallocate() }
    for index in pairs.entries.indices where pairs.entries[index].key != PairTable.free {
      let key = pairs.entries[index].key
      let pair = Int(key >> 32) * Self.row + Int(UInt32(truncatingIfNeeded: key))
      next[pair] = pairs.entries[index].list
      pairs.entries[index].length = tallies[pair].length
    }
    let symbols = words.baseAddress!
    var left = Self.index(symbols[0])
    for position in 0..<(words.count - 1) {
      let right = Self.index(symbols[position + 1])
      let index = next[left * Self.row + right]
      if index >= 0 {
        positions[index] = UInt32(truncatingIfNeeded: position)
        next[left * Self.row + right] = index + 1
      }
      left = right
    }
  }
}
