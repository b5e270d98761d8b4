/// Counts over the lines of a text.
struct LineMeasures {
  /// All lines. The text after the last LF is a line unless it is empty.
  var count = 0
  /// Line feeds.
  var feeds = 0
  var bullets = 0
  var ellipses = 0
  /// Lines of at least 200 characters.
  var long = 0
  /// Lines that are not empty.
  var parts = RepeatedParts()
  /// Lines with anything other than white space.
  var filled = 0
  var terminal = 0
  /// Lines of at most 30 characters.
  var short = 0
  var duplicateCharactersOfFilled = 0

  init(_ text: UnsafeRawBufferPointer, _ finder: inout RepeatedPartFinder) {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    let flags = CharacterFlags.table
    finder.begin()
    var start = 0
    while start < text.count {
      let line = TextLine(base, start, text.count)
      defer { start = line.next }
      count += 1
      feeds += line.hasFeed ? 1 : 0
      let length = line.end - start
      if length == 0 { continue }
      let bytes = UnsafeRawBufferPointer(rebasing: text[start..<line.end])
      let inner = UTF8Text.trim(start..<line.end, in: base)
      parts.count += 1
      let isDuplicate = finder.wasThere(bytes)
      // Count only where needed: a character takes one to four bytes.
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
