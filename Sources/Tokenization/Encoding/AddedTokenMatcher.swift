/// Finds added tokens in text as `tokenizers` does: the leftmost first, and the longest of those that begin
/// at the same position.
struct AddedTokenMatcher: Sendable {
  private struct Pattern {
    let text: [UInt8]
    let token: AddedToken
  }

  /// By the first byte of their text, the longest first.
  private var patterns = [[Pattern]](repeating: [], count: 256)
  /// A bit for each two bytes that a pattern begins with.
  private var pairs = [UInt64](repeating: 0, count: 1024)
  private let parsesSpecialTokens: Bool
  /// Whether there is nothing that could be found.
  let isEmpty: Bool

  /// Special tokens are passed over unless `parsesSpecialTokens`, but no other token is found inside of one.
  /// `text` gives the text that a token is looked for by.
  init(
    _ tokens: [AddedToken], parsesSpecialTokens: Bool, text: (AddedToken) -> [UInt8] = { Array($0.text.utf8) }
  ) {
    self.parsesSpecialTokens = parsesSpecialTokens
    isEmpty = !tokens.contains { (!$0.isSpecial || parsesSpecialTokens) && !$0.text.isEmpty }
    if isEmpty { return }
    // Of equal texts the special one is found.
    for token in tokens.filter(\.isSpecial) + tokens.filter({ !$0.isSpecial }) {
      let text = text(token)
      guard let first = text.first else { continue }
      patterns[Int(first)].append(Pattern(text: text, token: token))
      if text.count > 1 {
        insert(first, text[1])
      } else {
        for second in UInt8.min...UInt8.max { insert(first, second) }
      }
    }
    for first in patterns.indices where patterns[first].count > 1 {
      // A stable sort.
      patterns[first] = patterns[first].enumerated().sorted {
        ($1.element.text.count, $0.offset) < ($0.element.text.count, $1.offset)
      }.map(\.element)
    }
  }

  private mutating func insert(_ first: UInt8, _ second: UInt8) {
    let pair = Int(first) << 8 | Int(second)
    pairs[pair >> 6] |= 1 << UInt64(pair & 63)
  }

  /// Calls `body` with each part of the range between tokens, and the token after it, with the range that belongs to it.
  ///
  /// Parts may be empty.
  func forEachPart(
    of text: UnsafeBufferPointer<UInt8>, in range: Range<Int>,
    _ body: (_ part: Range<Int>, _ token: (id: UInt32, range: Range<Int>)?) -> Void
  ) {
    var start = range.lowerBound
    var index = start
    while index < range.upperBound {
      let first = text[index]
      let second = index + 1 < range.upperBound ? text[index + 1] : 0
      let pair = Int(first) << 8 | Int(second)
      guard pairs[pair >> 6] >> UInt64(pair & 63) & 1 == 1,
        let found = patterns[Int(first)].first(where: {
          $0.text.count <= range.upperBound - index
            && text[index..<(index + $0.text.count)].elementsEqual($0.text)
        })
      else {
        index += 1
        continue
      }
      var (tokenStart, tokenEnd) = (index, index + found.text.count)
      index = tokenEnd
      let token = found.token
      if token.isSpecial && !parsesSpecialTokens { continue }
      if token.isSingleWord
        && (Self.isWord(before: tokenStart, text, range) || Self.isWord(at: tokenEnd, text, range))
      {
        continue
      }
      if token.stripsLeft {
        while tokenStart > start, let (_, from) = Self.space(before: tokenStart, text, range), from >= start {
          tokenStart = from
        }
      }
      if token.stripsRight {
        while tokenEnd < range.upperBound, let end = Self.space(at: tokenEnd, text, range) { tokenEnd = end }
      }
      body(start..<max(start, tokenStart), (token.id, tokenStart..<tokenEnd))
      start = tokenEnd
    }
    body(min(start, range.upperBound)..<range.upperBound, nil)
  }

  private static func scalar(
    at index: Int, _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
  ) -> (scalar: Unicode.Scalar, end: Int)? {
    guard index < range.upperBound else { return nil }
    let bytes = text[index..<min(index + 4, range.upperBound)]
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
    return (scalar, index + UTF8.width(scalar))
  }

  private static func scalar(
    before index: Int, _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
  ) -> (scalar: Unicode.Scalar, start: Int)? {
    var start = index - 1
    while start > range.lowerBound && index - start < 4 && text[start] & 0xc0 == 0x80 { start -= 1 }
    guard start >= range.lowerBound, let (scalar, end) = scalar(at: start, text, range), end == index else {
      return nil
    }
    return (scalar, start)
  }

  private static func space(
    before index: Int, _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
  ) -> (Unicode.Scalar, Int)? {
    guard let found = scalar(before: index, text, range), found.scalar.properties.isWhitespace else {
      return nil
    }
    return found
  }

  private static func space(at index: Int, _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
    guard let found = scalar(at: index, text, range), found.scalar.properties.isWhitespace else { return nil }
    return found.end
  }

  private static func isWord(before index: Int, _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>)
    -> Bool
  {
    scalar(before: index, text, range).map { isWord($0.scalar) } ?? false
  }

  private static func isWord(at index: Int, _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    scalar(at: index, text, range).map { isWord($0.scalar) } ?? false
  }

  /// `\w` of Unicode's technical standard 18.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
