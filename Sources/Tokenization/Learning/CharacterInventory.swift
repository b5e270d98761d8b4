import Support

/// The characters of the words in word mode, and which of them become symbols.
package struct CharacterInventory: Sendable {
  /// The characters that become symbols, in byte order.
  package private(set) var characters: [[UInt8]] = []
  /// The alphabet in byte order: each of these characters as it occurs, inside words, at their end with
  /// `</w>`, or both.
  package private(set) var symbols: [[UInt8]] = []
  /// The number of distinct characters that are left out, and of their occurrences.
  package private(set) var dropped = (distinct: 0, occurrences: 0)

  private struct Tally {
    let text: [UInt8]
    var inside: Int
    var final: Int
    var count: Int { inside + final }
  }

  /// Selects the most frequent characters, of equally frequent ones those with smaller bytes: at most
  /// `limit`, and no more than are needed for the share `coverage` of all occurrences. The characters in
  /// `always` are selected too.
  package init(
    of words: WordCounts, limit: Int = .max, coverage: Double = 1, always: [[UInt8]] = []
  ) {
    var tallies = Self.tallies(of: words)
    tallies.sort { $0.count != $1.count ? $0.count > $1.count : $0.text.lexicographicallyPrecedes($1.text) }
    let always = Set(always)
    let total = tallies.reduce(0.0) { $0 + Double($1.count) }
    var covered = 0.0
    for (rank, tally) in tallies.enumerated() {
      let isKept = rank < limit && (coverage >= 1 || covered < coverage * total)
      covered += Double(tally.count)
      guard isKept || always.contains(tally.text) else {
        dropped.distinct += 1
        dropped.occurrences &+= tally.count
        continue
      }
      characters.append(tally.text)
      if tally.inside > 0 { symbols.append(tally.text) }
      if tally.final > 0 { symbols.append(tally.text + EndOfWord.mark) }
    }
    characters.sort { $0.lexicographicallyPrecedes($1) }
    symbols.sort { $0.lexicographicallyPrecedes($1) }
  }

  private static func tallies(of words: WordCounts) -> [Tally] {
    var ascii = (inside: [Int](repeating: 0, count: 128), final: [Int](repeating: 0, count: 128))
    var othersInside = CountTable()
    var othersFinal = CountTable()
    words.bytes.withUnsafeBufferPointer { bytes in
      for word in 0..<words.distinct {
        let count = words.counts[word]
        Characters.forEachCharacter(in: UnsafeBufferPointer(rebasing: bytes[words.range(of: word)])) {
          character, isLast in
          if character.count == 1 && character[0] < 0x80 {
            if isLast {
              ascii.final[Int(character[0])] &+= count
            } else {
              ascii.inside[Int(character[0])] &+= count
            }
          } else {
            let start = character.baseAddress!
            if isLast {
              othersFinal.add(start, length: character.count, readable: character.count, count: count)
            } else {
              othersInside.add(start, length: character.count, readable: character.count, count: count)
            }
          }
        }
      }
    }
    var tallies: [[UInt8]: Tally] = [:]
    for byte in 0..<128 where ascii.inside[byte] > 0 || ascii.final[byte] > 0 {
      tallies[[UInt8(byte)]] = Tally(
        text: [UInt8(byte)], inside: ascii.inside[byte], final: ascii.final[byte])
    }
    othersInside.forEachKey { text, count in
      tallies[Array(text)] = Tally(text: Array(text), inside: count, final: 0)
    }
    othersFinal.forEachKey { text, count in
      tallies[Array(text), default: Tally(text: Array(text), inside: 0, final: 0)].final = count
    }
    return Array(tallies.values)
  }
}
