/// What decoding does at the ends of a document.
struct TextEnds: Sendable {
  /// Whether the first token loses the spaces that its replacements became: Metaspace.
  private var dropsFirstSpaces = false
  /// Up to so many of a character at the ends.
  private var strips: [(character: [UInt8], start: Int, end: Int)] = []
  /// Word mode: a space after the last word.
  private var dropsFinalSpace = false

  init(_ tokenizer: Tokenizer) {
    dropsFinalSpace = tokenizer.mode == .word
    guard tokenizer.mode == .character else { return }
    var isFused = false
    for step in tokenizer.decoding {
      switch step {
      case .fuse: isFused = true
      case .metaspace(_, let scheme, _): dropsFirstSpaces = scheme != .never
      case .strip(let character, let start, let end) where isFused:
        strips.append((Array(String(character).utf8), start, end))
      default: break
      }
    }
  }

  /// Whether documents must be decoded one by one.
  var needsDocuments: Bool { dropsFirstSpaces || !strips.isEmpty }

  func first(_ token: [UInt8]) -> [UInt8] { dropsFirstSpaces ? token.filter { $0 != 0x20 } : token }

  /// What remains of the text of a document.
  func kept(of text: UnsafeBufferPointer<UInt8>) -> Range<Int> {
    if dropsFinalSpace { return 0..<(text.last == 0x20 ? text.count - 1 : text.count) }
    var range = 0..<text.count
    for strip in strips {
      let inner = Self.strip(
        strip.character, strip.start, strip.end, UnsafeBufferPointer(rebasing: text[range]))
      range = (range.lowerBound + inner.lowerBound)..<(range.lowerBound + inner.upperBound)
    }
    return range
  }

  static func strip(
    _ character: [UInt8], _ start: Int, _ end: Int, _ text: UnsafeBufferPointer<UInt8>
  ) -> Range<Int> {
    var range = 0..<text.count
    for _ in 0..<start where text[range].starts(with: character) {
      range = (range.lowerBound + character.count)..<range.upperBound
    }
    for _ in 0..<end where text[range].suffix(character.count).elementsEqual(character) {
      range = range.lowerBound..<(range.upperBound - character.count)
    }
    return range
  }
}
