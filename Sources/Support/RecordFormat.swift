/// What records look like: `words` 64-bit words each, ordered by the first word, then the next, all unsigned.
package struct RecordFormat: Sendable, Equatable {
  package let words: Int
  /// Bytes stored of the last word on disk; the ones above them must be zero.
  package let lastBytes: Int

  package init(words: Int, lastBytes: Int = 8) {
    precondition(words >= 1 && (1...8).contains(lastBytes))
    self.words = words
    self.lastBytes = lastBytes
  }

  /// Bytes of a record on disk.
  package var storedBytes: Int { 8 * (words - 1) + lastBytes }
}
