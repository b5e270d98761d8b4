import CPreTokens

/// Units of superwords as pre-tokens of gpt2 or cl100k that are joined: what the pattern of
/// ``PreTokenizer/superwords`` does, by a kernel.
struct SuperwordUnits: Sendable {
  private let kernel: Int32

  /// Nil for any other steps.
  init?(_ steps: [PreTokenizationStep]) {
    guard steps.count == 1 else { return nil }
    if steps[0] == PreTokenizer.gpt2.superwordStep {
      kernel = Int32(PKM_PATTERN_GPT2)
    } else if steps[0] == PreTokenizer.cl100k.superwordStep {
      kernel = Int32(PKM_PATTERN_CL100K)
    } else {
      return nil
    }
  }

  /// Sets bit i of `starts` where a unit begins at byte i, and bit `count`; it has count / 64 + 1 words.
  func findStarts(in text: UnsafeBufferPointer<UInt8>, _ starts: UnsafeMutablePointer<UInt64>) {
    pkm_pre_token_starts(kernel, text.baseAddress!, text.count, text.count, CharacterClasses.table, starts)
    let classified = ClassifiedText(text)
    var start = 0
    var wasJoined = false
    for index in 0...(text.count / 64) {
      var bits = starts[index]
      if index == 0 { bits &= ~1 }
      while bits != 0 {
        let end = index << 6 | bits.trailingZeroBitCount
        bits &= bits &- 1
        let isJoined = Self.isJoined(start, end, classified)
        if isJoined && wasJoined { starts[start >> 6] &= ~(1 << UInt64(start & 63)) }
        wasJoined = isJoined
        start = end
      }
    }
  }

  /// Whether a pre-token is a word, a single punctuation mark with or without a space, or a single space or tab in front
  /// of something else.
  @inline(__always)
  private static func isJoined(_ start: Int, _ end: Int, _ text: ClassifiedText) -> Bool {
    let (kind, length) = text.character(at: start)
    if CharacterClass.isLetter(kind) { return true }
    if kind == CharacterClass.number { return false }
    let second = start + length
    if second == end {
      guard kind == CharacterClass.space else { return true }
      let byte = text.bytes[start]
      return byte != 0x0a && byte != 0x0d && end < text.count
        && text.character(at: end).kind != CharacterClass.space
    }
    let (next, nextLength) = text.character(at: second)
    if CharacterClass.isLetter(next) { return true }
    return kind == CharacterClass.space && CharacterClass.isOther(next) && second + nextLength == end
  }
}
