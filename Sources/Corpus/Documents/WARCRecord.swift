/// A record of a WARC file (ISO 28500), as ranges of a block of bytes.
struct WARCRecord: Sendable {
  /// From the version line up to and including the empty line.
  let header: Range<Int>
  /// The part of its content that was read.
  let content: Range<Int>
  let state: State

  enum State: Sendable, Equatable {
    case whole
    /// `Content-Length` is missing or wrong, so the content extends to the next record.
    case measured
    /// The file, or its readable part, ends inside the record.
    case truncated
    /// The content, of this length, was skipped because it is too long, or long and not text.
    case skipped(Int)
  }
}
