import Foundation
import Support

/// Parts of a text, of which some were there before.
struct RepeatedParts {
  var count = 0
  var duplicates = 0
  var duplicateCharacters = 0

  init() {}

  /// Paragraphs are what empty lines separate, white space at both ends of the text left out.
  init(paragraphsOf text: UnsafeRawBufferPointer, _ finder: inout RepeatedPartFinder) {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    let all = UTF8Text.trim(0..<text.count, in: base)
    finder.begin()
    var open: Range<Int>?
    var start = all.lowerBound
    while start < all.upperBound {
      let line = Line(base, start, all.upperBound)
      if line.end > start {
        open = (open?.lowerBound ?? start)..<line.end
      } else if let paragraph = open {
        add(text, paragraph, &finder)
        open = nil
      }
      start = line.next
    }
    if let paragraph = open { add(text, paragraph, &finder) }
  }

  private mutating func add(
    _ text: UnsafeRawBufferPointer, _ part: Range<Int>, _ finder: inout RepeatedPartFinder
  ) {
    count += 1
    let bytes = UnsafeRawBufferPointer(rebasing: text[part])
    guard finder.wasThere(bytes) else { return }
    duplicates += 1
    duplicateCharacters += UTF8Text.count(bytes)
  }
}

/// A line of a text: up to LF, without one CR before it.
struct Line {
  let end: Int
  /// Where the next one begins.
  let next: Int
  let hasFeed: Bool

  @inline(__always)
  init(_ text: UnsafePointer<UInt8>, _ start: Int, _ limit: Int) {
    if let found = memchr(text + start, 0x0a, limit - start) {
      let feed = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - text
      end = feed > start && text[feed - 1] == 0x0d ? feed - 1 : feed
      next = feed + 1
      hasFeed = true
    } else {
      (end, next, hasFeed) = (limit, limit, false)
    }
  }
}

/// Counts over the lines of a text.
struct LineMeasures {
  /// All lines: what follows the last LF is one unless it is empty.
  var count = 0
  /// Line feeds.
  var feeds = 0
  var bullets = 0
  var ellipses = 0
  /// Of 200 characters or more.
  var long = 0
  /// Lines that are not empty.
  var parts = RepeatedParts()
  /// Lines that hold more than white space.
  var filled = 0
  var terminal = 0
  /// Of at most 30 characters.
  var short = 0
  var duplicateCharactersOfFilled = 0

  init(_ text: UnsafeRawBufferPointer, _ finder: inout RepeatedPartFinder) {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    let flags = CharacterFlags.table
    finder.begin()
    var start = 0
    while start < text.count {
      let line = Line(base, start, text.count)
      defer { start = line.next }
      count += 1
      feeds += line.hasFeed ? 1 : 0
      let length = line.end - start
      if length == 0 { continue }
      let bytes = UnsafeRawBufferPointer(rebasing: text[start..<line.end])
      let inner = UTF8Text.trim(start..<line.end, in: base)
      parts.count += 1
      let isDuplicate = finder.wasThere(bytes)
      // A character takes one to four bytes.
      var characters = length
      if isDuplicate || length > 30 && length <= 120 || length >= 200 { characters = UTF8Text.count(bytes) }
      if isDuplicate {
        parts.duplicates += 1
        parts.duplicateCharacters += characters
      }
      if characters >= 200 { long += 1 }
      if inner.isEmpty { continue }
      filled += 1
      if characters <= 30 { short += 1 }
      if isDuplicate { duplicateCharactersOfFilled += characters }
      let last = UTF8Text.start(before: line.end, in: base)
      if flags[UTF8Text.character(base, at: last).point] & CharacterFlags.terminal != 0 { terminal += 1 }
      if base[inner.lowerBound] == UInt8(ascii: "-") || Self.hasPrefix(base, inner, (0xe2, 0x80, 0xa2)) {
        bullets += 1
      }
      let tail = inner.suffix(3)
      if Self.hasPrefix(base, tail, (0x2e, 0x2e, 0x2e)) || Self.hasPrefix(base, tail, (0xe2, 0x80, 0xa6)) {
        ellipses += 1
      }
    }
  }

  private static func hasPrefix(
    _ text: UnsafePointer<UInt8>, _ range: Range<Int>, _ prefix: (UInt8, UInt8, UInt8)
  ) -> Bool {
    let start = range.lowerBound
    return range.count >= 3 && text[start] == prefix.0 && text[start + 1] == prefix.1
      && text[start + 2] == prefix.2
  }
}

/// Finds the lines or paragraphs that a document repeats, each standing for itself by a hash of 64 bits.
///
/// An open-addressing table that is used again for every document.
struct RepeatedPartFinder {
  /// 0 in a free slot.
  private var hashes = [UInt64](repeating: 0, count: 1 << 10)
  /// Slots in use are the first `mask + 1`.
  private var mask = 15
  private var used = 0

  mutating func begin() {
    mask = 15
    for slot in 0...mask { hashes[slot] = 0 }
    used = 0
  }

  /// Whether the same bytes were there since the beginning.
  mutating func wasThere(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if 2 * used > mask { grow() }
    let hash = max(Hashing.xxh3(bytes), 1)
    let slot = slot(of: hash)
    if hashes[slot] == hash { return true }
    hashes[slot] = hash
    used += 1
    return false
  }

  private func slot(of hash: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while hashes[slot] != 0 && hashes[slot] != hash { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    let old = hashes[...mask].filter { $0 != 0 }
    mask = 4 * mask + 3
    if mask >= hashes.count { hashes += repeatElement(0, count: mask + 1 - hashes.count) }
    for slot in 0...mask { hashes[slot] = 0 }
    for hash in old { hashes[slot(of: hash)] = hash }
  }
}
