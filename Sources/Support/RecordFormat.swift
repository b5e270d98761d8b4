/// The format of records: `words` unsigned 64-bit words each, ordered by the first word, then the next.
package struct RecordFormat: Sendable, Equatable {
  package let words: Int
  /// The bytes of the last word that are stored on disk; the higher ones must be zero.
  package let lastBytes: Int

  package init(words: Int, lastBytes: Int = 8) {
    precondition(words >= 1 && (1...8).contains(lastBytes))
    self.words = words
    self.lastBytes = lastBytes
  }

  /// The bytes of a record on disk.
  package var storedBytes: Int { 8 * (words - 1) + lastBytes }
}
