/// What "words" means in every summary, manifest and word-level perplexity of this package: maximal runs of bytes other
/// than ASCII white space (space, tab, line feed, vertical tab, form feed, carriage return), as `wc -w` counts them.
package enum Words {
  package static func count(in bytes: UnsafeRawBufferPointer) -> Int {
    guard let first = bytes.first else { return 0 }
    var count = 1 - Int(isSpace(first))
    var index = 1
    // A word starts where a space is followed by something else. Without branches and with sums of a byte, at most
    // 255 to one, the loop becomes one over vectors.
    while index < bytes.count {
      let end = min(index + 240, bytes.count)
      var starts: UInt8 = 0
      while index < end {
        starts &+= isSpace(bytes[index &- 1]) & (isSpace(bytes[index]) ^ 1)
        index &+= 1
      }
      count += Int(starts)
    }
    return count
  }

  @inline(__always)
  private static func isSpace(_ byte: UInt8) -> UInt8 { (byte == 0x20 ? 1 : 0) | (byte &- 9 < 5 ? 1 : 0) }
}
