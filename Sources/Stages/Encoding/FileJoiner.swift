import Corpus
import Shards
import Support
import Tokenization

/// Joins files that are one document each and were encoded in spans by many threads.
///
/// It encodes the text between the last safe cut of a span and the first of the next. Memory holds a few spans, and the ids
/// of a file that may still fit into the shard that another file began.
struct FileJoiner {
  private let encoder: BPEEncoder
  private let writer: DatasetWriter
  private let endOfDocument: UInt32
  private let longestDocument: Int
  private let isStrict: Bool
  private(set) var counts = Summary()
  private(set) var spans = 0

  private var source: DocumentSource?
  /// The text from the last cut on.
  private var seam: [UInt8] = []
  private var unknown = 0
  private var textBytes = 0
  private var words = 0
  private var endsInWord = false

  init(_ encoder: BPEEncoder, _ writer: DatasetWriter, endOfDocument: UInt32, options: ReaderOptions) {
    (self.encoder, self.writer, self.endOfDocument) = (encoder, writer, endOfDocument)
    (longestDocument, isStrict) = (options.longestDocument, options.isStrict)
    counts.add(.documentsIn, 0)
  }

  /// Spans come in the order of the text.
  mutating func join(_ span: EncodedSpan) throws {
    spans += 1
    if span.source != source {
      try endFile()
      source = span.source
    }
    seam.append(contentsOf: span.head)
    guard let tail = span.tail else { return }
    try endSeam()
    if let middle = span.middle { try append(middle) }
    seam = tail
  }

  /// Ends the file, if one has begun; also to be called before other documents are written.
  mutating func endFile() throws {
    guard let source else { return }
    try endSeam()
    if textBytes > longestDocument {
      let failure = Failure(
        .badInput, "a document of more than \(longestDocument) bytes, skipped", file: source.path, line: 1)
      if isStrict { throw failure }
      Log.warn(failure.description)
      counts.add(.documentsTooLong)
    } else {
      try writer.append(
        part: [endOfDocument].withUnsafeBufferPointer { PackedBatch.pack($0, tokenBytes: writer.tokenBytes) })
      try writer.endDocument(textBytes: textBytes, words: words)
      counts.add(.documentsIn)
      counts.add(.textBytes, textBytes)
      counts.add(.words, words)
      if encoder.tokenizer.unknown != nil { counts.add(.unknownTokens, unknown) }
    }
    self.source = nil
    (unknown, textBytes, words, endsInWord) = (0, 0, 0, false)
  }

  private mutating func endSeam() throws {
    if seam.isEmpty { return }
    try append(
      seam.withUnsafeBufferPointer { EncodedSpan.Segment($0, encoder, tokenBytes: writer.tokenBytes) })
    seam = []
  }

  private mutating func append(_ segment: EncodedSpan.Segment) throws {
    let wasTooLong = textBytes > longestDocument
    unknown += segment.unknown
    textBytes += segment.textBytes
    // A cut may go through a word.
    words += segment.words - (endsInWord && segment.beginsInWord ? 1 : 0)
    endsInWord = segment.endsInWord
    if textBytes <= longestDocument {
      try writer.append(part: segment.bytes)
    } else if !wasTooLong {
      try writer.dropDocument()
    }
  }
}
