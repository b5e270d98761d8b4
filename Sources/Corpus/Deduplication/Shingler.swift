/// Computes the shingles of documents as hashes of 64 bits.
///
/// A document that is too short for a shingle has one shingle of all its units, so short documents are
/// near-duplicates only of documents with the same words. A document without a letter or digit has none.
package struct Shingler: ~Copyable {
  private let options: ShingleOptions
  private let key: ComparisonKey
  private let buffers = Buffers()

  private final class Buffers {
    /// The units of the last, incomplete shingle, then those of the current chunk.
    @exclusivity(unchecked) var units: [UInt64] = []
    @exclusivity(unchecked) var shingles: [UInt64] = []
  }

  package init(_ options: ShingleOptions) {
    precondition(options.length >= 1)
    self.options = options
    key = ComparisonKey(keeping: options.keep, seed: options.seed)
  }

  /// Calls `body` with batches of shingles in the order of the text, repetitions included.
  package func forEach(in text: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<UInt64>) -> Void) {
    if options.keep.contains(.punctuation) && !key.hasWord(in: text) { return }
    buffers.units.removeAll(keepingCapacity: true)
    var hasShingle = false
    func take(_ units: UnsafeBufferPointer<UInt64>) {
      buffers.units.append(contentsOf: units)
      guard buffers.units.count >= options.length else { return }
      hasShingle = true
      roll(options.length)
      buffers.shingles.withUnsafeBufferPointer(body)
      buffers.units.removeSubrange(..<(buffers.units.count - options.length + 1))
    }
    switch options.unit {
    case .word: key.forEachWords(of: text, take)
    case .character: key.forEachCharacters(of: text, take)
    }
    guard !hasShingle, !buffers.units.isEmpty else { return }
    roll(buffers.units.count)
    buffers.shingles.withUnsafeBufferPointer(body)
  }

  /// Computes the hashes of all runs: a polynomial over the units, evaluated at an odd number modulo 2⁶⁴,
  /// then mixed so that every bit depends on every unit.
  private func roll(_ length: Int) {
    let multiplier: UInt64 = 0x9fb2_1c65_1e98_df25
    var highest: UInt64 = 1
    for _ in 0..<length { highest = highest &* multiplier }
    let count = buffers.units.count - length + 1
    buffers.shingles = Array(unsafeUninitializedCapacity: count) { shingles, initialized in
      buffers.units.withUnsafeBufferPointer { units in
        var sum: UInt64 = 0
        for unit in units[..<length] { sum = sum &* multiplier &+ unit }
        shingles[0] = Self.mix(sum)
        for index in 1..<max(count, 1) {
          sum = sum &* multiplier &- units[index &- 1] &* highest &+ units[index &+ length &- 1]
          shingles[index] = Self.mix(sum)
        }
      }
      initialized = count
    }
  }

  /// The output function of SplitMix64, defined here so that it is inlined.
  @inline(__always) private static func mix(_ value: UInt64) -> UInt64 {
    var z = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// The distinct shingles in ascending order; at most the `limit` smallest.
  package func set(of text: UnsafeRawBufferPointer, limit: Int = .max) -> [UInt64] {
    var all: [UInt64] = []
    func prune() {
      all.sort()
      var kept = 0
      for index in 0..<all.count where index == 0 || all[index] != all[kept - 1] {
        all[kept] = all[index]
        kept += 1
      }
      all.removeSubrange(min(kept, limit)...)
    }
    forEach(in: text) { shingles in
      all.append(contentsOf: shingles)
      if all.count / 4 > limit { prune() }
    }
    prune()
    return all
  }
}
