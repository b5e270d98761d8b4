import Foundation

// Word mode: the text with marks where words are cut, in place of ids.

extension EncoderWorker {
  /// The text with marks as far as it is written.
  struct MarkedText: ~Copyable {
    fileprivate var buffer = ScratchBuffer<UInt8>()
    /// Where the next byte goes.
    fileprivate var next: UnsafeMutablePointer<UInt8>
    /// Where the line that is being written begins.
    fileprivate var line: UnsafeMutablePointer<UInt8>
    /// How many bytes of the text are copied.
    fileprivate var copied = 0
    fileprivate var keepsLineFeeds = false
    fileprivate(set) var subwordCount = 0
    fileprivate(set) var replacedLineFeeds = 0

    init() {
      next = buffer.start
      line = buffer.start
    }
  }

  /// Calls `body` with the documents in fastBPE's form, a line each: their text with `@@ ` inserted where a
  /// word is cut.
  ///
  /// With `keepsLineFeeds` line feeds inside a document stay; otherwise they become spaces.
  func withMarkedText(
    of text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], seeds: ((Int) -> UInt64)?,
    keepsLineFeeds: Bool,
    _ body: (_ lines: UnsafeBufferPointer<UInt8>, _ subwordCount: Int, _ replacedLineFeeds: Int) -> Void
  ) {
    // At most, every byte is a subword: the byte and the mark. Copying writes some bytes past the end.
    state.markedText.buffer.reserve(documents.reduce(64) { $0 + 4 * $1.count + 1 })
    let start = state.markedText.buffer.start
    (state.markedText.next, state.markedText.line) = (start, start)
    state.markedText.copied = documents.first?.lowerBound ?? 0
    state.markedText.keepsLineFeeds = keepsLineFeeds
    (state.markedText.subwordCount, state.markedText.replacedLineFeeds) = (0, 0)
    _ = state.run(text, documents: documents, terminator: nil, seeds: seeds)
    body(
      UnsafeBufferPointer(start: start, count: state.markedText.next - start),
      state.markedText.subwordCount, state.markedText.replacedLineFeeds)
    state.markedText.buffer.shrink()
    state.ids.shrink()
  }
}

extension EncoderWorker.State {
  /// Writes a range of the queue as text. `readable` bytes from `base` on may be read.
  ///
  /// The text is copied only when a word is cut, up to the cut; any other word costs no more than the look
  /// into the cache.
  @inline(never)
  mutating func drainMarkedText(_ range: Range<Int>, _ base: UnsafePointer<UInt8>, readable: Int) {
    var (copied, next) = (markedText.copied, markedText.next)
    func copy(to end: Int) {
      if end + Self.copyWidth > readable {
        memcpy(next, base + copied, end - copied)
        next += end - copied
        copied = end
      }
      while copied < end {
        UnsafeMutableRawPointer(next).storeBytes(
          of: UnsafeRawPointer(base + copied).loadUnaligned(as: SIMD32<UInt8>.self), as: SIMD32<UInt8>.self)
        copied += Self.copyWidth
        next += Self.copyWidth
      }
      next -= copied - end
      copied = end
    }
    for index in range {
      let item = queue + (index & (EncoderWorker.Queue.capacity - 1))
      let (key, bucket) = (item.pointee.key, item.pointee.bucket)
      let entry = bucket + (bucket[0].key == key ? 0 : 1)
      let isFound = entry.pointee.key == key
      let value = entry.pointee.value
      if isFound && value.count == 1 {
        markedText.subwordCount &+= 1
        continue
      }
      if item.pointee.kind == .endOfDocument {
        copy(to: item.pointee.start)
        if !markedText.keepsLineFeeds { markedText.replaceLineFeeds(before: next) }
        next.pointee = 0x0a
        next += 1
        markedText.line = next
        copied = item.pointee.nextDocument
        continue
      }
      ids.reserve(item.pointee.length + 16)
      let ends = ids.start
      var count = value.count
      if isFound && !value.isInLongWords {
        value.store(to: ends)
      } else {
        count = encodeWord(item.pointee, isInLongWords: isFound, base, into: ends)
      }
      markedText.subwordCount &+= count
      for subword in 0..<(count - 1) {
        copy(to: item.pointee.start + Int(ends[subword]))
        UnsafeMutableRawPointer(next).storeBytes(of: Self.mark, as: UInt32.self)
        next += 3
      }
    }
    (markedText.copied, markedText.next) = (copied, next)
  }

  private static var copyWidth: Int { 32 }

  /// `@@ `, and a byte that is overwritten.
  private static var mark: UInt32 { 0x0020_4040 }
}

extension EncoderWorker.MarkedText {
  /// Replaces the line feeds of the line that ends at `end`, so that the document stays one line.
  fileprivate mutating func replaceLineFeeds(before end: UnsafeMutablePointer<UInt8>) {
    var found = memchr(line, 0x0a, end - line)
    while let lineFeed = found {
      lineFeed.storeBytes(of: 0x20, as: UInt8.self)
      replacedLineFeeds += 1
      found = memchr(lineFeed, 0x0a, UnsafeMutableRawPointer(end) - lineFeed)
    }
  }
}
