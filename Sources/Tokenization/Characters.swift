/// Characters as word mode sees them.
enum Characters {
  /// Each byte that is not 10xxxxxx begins a character, and so does the first, whether or not the text is well-formed.
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

  /// How many there are.
  static func count(in word: [UInt8]) -> Int {
    var count = 0
    word.withUnsafeBufferPointer { forEachCharacter(in: $0) { _, _ in count += 1 } }
    return count
  }
}
