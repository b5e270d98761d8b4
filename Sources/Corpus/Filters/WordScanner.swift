import Foundation

/// Splits text into words, like the English tokenizers that the published filters use (spaCy, Penn Treebank).
///
/// 1. White space separates words and belongs to none.
/// 2. A punctuation mark, symbol or control character is a word. A run of `.` or of `-` is one word.
/// 3. An ideograph or a hiragana letter is a word. Other scripts without spaces (Thai, Lao, Khmer, Burmese)
///    are not divided: the text between two spaces is one word.
/// 4. Any other run of characters is a word (`naïve`, `COVID19`). One ASCII mark or `’` between two of them
///    does not end it (`a_b@c.org`, `f(x`, `it[1`), except: `.` between a lower-case and a capital letter;
///    `,` between letters; `:`, `/`, `<`, `=` and `>` before a letter; `*`, `+` and `^` between numbers; `-`
///    unless it comes before a number and after something else (`COVID-19`); `~`.
/// 5. English contractions are split off such a word: `it|'s`, `do|n't`, `we|'ll`; also 'd, 'm, 're, 've.
/// 6. A dot that is not followed by another dot belongs to an abbreviation before it: a single letter (`J.`),
///    a word that ends in a dot and a letter (`e.g.`, `U.S.A.`), or one of ``titles`` (`Mrs.`).
/// 7. Text that begins with `http://`, `https://` or `www.` is one word up to white space, `<`, `>` or `"`,
///    without punctuation at its end.
package struct WordScanner {
  /// Abbreviations that end in a dot: English titles and parts of names.
  static let titles: [StaticString] = [
    "Mr", "Mrs", "Ms", "Messrs", "Dr", "Prof", "St", "Gen", "Gov", "Rev", "Rep", "Sen", "Jr", "Sr", "Inc",
    "Ltd", "Co",
    "Corp",
  ]

  let table = CharacterFlags.table

  @inline(__always)
  func scan<Visitor: WordVisitor>(_ text: UnsafeRawBufferPointer, _ visitor: inout Visitor) {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    let count = text.count
    var index = 0
    while index < count {
      if let (length, flags) = Self.plainWord(base, index, count) {
        let end = index &+ length
        let word = ScannedWord(start: index, end: end, characters: length, flags: flags)
        index = base[end] == 0x20 ? end &+ 1 : end
        if !visitor.visit(word) { return }
        continue
      }
      let (point, length) = UTF8Text.character(base, at: index)
      let flags = table[point]
      if flags & CharacterFlags.breaking == 0 {
        if (point | 0x20 == 0x68 || point | 0x20 == 0x77), let end = addressEnd(base, index, count) {
          let address = UnsafeRawBufferPointer(rebasing: text[index..<end])
          let word = ScannedWord(
            start: index, end: end, characters: UTF8Text.count(address),
            flags: CharacterFlags.letter)
          index = end
          if !visitor.visit(word) { return }
        } else if !scanWord(base, &index, count, &visitor) {
          return
        }
      } else if flags & CharacterFlags.space != 0 {
        index &+= length
      } else {
        let start = index
        index &+= length
        var characters = 1
        if point == 0x2e || point == 0x2d {
          while index < count && base[index] == UInt8(point) { index &+= 1 }
          characters = index &- start
        }
        let word = ScannedWord(start: start, end: index, characters: characters, flags: flags)
        if !visitor.visit(word) { return }
      }
    }
  }

  /// The length and flags of a word of one to seven ASCII letters and digits at `index` to which no other
  /// rule applies: it is followed by white space, or by a mark and white space, and is not an abbreviation.
  ///
  /// Most words are of this kind. Eight bytes are examined in one register.
  @inline(__always)
  private static func plainWord(
    _ text: UnsafePointer<UInt8>, _ index: Int, _ count: Int
  ) -> (length: Int, flags: UInt8)? {
    guard index &+ 9 <= count else { return nil }
    let bytes = UInt64(littleEndian: UnsafeRawPointer(text + index).loadUnaligned(as: UInt64.self))
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops = ones &* 0x80
    // The top bit of each byte indicates whether its seven lower bits are at least a limit.
    let low = bytes & ~tops
    let small = low | ones &* 0x20
    let isASCII = ~bytes
    let letters = (small &+ ones &* (0x80 - 0x61)) & ~(small &+ ones &* (0x80 - 0x7b)) & isASCII & tops
    let digits = (low &+ ones &* (0x80 - 0x30)) & ~(low &+ ones &* (0x80 - 0x3a)) & isASCII & tops
    let others = (letters | digits) ^ tops
    let bit = others.trailingZeroBitCount
    let length = bit >> 3
    guard length &- 1 < 7, length > 0 else { return nil }
    let next = text[index &+ length]
    if next != 0x20 && next != 0x0a {
      // A mark before white space never joins words. A byte above ASCII may be part of the word.
      let after = text[index &+ length &+ 1]
      guard next < 0x80, after == 0x20 || after == 0x0a else { return nil }
      // It may be an abbreviation: it starts with a capital or is a single letter.
      if next == 0x2e && (bytes & 0x20 == 0 || length == 1) { return nil }
    }
    let hasLetter = letters & ((1 << UInt64(truncatingIfNeeded: bit)) &- 1) != 0
    return (length, hasLetter ? CharacterFlags.letter : CharacterFlags.number)
  }

  /// Rules 4 to 6. `index` is the offset of the first character.
  @inline(__always)
  private func scanWord<Visitor: WordVisitor>(
    _ text: UnsafePointer<UInt8>, _ index: inout Int, _ count: Int, _ visitor: inout Visitor
  ) -> Bool {
    let start = index
    var characters = 0
    var all: UInt8 = 0
    var last: UInt8 = 0
    var apostrophe = -1
    var at = index
    while at < count {
      var length = 1
      var flags: UInt8
      let byte = text[at]
      if byte < 0x80 {
        flags = table[Int(byte)]
      } else {
        let (point, width) = UTF8Text.character(text, at: at)
        flags = table[point]
        length = width
      }
      if flags & CharacterFlags.breaking != 0 {
        if flags & CharacterFlags.symbol == 0 { break }
        guard joins(text, at, length, count, after: last) else { break }
        if byte == 0x27 || byte == 0xe2 { apostrophe = at }
        // A joining mark does not make the word a symbol.
        flags = 0
      } else {
        last = flags
      }
      all |= flags
      characters &+= 1
      at &+= length
    }
    index = at
    if apostrophe >= 0, let cut = contraction(text, start, apostrophe, at) {
      let tail = UTF8Text.count(UnsafeRawBufferPointer(start: text + cut, count: at - cut))
      let stem = ScannedWord(
        start: start, end: cut, characters: characters - tail, flags: flags(text, start, cut))
      guard visitor.visit(stem) else { return false }
      return visitor.visit(
        ScannedWord(start: cut, end: at, characters: tail, flags: flags(text, cut, at)))
    }
    if at < count && text[at] == 0x2e && hasDot(text, start, at, count) {
      index = at + 1
      return visitor.visit(ScannedWord(start: start, end: at + 1, characters: characters + 1, flags: all))
    }
    return visitor.visit(ScannedWord(start: start, end: at, characters: characters, flags: all))
  }

  /// Whether the dot that follows a word at `end` is part of it.
  private func hasDot(_ text: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ count: Int) -> Bool {
    if end + 1 < count {
      let next = table[UTF8Text.character(text, at: end + 1).point]
      if next & CharacterFlags.breaking == 0 || text[end + 1] == 0x2e { return false }
    }
    let last = UTF8Text.start(before: end, in: text)
    if last == start || text[last - 1] == 0x2e {
      return table[UTF8Text.character(text, at: last).point] & CharacterFlags.letter != 0
    }
    guard end - start <= 6, text[start] & 0x20 == 0 else { return false }
    return Self.titles.contains { title in
      title.utf8CodeUnitCount == end - start && memcmp(title.utf8Start, text + start, end - start) == 0
    }
  }

  /// Whether the mark at `index` is inside a word. `last` are the flags of the character before it.
  private func joins(
    _ text: UnsafePointer<UInt8>, _ index: Int, _ length: Int, _ count: Int, after last: UInt8
  ) -> Bool {
    let mark = text[index]
    guard index + length < count else { return false }
    let next = table[UTF8Text.character(text, at: index + length).point]
    guard next & CharacterFlags.breaking == 0 else { return false }
    let (letter, number, capital) = (CharacterFlags.letter, CharacterFlags.number, CharacterFlags.capital)
    switch mark {
    case 0x2e: return !(last & (letter | capital) == letter && next & capital != 0)
    case 0x2c: return last & next & letter == 0
    case 0x3a, 0x2f, 0x3c, 0x3d, 0x3e: return next & letter == 0
    case 0x2a, 0x2b, 0x5e: return last & next & number == 0
    case 0x2d: return ~last & next & number != 0
    case 0x7e: return false
    case 0x21...0x7d: return true
    case 0xe2: return text[index + 1] == 0x80 && text[index + 2] == 0x99
    default: return false
    }
  }

  /// The start of the contraction at the end of a word; nil if there is none.
  private func contraction(_ text: UnsafePointer<UInt8>, _ start: Int, _ apostrophe: Int, _ end: Int) -> Int?
  {
    let tail = apostrophe + (text[apostrophe] == 0x27 ? 1 : 3)
    let first = text[tail] | 0x20
    switch end - tail {
    case 1:
      switch first {
      case UInt8(ascii: "s"), UInt8(ascii: "d"), UInt8(ascii: "m"): return apostrophe
      case UInt8(ascii: "t"):
        let cut = apostrophe - 1
        return cut > start && text[cut] | 0x20 == UInt8(ascii: "n") ? cut : nil
      default: return nil
      }
    case 2:
      let second = text[tail + 1] | 0x20
      switch (first, second) {
      case (UInt8(ascii: "l"), UInt8(ascii: "l")), (UInt8(ascii: "r"), UInt8(ascii: "e")),
        (UInt8(ascii: "v"), UInt8(ascii: "e")):
        return apostrophe
      default: return nil
      }
    default: return nil
    }
  }

  /// The union of the flags of the word characters in part of a word.
  private func flags(_ text: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> UInt8 {
    var all: UInt8 = 0
    var index = start
    while index < end {
      let (point, length) = UTF8Text.character(text, at: index)
      if table[point] & CharacterFlags.breaking == 0 { all |= table[point] }
      index += length
    }
    return all
  }

  /// The end of the URL at `start`; nil if there is none.
  private func addressEnd(_ text: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> Int? {
    guard ["http://", "https://", "www."].contains(where: { Self.hasPrefix($0, text, start, count) }) else {
      return nil
    }
    var end = start
    while end < count {
      let (point, length) = UTF8Text.character(text, at: end)
      if table[point] & CharacterFlags.space != 0 || [0x22, 0x3c, 0x3e].contains(point) { break }
      end += length
    }
    while end > start {
      let last = UTF8Text.start(before: end, in: text)
      if table[UTF8Text.character(text, at: last).point] & CharacterFlags.punctuation == 0 { break }
      end = last
    }
    return end
  }

  private static func hasPrefix(
    _ prefix: StaticString, _ text: UnsafePointer<UInt8>, _ start: Int, _ count: Int
  ) -> Bool {
    guard count - start >= prefix.utf8CodeUnitCount else { return false }
    for offset in 0..<prefix.utf8CodeUnitCount {
      let byte = text[start + offset]
      let small = byte &- 0x41 < 26 ? byte | 0x20 : byte
      if small != prefix.utf8Start[offset] { return false }
    }
    return true
  }

  /// The words of a text, one array of bytes per word.
  package static func words(of text: [UInt8]) -> [[UInt8]] {
    struct Collector: WordVisitor {
      var words: [Range<Int>] = []
      mutating func visit(_ word: ScannedWord) -> Bool {
        words.append(word.start..<word.end)
        return true
      }
    }
    var collector = Collector()
    text.withUnsafeBytes { WordScanner().scan($0, &collector) }
    return collector.words.map { Array(text[$0]) }
  }
}
