import Tokenization

/// The patterns character by character: slow and obvious; the reference for the kernel that works on bits.
enum ReferencePatterns {
  static func split(_ text: [UInt8], _ preTokenizer: PreTokenizer) -> [[UInt8]] {
    text.withUnsafeBufferPointer { buffer in
      let classified = ClassifiedText(buffer)
      var preTokens: [[UInt8]] = []
      var start = 0
      while start < text.count {
        let end =
          switch preTokenizer {
          case .gpt2: GPT2Pattern.end(of: start, in: classified)
          case .cl100k: CL100KPattern.end(of: start, in: classified, keepsFinalSpace: true)
          case .llama3: CL100KPattern.end(of: start, in: classified, keepsFinalSpace: false)
          case .o200k: O200KPattern.end(of: start, in: classified)
          case .whitespace: WhitespacePattern.end(of: start, in: classified)
          default: text.count
          }
        preTokens.append(Array(buffer[start..<end]))
        start = end
      }
      return preTokens
    }
  }
}

// Each pattern is its published regular expression as a function that returns the end of the match at
// `start`. The alternatives are tried in the order of the expression, which is quoted at each step.

enum GPT2Pattern {
  @inline(__always)
  static func end(of start: Int, in text: ClassifiedText) -> Int {
    let first = text.bytes[start]
    // 's|'t|'re|'ve|'m|'ll|'d
    if first == UInt8(ascii: "'"), let end = contractionEnd(start, text) { return end }
    var (kind, length) = text.character(at: start)
    var index = start + length
    // The optional space before a run.
    if first == 0x20 && index < text.count {
      let (next, nextLength) = text.character(at: index)
      if next != CharacterClass.space {
        kind = next
        index += nextLength
      }
    }
    // ` ?\p{L}+`
    if CharacterClass.isLetter(kind) {
      while index < text.count {
        (kind, length) = text.character(at: index)
        if !CharacterClass.isLetter(kind) { break }
        index += length
      }
      return index
    }
    // `\s+(?!\S)|\s+`
    if kind == CharacterClass.space { return WhitespacePattern.spaceEnd(start, text) }
    // ` ?\p{N}+`
    if kind == CharacterClass.number {
      while index < text.count {
        (kind, length) = text.character(at: index)
        if kind != CharacterClass.number { break }
        index += length
      }
      return index
    }
    // ` ?[^\s\p{L}\p{N}]+`
    while index < text.count {
      (kind, length) = text.character(at: index)
      if !CharacterClass.isOther(kind) { break }
      index += length
    }
    return index
  }

  private static func contractionEnd(_ start: Int, _ text: ClassifiedText) -> Int? {
    guard start + 1 < text.count else { return nil }
    let second = text.bytes[start + 1]
    switch second {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      let third = second == UInt8(ascii: "l") ? UInt8(ascii: "l") : UInt8(ascii: "e")
      return start + 2 < text.count && text.bytes[start + 2] == third ? start + 3 : nil
    default: return nil
    }
  }
}

enum WhitespacePattern {
  @inline(__always)
  static func end(of start: Int, in text: ClassifiedText) -> Int {
    var (kind, length) = text.character(at: start)
    var index = start + length
    if text.bytes[start] == 0x20 && index < text.count { kind = text.character(at: index).kind }
    if kind == CharacterClass.space { return spaceEnd(start, text) }
    // ` ?\S+`
    while index < text.count {
      (kind, length) = text.character(at: index)
      if kind == CharacterClass.space { break }
      index += length
    }
    return index
  }

  /// `\s+(?!\S)|\s+`: a run of white space gives its last character back to what follows it, unless it has
  /// only one.
  static func spaceEnd(_ start: Int, _ text: ClassifiedText) -> Int {
    var index = start
    var last = start
    while index < text.count {
      let (kind, length) = text.character(at: index)
      if kind != CharacterClass.space { break }
      last = index
      index += length
    }
    return index == text.count || last == start ? index : last
  }
}

enum CL100KPattern {
  @inline(__always)
  static func end(of start: Int, in text: ClassifiedText, keepsFinalSpace: Bool) -> Int {
    let first = text.bytes[start]
    // `'(?i:[sdmt]|ll|ve|re)`
    if first == UInt8(ascii: "'") {
      let end = contractionEnd(start, text)
      if end > start { return end }
    }
    var (kind, length) = text.character(at: start)
    var index = start + length
    // `[^\r\n\p{L}\p{N}]?\p{L}+`
    var isWord = CharacterClass.isLetter(kind)
    if !isWord && mayPrefix(kind, first) && index < text.count {
      let (next, nextLength) = text.character(at: index)
      if CharacterClass.isLetter(next) {
        isWord = true
        index += nextLength
      }
    }
    if isWord {
      while index < text.count {
        (kind, length) = text.character(at: index)
        if !CharacterClass.isLetter(kind) { break }
        index += length
      }
      return index
    }
    return rest(start, kind, index, text, keepsFinalSpace: keepsFinalSpace, swallowsSlash: false)
  }

