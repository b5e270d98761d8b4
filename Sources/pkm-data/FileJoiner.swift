import Corpus
import Shards
import Support
import Tokenization

/// Ids of consecutive text, with what is counted of it.
private struct Segment: Sendable {
  let bytes: [UInt8]
  let unknown: Int
  let textBytes: Int
  let words: Int
  /// Whether the first and the last byte belong to words.
  let beginsInWord: Bool
  let endsInWord: Bool

  init(_ text: UnsafeBufferPointer<UInt8>, _ encoder: BPEEncoder, tokenBytes: Int) {
    let encoded = encoder.encodePacked(
      text, documents: [0..<text.count], terminator: nil, tokenBytes: tokenBytes)
    (bytes, unknown) = (encoded.bytes, encoded.unknown)
    let raw = UnsafeRawBufferPointer(text)
    textBytes = text.count
    words = Words.count(in: raw)
    beginsInWord = Words.count(in: UnsafeRawBufferPointer(rebasing: raw.prefix(1))) == 1
    endsInWord = Words.count(in: UnsafeRawBufferPointer(rebasing: raw.suffix(1))) == 1
  }
}

/// A piece of a file that is one document: encoded between the first and the last place where pre-tokens end whatever
/// surrounds the piece.
struct EncodedPiece: Sendable {
  fileprivate let source: DocumentSource
  fileprivate let head: [UInt8]
  fileprivate let middle: Segment?
  /// nil: there was no such place, and `head` is the whole piece.
  fileprivate let tail: [UInt8]?

  init(_ batch: DocumentBatch, _ range: Range<Int>, _ encoder: BPEEncoder, tokenBytes: Int) {
    source = batch.source
    (head, middle, tail) = batch.bytes.withUnsafeBufferPointer { bytes in
      let text = UnsafeBufferPointer(rebasing: bytes[range])
      guard let (first, last) = encoder.tokenizer.preTokenizer.safeCuts(in: text) else {
        return (Array(text), nil, nil)
      }
      let middle =
        first < last
        ? Segment(UnsafeBufferPointer(rebasing: text[first..<last]), encoder, tokenBytes: tokenBytes) : nil
      return (Array(text[..<first]), middle, Array(text[last...]))
    }
  }
}

/// Puts files together again that are one document each and were encoded in pieces by many threads.
///
/// The text between the last sure cut of a piece and the first of the next is encoded here. In memory are a few pieces, and
/// the ids of a file that may still fit into the shard begun by another.
struct FileJoiner {
  private let encoder: BPEEncoder
  private let writer: DatasetWriter
  private let endOfDocument: UInt32
  private let longestDocument: Int
  private let isStrict: Bool
  private(set) var counts = Summary()
  private(set) var pieces = 0

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
    counts.add("documents_in", 0)
  }

  /// Pieces come in the order of the text.
  mutating func join(_ piece: EncodedPiece) throws {
    pieces += 1
    if piece.source != source {
      try endFile()
      source = piece.source
    }
    seam.append(contentsOf: piece.head)
    guard let tail = piece.tail else { return }
    try endSeam()
    if let middle = piece.middle { try append(middle) }
    seam = tail
  }

  /// To be called before anything else is written, too.
  mutating func endFile() throws {
    guard let source else { return }
    try endSeam()
    if textBytes > longestDocument {
      let failure = Failure(
        .badInput, "a document of more than \(longestDocument) bytes, skipped", file: source.path, line: 1)
      if isStrict { throw failure }
      Log.warn(failure.description)
      counts.add("documents_too_long")
    } else {
      try writer.append(
        part: [endOfDocument].withUnsafeBufferPointer { PackedBatch.pack($0, tokenBytes: writer.tokenBytes) })
      try writer.endDocument(textBytes: textBytes, words: words)
      counts.add("documents_in")
      counts.add("text_bytes", textBytes)
      counts.add("words", words)
      if encoder.tokenizer.unknown != nil { counts.add("unknown_tokens", unknown) }
    }
    self.source = nil
    (unknown, textBytes, words, endsInWord) = (0, 0, 0, false)
  }

  private mutating func endSeam() throws {
    if seam.isEmpty { return }
    try append(seam.withUnsafeBufferPointer { Segment($0, encoder, tokenBytes: writer.tokenBytes) })
    seam = []
  }

  private mutating func append(_ segment: Segment) throws {
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
