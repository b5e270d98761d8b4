import Support

/// BPE-dropout (Provilkov et al., 2020) as subword-nmt applies it: at each step every pair is skipped with
/// the given probability, and of the others the one with the lowest rank is merged wherever it was not
/// skipped.
struct DropoutMerger {
  let probability: Double

  /// Every step draws a random number for each pair, so longer words are merged in parts of this many
  /// symbols.
  private static let maximumSymbols = 4096

  /// Merges `count` symbols into `output` and returns the number of symbols left.
  func merge(
    _ symbols: UnsafePointer<UInt32>, count: Int, _ merges: MergeTable, _ random: inout RandomGenerator,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var total = 0
    for start in stride(from: 0, to: count, by: Self.maximumSymbols) {
      let part = output + total
      let partCount = min(Self.maximumSymbols, count - start)
      part.update(from: symbols + start, count: partCount)
      total += merge(part, partCount, merges, &random)
    }
    return total
  }

  private func merge(
    _ symbols: UnsafeMutablePointer<UInt32>, _ symbolCount: Int, _ merges: MergeTable,
    _ random: inout RandomGenerator
  ) -> Int {
    var count = symbolCount
    var positions: [Int] = []
    // A word of one symbol draws nothing.
    while count > 1 {
      var best = MergeTable.none
      positions.removeAll(keepingCapacity: true)
      merges.withView { table in
        for index in 0..<(count - 1) {
          guard random.uniform() > probability else { continue }
          let merge = table.lookUp(symbols[index], symbols[index + 1])
          if merge == MergeTable.none || merge > best { continue }
          if merge < best {
            best = merge
            positions.removeAll(keepingCapacity: true)
          }
          positions.append(index)
        }
      }
      if best == MergeTable.none { break }
      count = replacePairs(
        at: positions, by: UInt32(truncatingIfNeeded: best), symbols, count)
    }
    return count
  }

  /// Replaces the pairs at ascending positions, but for those that overlap the one before.
  private func replacePairs(
    at positions: [Int], by result: UInt32, _ symbols: UnsafeMutablePointer<UInt32>, _ count: Int
  ) -> Int {
    var (read, written) = (0, 0)
    func copy(to end: Int) {
      while read < end {
        symbols[written] = symbols[read]
        (read, written) = (read + 1, written + 1)
      }
    }
    for position in positions where position >= read {
      copy(to: position)
      symbols[written] = result
      (read, written) = (read + 2, written + 1)
    }
    copy(to: count)
    return written
  }
}
