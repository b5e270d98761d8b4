/// An item in the queue of an ``EncoderWorker``: a word, or what comes between two words.
///
/// A word waits here while its bucket of the ``WordCache`` is on its way from memory. Special tokens and ends
/// of documents pass through the queue as well, so that the order of the text is kept.
///
/// The top byte of the key tells the kind. A short word has its length there, 1 to 15. The other kinds have
/// values there that no key in a cache has, and a bucket in which no key is ever found; so the hot loop
/// compares keys and never asks for the kind.
struct PendingWord {
  enum Kind {
    /// 1 to 15 bytes, which are the key.
    case shortWord
    /// A word that is too long for a key, or that must not be cached.
    case longWord
    /// A token that does not come from the words of the text.
    case token
    case endOfDocument
  }

  let key: WordKey
  /// The first of the two entries of the cache that may hold the word.
  let bucket: UnsafeMutablePointer<WordCache.Entry>
  /// Where the word begins in the text; of the end of a document, that end.
  let start: Int

  private enum Tag {
    static var longWord: UInt64 { 0 }
    static var token: UInt64 { 0x10 << 56 }
    static var endOfDocument: UInt64 { 0x11 << 56 }
  }

  @inline(__always)
  static func shortWord(
    _ key: WordKey, bucket: UnsafeMutablePointer<WordCache.Entry>, start: Int
  ) -> PendingWord {
    PendingWord(key: key, bucket: bucket, start: start)
  }

  static func longWord(
    start: Int, length: Int, emptyBucket: UnsafeMutablePointer<WordCache.Entry>
  ) -> PendingWord {
    PendingWord(key: WordKey(low: UInt64(length), high: Tag.longWord), bucket: emptyBucket, start: start)
  }

  static func token(_ id: UInt32, emptyBucket: UnsafeMutablePointer<WordCache.Entry>) -> PendingWord {
    PendingWord(key: WordKey(low: UInt64(id), high: Tag.token), bucket: emptyBucket, start: 0)
  }

  /// `next` is where the next document begins.
  static func endOfDocument(
    at end: Int, next: Int, emptyBucket: UnsafeMutablePointer<WordCache.Entry>
  ) -> PendingWord {
    PendingWord(
      key: WordKey(low: UInt64(next), high: Tag.endOfDocument), bucket: emptyBucket, start: end)
  }

  @inline(__always) var kind: Kind {
    switch key.high {
    case Tag.longWord: .longWord
    case Tag.token: .token
    case Tag.endOfDocument: .endOfDocument
    default: .shortWord
    }
  }

  /// The bytes of a word.
  @inline(__always) var length: Int {
    key.high == Tag.longWord ? Int(truncatingIfNeeded: key.low) : key.length
  }

  /// The id of a ``Kind/token``.
  var token: UInt32 { UInt32(truncatingIfNeeded: key.low) }

  /// Behind an ``Kind/endOfDocument``.
  var nextDocument: Int { Int(truncatingIfNeeded: key.low) }
}
