/// What "words" means in every summary, manifest and word-level perplexity of this package: maximal runs of bytes other
/// than ASCII white space (space, tab, line feed, vertical tab, form feed, carriage return), as `wc -w` counts them.
package enum Words {
  package static func count(in bytes: UnsafeRawBufferPointer) -> Int {
    var count = 0
    var wasSpace = true
    for byte in bytes {
      let isSpace = byte == 0x20 || (byte &- 9) < 5
      if wasSpace && !isSpace { count += 1 }
      wasSpace = isSpace
    }
    return count
  }
}
