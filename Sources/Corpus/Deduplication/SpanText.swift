import Foundation
import Support

/// Documents in the form in which spans are compared, one after another, each followed by 0xff, which never
/// occurs in UTF-8.
///
/// For bytes this is the text itself, for words the words with one space between them, and for tokens the
/// ids, three bytes each, big-endian. Equal spans have equal bytes between unit boundaries.
package struct SpanText: Sendable {
  package private(set) var bytes: [UInt8] = []
  /// The end of each document in ``bytes``, after its 0xff.
  package private(set) var ends: [Int] = []
  /// The anchors of all windows: records of ``anchorFormat`` with positions in ``bytes``.
  package private(set) var anchors: [UInt64] = []

  static let separator: UInt8 = 0xff
  /// The length in bytes of the longest word.
  package static let longestWord = 4096
  /// The hash of the k-mer, the hash of the context, the position, and the bytes of context to its left
  /// (upper half) and right.
  static let anchorFormat = RecordFormat(words: 4, kind: "anchors")
  static let tokenBytes = 3

  /// `tokens` are the tokens of the batch, if they are the unit. `stretch` is the number of words processed
  /// at a time.
  package init(
    _ batch: DocumentBatch, _ options: SpanOptions, tokens: SpanTokens? = nil, stretch: Int = 1 << 20
  ) {
    bytes.reserveCapacity(batch.textBytes + batch.count + 16)
    batch.forEachDocument { index, text in
      switch options.unit {
      case .token:
        for id in tokens!.ids[tokens!.range(of: index)] {
          bytes.append(UInt8(truncatingIfNeeded: id >> 16))
          bytes.append(UInt8(truncatingIfNeeded: id >> 8))
          bytes.append(UInt8(truncatingIfNeeded: id))
        }
      case .byte: bytes.append(contentsOf: text)
      case .word:
        let first = bytes.count
        Self.forEachWord(of: text) { word in
          if bytes.count > first { bytes.append(0x20) }
          bytes.append(contentsOf: text[word])
        }
      }
      bytes.append(Self.separator)
      ends.append(bytes.count)
    }
    let minimizers = Minimizers(length: options.length)
    anchors = bytes.withUnsafeBytes { bytes in
      switch options.unit {
      case .byte: Self.anchors(bytes, ends, width: 1, minimizers, seed: options.seed)
      case .token: Self.anchors(bytes, ends, width: Self.tokenBytes, minimizers, seed: options.seed)
      case .word: Self.wordAnchors(bytes, ends, minimizers, stretch, seed: options.seed)
      }
    }
  }

  /// The anchors for units of `width` bytes each.
  private static func anchors(
    _ bytes: UnsafeRawBufferPointer, _ ends: [Int], width: Int, _ minimizers: Minimizers, seed: UInt64
  ) -> [UInt64] {
    var anchors: [UInt64] = []
    var start = 0
    for end in ends {
      let text = UnsafeRawBufferPointer(rebasing: bytes[start..<(end - 1)])
      let count = text.count / width
      func unit(_ index: Int) -> UInt64 {
        if width == 1 { return UInt64(text[index]) }
        let id = text[(index * width)..<((index + 1) * width)].reduce(0) { $0 << 8 | UInt64($1) }
        return RandomGenerator.mix(id &+ seed)
      }
      minimizers.forEachAnchor(count: count, unit: unit) { position, hash in
        let from = max(0, position - minimizers.w + 1)
        let to = min(count, position + minimizers.length)
        append(
          hash, from: start + from * width, at: start + position * width, to: start + to * width, of: bytes,
          seed: seed, to: &anchors)
      }
      start = end
    }
    return anchors
  }

  /// The anchors for words. Words are processed `stretch` at a time, so a long document takes little more
  /// memory than its text.
  private static func wordAnchors(
    _ bytes: UnsafeRawBufferPointer, _ ends: [Int], _ minimizers: Minimizers, _ stretch: Int, seed: UInt64
  ) -> [UInt64] {
    var anchors: [UInt64] = []
    let (w, length) = (minimizers.w, minimizers.length)
    var starts: [Int] = []
    var hashes: [UInt64] = []
    var next = 0
    for end in ends {
      starts.removeAll(keepingCapacity: true)
      hashes.removeAll(keepingCapacity: true)
      // The first window of the current words that was not processed yet, and the last anchor.
      var (firstWindow, lastAnchor) = (0, -1)
      while true {
        // One byte separates a word from the next word or from the end of the document.
        while starts.count < stretch + 3 * length, next < end - 1 {
          let space = memchr(bytes.baseAddress! + next, 0x20, end - 1 - next)
          let wordEnd = space.map { UnsafeRawPointer($0) - bytes.baseAddress! } ?? (end - 1)
          starts.append(next)
          hashes.append(
            Hashing.xxh3(UnsafeRawBufferPointer(rebasing: bytes[next..<wordEnd]), seed: seed))
          next = wordEnd + 1
        }
        let isEnd = next >= end - 1
        let count = starts.count
        // The words of the context of a window's anchor must be available.
        let endWindow = count - (isEnd ? length : 2 * length) + 1
        if endWindow > firstWindow {
          hashes.withUnsafeBufferPointer { hashes in
            let units = UnsafeBufferPointer(rebasing: hashes[firstWindow..<(endWindow + length - 1)])
            minimizers.forEachAnchor(count: units.count, unit: { units[$0] }) { offset, hash in
              let position = firstWindow + offset
              if position <= lastAnchor { return }
              lastAnchor = position
              let to = position + length
              append(
                hash, from: starts[max(0, position - w + 1)], at: starts[position],
                to: (to < count ? starts[to] : end) - 1, of: bytes, seed: seed, to: &anchors)
            }
          }
        }
        if isEnd { break }
        // Keep the words that precede the next window in a context.
        let gone = endWindow - w + 1
        starts.removeSubrange(..<gone)
        hashes.removeSubrange(..<gone)
        (firstWindow, lastAnchor) = (w - 1, lastAnchor - gone)
      }
      next = end
    }
    return anchors
  }

  @inline(__always)
  private static func append(
    _ hash: UInt64, from: Int, at position: Int, to: Int, of bytes: UnsafeRawBufferPointer, seed: UInt64,
    to anchors: inout [UInt64]
  ) {
    let extent = UInt64(position - from) << 32 | UInt64(to - position)
    let context = Hashing.xxh3(UnsafeRawBufferPointer(rebasing: bytes[from..<to]), seed: seed &+ extent)
    // The minimum of many hashes is small. Mixed once more, the values spread over the whole range.
    anchors.append(RandomGenerator.mix(hash))
    anchors.append(context)
    anchors.append(UInt64(position))
    anchors.append(extent)
  }

  /// The number of bytes of each document of a batch in ``bytes``.
  package static func lengths(of batch: DocumentBatch, unit: SpanUnit, tokens: SpanTokens? = nil) -> [Int] {
    var lengths: [Int] = []
    batch.forEachDocument { index, text in
      switch unit {
      case .byte: lengths.append(text.count + 1)
      case .token: lengths.append(tokens!.range(of: index).count * tokenBytes + 1)
      case .word:
        var length = 0
        forEachWord(of: text) { length += $0.count + 1 }
        lengths.append(max(length, 1))
      }
    }
    return lengths
  }

  /// Calls `body` with the range of each word of a text.
  @inline(__always)
  package static func forEachWord(of text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    @inline(__always) func isWhite(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 9 < 5 }
    var position = 0
    let count = text.count
    while true {
      while position < count && isWhite(base[position]) { position &+= 1 }
      if position == count { return }
      var start = position
      while position < count && !isWhite(base[position]) { position &+= 1 }
      while position - start > longestWord {
        var end = start + longestWord
        while end > start + 1 && base[end] & 0xc0 == 0x80 { end -= 1 }
        body(start..<end)
        start = end
      }
      body(start..<position)
    }
  }
}
