/// The characters of word mode.
enum Characters {
  /// Calls `body` with each character. A character begins at the first byte and at each byte that is not
  /// 10xxxxxx, whether or not the text is well-formed.
  @inline(__always)
  static func forEachCharacter(
    in word: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>, _ isLast: Bool) -> Void
  ) {
    var start = 0
    while start < word.count {
      var end = start + 1
      while end < word.count && word[end] & 0xc0 == 0x80 { end += 1 }
      body(UnsafeBufferPointer(rebasing: word[start..<end]), end == word.count)
      start = end
    }
  }

  /// The number of characters.
  static func count(in word: [UInt8]) -> Int {
    var count = 0
    word.withUnsafeBufferPointer { forEachCharacter(in: $0) { _, _ in count += 1 } }
    return count
  }
}
