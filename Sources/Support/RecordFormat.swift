/// The format of records: `words` unsigned 64-bit words each, ordered by the first word, then the next.
package struct RecordFormat: Sendable, Equatable {
  package let words: Int
  /// The bytes of the last word that are stored on disk; the higher ones must be zero.
  package let lastBytes: Int
  /// What the words mean, in at most eight ASCII characters: records of equal size and different kinds must not
  /// be taken for each other.
  package let kind: String

  package init(words: Int, lastBytes: Int = 8, kind: String = "") {
    precondition(words >= 1 && (1...8).contains(lastBytes) && kind.utf8.count <= 8)
    self.words = words
    self.lastBytes = lastBytes
    self.kind = kind
  }

  /// The bytes of a record on disk.
  package var storedBytes: Int { 8 * (words - 1) + lastBytes }

  /// The kind as a number: its characters, the first in the lowest byte.
  var kindCode: UInt64 { kind.utf8.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
