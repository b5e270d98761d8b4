import Foundation

/// Text with marks where words are cut.
extension EncoderWorker {
  /// The text of pieces on its way.
  struct PieceWriter: ~Copyable {
    fileprivate var room = Room<UInt8>()
    fileprivate var written: UnsafeMutablePointer<UInt8>
    /// Where the line that is being written begins.
    fileprivate var line: UnsafeMutablePointer<UInt8>
    /// The first byte of the text that is not written yet.
    fileprivate var copied = 0
    fileprivate var keepsLineFeeds = false
    fileprivate(set) var pieces = 0
    fileprivate(set) var replacedLineFeeds = 0

    init() {
      written = room.start
      line = room.start
    }
  }

  /// Hands fastBPE's form of documents to `body`: their text with `@@ ` put in where a word is cut, a line each.
  ///
  /// With `keepsLineFeeds` those inside a document stay.
  func withPieceLines(
    of text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], seeds: ((Int) -> UInt64)?,
    keepsLineFeeds: Bool,
    _ body: (_ lines: UnsafeBufferPointer<UInt8>, _ pieces: Int, _ replacedLineFeeds: Int) -> Void
  ) {
    // A piece of every byte: the byte and the mark. Some more is written than is used.
    state.lines.room.reserve(documents.reduce(64) { $0 + 4 * $1.count + 1 })
    let start = state.lines.room.start
    (state.lines.written, state.lines.line) = (start, start)
    state.lines.copied = documents.first?.lowerBound ?? 0
    state.lines.keepsLineFeeds = keepsLineFeeds
    (state.lines.pieces, state.lines.replacedLineFeeds) = (0, 0)
    _ = run(text, documents: documents, terminator: nil, seeds: seeds)
    body(
      UnsafeBufferPointer(start: start, count: state.lines.written - start), state.lines.pieces,
      state.lines.replacedLineFeeds)
    state.lines.room.shrink()
    state.ids.shrink()
  }

  /// Writes words of the queue, of a text of which `readable` bytes from `base` on may be read.
  ///
  /// Text is copied up to a cut only when one comes, so that a word of one piece costs nothing but the look at it.
  @inline(never)
  static func takePieces(
    _ range: Range<Int>, _ tables: EncodingTables, _ state: inout State, _ base: UnsafePointer<UInt8>,
    readable: Int
  ) {
    var (copied, written) = (state.lines.copied, state.lines.written)
    func copy(to end: Int) {
      if end + chunk > readable {
        memcpy(written, base + copied, end - copied)
        written += end - copied
        copied = end
      }
      while copied < end {
        UnsafeMutableRawPointer(written).storeBytes(
          of: UnsafeRawPointer(base + copied).loadUnaligned(as: SIMD32<UInt8>.self), as: SIMD32<UInt8>.self)
        copied += chunk
        written += chunk
      }
      written -= copied - end
      copied = end
    }
    for index in range {
      let waiting = state.queue + (index & (Waiting.capacity - 1))
      let (key, places) = (waiting.pointee.key, waiting.pointee.places)
      let place = places + (places[0].key == key ? 0 : 1)
      let value = place.pointee.value
      let isFound = place.pointee.key == key
      var count = Int(value[0] >> 24)
      if isFound && count == 1 {
        state.lines.pieces &+= 1
        continue
      }
      if key.high == Waiting.end {
        copy(to: waiting.pointee.start)
        if !state.lines.keepsLineFeeds { replaceLineFeeds(&state.lines, written) }
        written.pointee = 0x0a
        written += 1
        state.lines.line = written
        copied = Int(key.low)
        continue
      }
      let length = key.high == 0 ? Int(key.low) : WordKey.maximumLength
      state.ids.reserve(length + 16)
      let ends = state.ids.start
      if isFound && count != 0 {
        UnsafeMutableRawPointer(ends).storeBytes(
          of: value & SIMD4(repeating: 0x00ff_ffff), as: SIMD4<UInt32>.self)
      } else {
        count = encode(waiting.pointee, isFound, tables, &state, base, ends)
      }
      state.lines.pieces &+= count
      for piece in 0..<(count - 1) {
        copy(to: waiting.pointee.start + Int(ends[piece]))
        UnsafeMutableRawPointer(written).storeBytes(of: continuation, as: UInt32.self)
        written += 3
      }
    }
    (state.lines.copied, state.lines.written) = (copied, written)
  }

  /// Bytes copied at a time.
  private static let chunk = 32

  /// `@@ `, and a byte that is overwritten.
  private static let continuation = UInt32(0x0020_4040)

  /// In the line that ends at `end`, so that it stays one.
  private static func replaceLineFeeds(_ lines: inout PieceWriter, _ end: UnsafeMutablePointer<UInt8>) {
    var next = memchr(lines.line, 0x0a, end - lines.line)
    while let found = next {
      found.storeBytes(of: 0x20, as: UInt8.self)
      lines.replacedLineFeeds += 1
      next = memchr(found, 0x0a, UnsafeMutableRawPointer(end) - found)
    }
  }
}