  /// What cl100k and o200k share after words: numbers, punctuation and white space.
  ///
  /// `kind` is the class of the first character and `index` the end of it.
  static func rest(
    _ start: Int, _ kind: UInt8, _ index: Int, _ text: ClassifiedText, keepsFinalSpace: Bool,
    swallowsSlash: Bool
  ) -> Int {
    var (kind, index) = (kind, index)
    // `\p{N}{1,3}`
    if kind == CharacterClass.number {
      for _ in 0..<2 where index < text.count {
        let (next, length) = text.character(at: index)
        if next != CharacterClass.number { break }
        index += length
      }
      return index
    }
    // ` ?[^\s\p{L}\p{N}]+[\r\n]*`
    if text.bytes[start] == 0x20 && index < text.count {
      let (next, length) = text.character(at: index)
      if CharacterClass.isOther(next) {
        kind = next
        index += length
      }
    }
    if CharacterClass.isOther(kind) {
      while index < text.count {
        let (next, length) = text.character(at: index)
        if !CharacterClass.isOther(next) { break }
        index += length
      }
      while index < text.count {
        let byte = text.bytes[index]
        guard isLineBreak(byte) || swallowsSlash && byte == UInt8(ascii: "/") else { break }
        index += 1
      }
      return index
    }
    // `\s+\z|\s*[\r\n]+|\s+(?!\S)|\s+`, the first only with `keepsFinalSpace`.
    var lastBreak: Int?
    var last = start
    index = start
    while index < text.count {
      let (next, length) = text.character(at: index)
      if next != CharacterClass.space { break }
      if isLineBreak(text.bytes[index]) { lastBreak = index }
      last = index
      index += length
    }
    if keepsFinalSpace && index == text.count { return index }
    if let lastBreak { return lastBreak + 1 }
    return index == text.count || last == start ? index : last
  }

  @inline(__always) static func isLineBreak(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

  /// Whether a character is in `[^\r\n\p{L}\p{N}]`.
  @inline(__always) static func mayPrefix(_ kind: UInt8, _ first: UInt8) -> Bool {
    kind < CharacterClass.upper && kind != CharacterClass.number && !isLineBreak(first)
  }

  /// The end of a contraction at the apostrophe `start`, or `start`.
  ///
  /// Case does not matter, and the long s (U+017F) is an s without its case.
  static func contractionEnd(_ start: Int, _ text: ClassifiedText) -> Int {
    guard start + 1 < text.count else { return start }
    let second = text.bytes[start + 1] | 0x20
    switch second {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      let third = second == UInt8(ascii: "l") ? UInt8(ascii: "l") : UInt8(ascii: "e")
      return start + 2 < text.count && text.bytes[start + 2] | 0x20 == third ? start + 3 : start
    default:
      let isLongS = start + 2 < text.count && text.bytes[start + 1] == 0xc5 && text.bytes[start + 2] == 0xbf
      return isLongS ? start + 3 : start
    }
  }
}

enum O200KPattern {
  @inline(__always)
  static func end(of start: Int, in text: ClassifiedText) -> Int {
    let first = text.bytes[start]
    let (kind, length) = text.character(at: start)
    let index = start + length
    // Either alternative with the optional prefix, then either without it. A letter is never a prefix, and of
    // the characters that can be one, only a mark can also begin a word.
    if CharacterClass.isLetter(kind) { return lowerWordEnd(start, text) ?? upperWordEnd(start, text)! }
    if CL100KPattern.mayPrefix(kind, first) {
      if let end = lowerWordEnd(index, text) { return end }
      if kind == CharacterClass.mark, let end = lowerWordEnd(start, text) { return end }
      if let end = upperWordEnd(index, text) { return end }
    }
    return CL100KPattern.rest(start, kind, index, text, keepsFinalSpace: false, swallowsSlash: true)
  }

  /// Matches `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` and a contraction.
  ///
  /// If no character of the second class follows the first run, the match ends after the last character of
  /// the run that is in both classes.
  private static func lowerWordEnd(_ start: Int, _ text: ClassifiedText) -> Int? {
    var index = start
    var endOfLastInBoth: Int?
    while index < text.count {
      let (kind, length) = text.character(at: index)
      guard kind == CharacterClass.upper || isInBoth(kind) else { break }
      index += length
      if isInBoth(kind) { endOfLastInBoth = index }
    }
    let upperEnd = index
    while index < text.count {
      let (kind, length) = text.character(at: index)
      guard kind == CharacterClass.lower || isInBoth(kind) else { break }
      index += length
    }
    guard let end = index > upperEnd ? index : endOfLastInBoth else { return nil }
    return withContraction(end, text)
  }

  /// Matches `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` and a contraction, where the first
  /// alternative failed: then the run is all upper case and no character of the second class follows.
  private static func upperWordEnd(_ start: Int, _ text: ClassifiedText) -> Int? {
    var index = start
    while index < text.count {
      let (kind, length) = text.character(at: index)
      if kind != CharacterClass.upper { break }
      index += length
    }
    return index > start ? withContraction(index, text) : nil
  }

  @inline(__always) private static func isInBoth(_ kind: UInt8) -> Bool {
    kind == CharacterClass.caseless || kind == CharacterClass.mark
  }

  @inline(__always) private static func withContraction(_ end: Int, _ text: ClassifiedText) -> Int {
    end < text.count && text.bytes[end] == UInt8(ascii: "'") ? CL100KPattern.contractionEnd(end, text) : end
  }
}
