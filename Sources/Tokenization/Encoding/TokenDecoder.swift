import Foundation
import Support

/// Turns ids into text, by copying 16 bytes for each id.
///
/// Byte-level ids give exactly the bytes that were encoded. Word mode gives words with one space between
/// them, since ids do not contain the spacing of the text, and ``Tokenizer/unknownToken`` for an unknown
/// character. Special tokens are left out unless `keepsSpecialTokens` is set.
package final class TokenDecoder: @unchecked Sendable {
  // Written by `init` only.
  private let tokenizer: Tokenizer
  private let count: Int
  /// The text of each id: up to 15 bytes, with their number in the last byte, or ``isLong`` there.
  private let slots: UnsafeMutablePointer<SIMD16<UInt8>>
  /// The texts that are longer.
  private let long: [UInt32: [UInt8]]
  /// The id that becomes a line feed.
  private let lineEnd: UInt32?
  private let ends: TextEnds
  private let keepsSpecialTokens: Bool

  private static let isLong: UInt8 = 255

  /// The id `endOfDocument` becomes a line feed.
  package init(_ tokenizer: Tokenizer, keepsSpecialTokens: Bool = false, endOfDocument: UInt32? = nil) {
    self.tokenizer = tokenizer
    count = tokenizer.vocabulary.count
    lineEnd = endOfDocument
    ends = TextEnds(tokenizer)
    self.keepsSpecialTokens = keepsSpecialTokens
    slots = .allocate(capacity: max(count, 1))
    var long: [UInt32: [UInt8]] = [:]
    for id in 0..<UInt32(count) {
      var text = tokenizer.text(of: id, keepsSpecialTokens: keepsSpecialTokens)
      if id == endOfDocument { text = [0x0a] }
      var slot = SIMD16<UInt8>()
      if text.count > 15 || id == endOfDocument && tokenizer.mode == .word {
        long[id] = text
        slot[15] = Self.isLong
      } else {
        for (index, byte) in text.enumerated() { slot[index] = byte }
        slot[15] = UInt8(text.count)
      }
      (slots + Int(id)).initialize(to: slot)
    }
    self.long = long
  }

  deinit { slots.deallocate() }

  /// Appends the text of ids. Throws for an id outside the vocabulary.
  package func append(_ ids: UnsafeBufferPointer<UInt16>, to text: inout ByteBuffer) throws {
    try appendText(of: ids, to: &text)
  }

  package func append(_ ids: UnsafeBufferPointer<UInt32>, to text: inout ByteBuffer) throws {
    try appendText(of: ids, to: &text)
  }

  /// Private, because other modules would call it without specialization for the type of the ids.
  private func appendText<ID: FixedWidthInteger & UnsignedInteger>(
    of ids: UnsafeBufferPointer<ID>, to text: inout ByteBuffer
  ) throws {
    var next = 0
    while next < ids.count {
      let end = min(next + 4096, ids.count)
      text.reserve(16 * (end - next))
      let start = text.bytes + text.count
      var output = UnsafeMutableRawPointer(start)
      while next < end {
        let id = Int(truncatingIfNeeded: ids[next])
        guard id < count else { throw tokenizer.unknownID(UInt64(ids[next]), at: next) }
        let slot = slots[id]
        let length = slot[15]
        if length == Self.isLong { break }
        output.storeBytes(of: slot, as: SIMD16<UInt8>.self)
        output += Int(length)
        next &+= 1
      }
      text.count += output - UnsafeMutableRawPointer(start)
      if next < end {
        let id = UInt32(truncatingIfNeeded: ids[next])
        if id == lineEnd { removeFinalSpace(&text) }
        text.append(long[id]!)
        next += 1
      }
    }
  }

  /// Whether a document must be decoded by ``appendDocument(_:to:)``, because its ends differ.
  package var needsDocuments: Bool { ends.needsDocuments }

  /// Appends the text of the ids of one document.
  package func appendDocument(_ ids: UnsafeBufferPointer<UInt32>, to text: inout ByteBuffer) throws {
    let start = text.count
    guard ends.needsDocuments else {
      try append(ids, to: &text)
      return removeFinalSpace(&text, from: start)
    }
    let first =
      ids.firstIndex { keepsSpecialTokens || !(tokenizer.addedToken($0)?.isSpecial ?? false) } ?? ids.count
    if first < ids.count {
      guard ids[first] < UInt32(count) else { throw tokenizer.unknownID(UInt64(ids[first]), at: first) }
      text.append(ends.first(tokenizer.text(of: ids[first], keepsSpecialTokens: keepsSpecialTokens)))
      try append(UnsafeBufferPointer(rebasing: ids[(first + 1)...]), to: &text)
    }
    let kept = ends.kept(of: UnsafeBufferPointer(start: text.bytes + start, count: text.count - start))
    if kept.lowerBound > 0 {
      memmove(text.bytes + start, text.bytes + start + kept.lowerBound, kept.count)
    }
    text.count = start + kept.count
  }

  /// Word mode: removes the space after the last word of the document that begins at `start` in the text.
  package func removeFinalSpace(_ text: inout ByteBuffer, from start: Int = 0) {
    if tokenizer.mode == .word && text.count > start && text.bytes[text.count - 1] == 0x20 { text.count -= 1 }
  }
}
