/// A record of a WARC file (ISO 28500) as it lies in a block of bytes.
struct WARCRecord: Sendable {
  /// From the version line to the empty line, that one included.
  let header: Range<Int>
  /// As much of its content as is there.
  let content: Range<Int>
  let state: State

  enum State: Sendable {
    case whole
    /// `Content-Length` is missing or wrong: the content reaches to the next record.
    case measured
    /// The file, or its readable part, ends inside.
    case truncated
    /// Of this length and left unread: too long, or long and without text.
    case passedOver(Int)
  }
}
