import CICU
import Foundation
import Support

/// Phrases that no document may contain, one per line of a file.
///
/// Matching ignores case, and white space between the words of a phrase matches any white space. A phrase
/// matches only whole words: no letter, number or `_` may come directly before or after it, except next to
/// Chinese, Japanese, Thai, Lao, Khmer and Burmese letters, which are written without spaces. All phrases are
/// searched for at once by an Aho-Corasick automaton (1975) over the bytes of the text.
package struct Blocklist: Sendable {
  /// The transitions: 256 next states per state.
  private let next: [Int32]
  /// The length in bytes of the phrase that ends in each state; 0 if none does. Shorter phrases that end
  /// there are found through `shorter`.
  private let length: [Int32]
  /// The next state along the fallback links in which a phrase ends; 0 if there is none.
  private let shorter: [Int32]
  package let phraseCount: Int

  package init(reading path: String) throws {
    let phrases = try TextFile.lines(path).map { Self.folded(Array($0.text.utf8)) }.filter { !$0.isEmpty }
    if phrases.isEmpty {
      throw Failure(
        .usage, "the blocklist contains no phrase", file: path, remedy: "Write one word or phrase per line")
    }
    self.init(phrases)
  }

  package init(phrases: [String]) {
    self.init(phrases.map { Self.folded(Array($0.utf8)) }.filter { !$0.isEmpty })
  }

  private init(_ phrases: [[UInt8]]) {
    phraseCount = phrases.count
    var next = [Int32](repeating: 0, count: 256)
    var length: [Int32] = [0]
    for phrase in phrases {
      var state = 0
      for byte in phrase {
        if next[state << 8 | Int(byte)] == 0 {
          next[state << 8 | Int(byte)] = Int32(length.count)
          next += repeatElement(0, count: 256)
          length.append(0)
        }
        state = Int(next[state << 8 | Int(byte)])
      }
      length[state] = Int32(phrase.count)
    }
    // Breadth first: a state falls back to the state of the longest suffix of its text that is a prefix of a
    // phrase.
    var fallback = [Int32](repeating: 0, count: length.count)
    var shorter = fallback
    var queue = next[..<256].filter { $0 != 0 }
    var done = 0
    while done < queue.count {
      let state = Int(queue[done])
      done += 1
      let back = Int(fallback[state])
      shorter[state] = length[back] > 0 ? Int32(back) : shorter[back]
      for byte in 0..<256 {
        let child = Int(next[state << 8 | byte])
        let other = next[back << 8 | byte]
        if child == 0 {
          next[state << 8 | byte] = other
        } else {
          fallback[child] = other
          queue.append(Int32(child))
        }
      }
    }
    self.next = next
    self.length = length
    self.shorter = shorter
  }

  /// The number of occurrences of phrases; stops at the first one unless `countsAll` is true.
  func count(in text: UnsafeRawBufferPointer, countsAll: Bool) -> Int {
    let folded = Self.folded(text)
    return folded.withUnsafeBufferPointer { text in
      next.withUnsafeBufferPointer { next in
        var count = 0
        var state = 0
        for index in 0..<text.count {
          state = Int(next[state << 8 | Int(text[index])])
          if length[state] == 0 && shorter[state] == 0 { continue }
          var found = state
          while found != 0 {
            let start = index + 1 - Int(length[found])
            if length[found] > 0 && Self.isWhole(text, start, index + 1) {
              count += 1
              if !countsAll { return count }
            }
            found = Int(shorter[found])
          }
        }
        return count
      }
    }
  }

  /// Lower case, with each run of white space replaced by one space, and none at the ends.
  ///
  /// Letters are folded one by one by Unicode's simple mappings.
  private static func folded<Bytes: Collection>(_ bytes: Bytes) -> [UInt8]
  where Bytes.Element == UInt8, Bytes.Index == Int {
    bytes.withContiguousStorageIfAvailable { folded(UnsafeRawBufferPointer($0)) } ?? folded(Array(bytes))
  }

  private static func folded(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return [] }
    let table = CharacterFlags.table
    var out: [UInt8] = []
    out.reserveCapacity(text.count + 8)
    var index = 0
    while index < text.count {
      let byte = base[index]
      if byte &- 0x21 < 0x5e {
        out.append(byte &- 0x41 < 26 ? byte | 0x20 : byte)
        index += 1
        continue
      }
      let (point, length) = UTF8Text.character(base, at: index)
      index += length
      if table[point] & CharacterFlags.space != 0 {
        if out.last != 0x20 && !out.isEmpty { out.append(0x20) }
      } else {
        let small = pkm_unicode_lower(UInt32(point))
        out.append(contentsOf: UTF8.encode(Unicode.Scalar(small)!)!)
      }
    }
    if out.last == 0x20 { out.removeLast() }
    return out
  }

  private static func isWhole(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
    let base = text.baseAddress!
    let first = UTF8Text.character(base, at: start).point
    let last = UTF8Text.character(base, at: UTF8Text.start(before: end, in: base)).point
    if start > 0 {
      let before = UTF8Text.character(base, at: UTF8Text.start(before: start, in: base)).point
      if isInside(before) && isInside(first) { return false }
    }
    return end == text.count || !(isInside(UTF8Text.character(base, at: end).point) && isInside(last))
  }

  /// Whether a character joins adjacent characters into one word.
  private static func isInside(_ point: Int) -> Bool {
    if point == 0x5f { return true }
    let flags = CharacterFlags.table[point]
    if flags & CharacterFlags.breaking != 0 { return false }
    // Katakana; Thai and Lao; Burmese; Khmer.
    return
      !(0x30a0...0x30ff ~= point || 0xe00...0xeff ~= point || 0x1000...0x109f ~= point
      || 0x1780...0x17ff ~= point)
  }
}
