import CBytes

/// Words as every summary, manifest and word-level perplexity of this package counts them: maximal runs of
/// bytes other than ASCII white space (space, tab, line feed, vertical tab, form feed, carriage return), as
/// `wc -w` counts them.
package enum Words {
  package static func count(in bytes: UnsafeRawBufferPointer) -> Int {
    pkm_count_words(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
  }
}
