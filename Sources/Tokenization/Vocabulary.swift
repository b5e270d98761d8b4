import Foundation
import Support

/// Tokens by id, and ids by token.
///
/// An id without a token, which vocabularies of other programs can have, has no bytes.
package struct Vocabulary: Sendable {
  /// No id: what an encoder uses for a character without a token. It merges with nothing.
  static let missing = UInt32.max

  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  /// A hash table with open addressing, at most half full: id + 1, or 0 for a free slot. It has no empty
  /// tokens.
  private var slots = [UInt32](repeating: 0, count: 16)

  /// Token i of `tokens` has id i. Of equal tokens the first is found.
  package init(_ tokens: [[UInt8]]) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tokens.reduce(0) { $0 + $1.count })
    for token in tokens { bytes.append(contentsOf: token) }
    self.init(bytes: bytes, counts: tokens.map(\.count))
  }

  /// The same from tokens one after another, and their lengths.
  ///
  /// The ids in `last` are found only where no other token is equal.
  init(bytes: [UInt8], counts: [Int], last: Set<UInt32> = []) {
    self.bytes = bytes
    ends.reserveCapacity(counts.count)
    var end = 0
    for count in counts {
      end += count
      ends.append(end)
    }
    reserve(ends.count, last: last)
  }

  /// The id of a token, which is added if it is missing.
  mutating func insert(_ token: UnsafeBufferPointer<UInt8>) -> UInt32 {
    if let id = id(of: token) { return id }
    bytes.append(contentsOf: token)
    ends.append(bytes.count)
    if 2 * ends.count > slots.count {
      reserve(2 * ends.count)
    } else {
      slots[slot(of: token)] = UInt32(ends.count)
    }
    return UInt32(ends.count - 1)
  }

  /// Makes the hash table large enough for so many tokens, and enters those that exist.
  private mutating func reserve(_ tokenCount: Int, last: Set<UInt32> = []) {
    var capacity = 16
    while capacity < tokenCount * 2 { capacity *= 2 }
    slots = [UInt32](repeating: 0, count: capacity)
    bytes.withUnsafeBufferPointer { bytes in
      func enter(_ id: UInt32) {
        let token = UnsafeBufferPointer(rebasing: bytes[range(of: id)])
        if token.isEmpty { return }
        let slot = slot(of: token)
        if slots[slot] == 0 { slots[slot] = id + 1 }
      }
      for id in 0..<UInt32(ends.count) where !last.contains(id) { enter(id) }
      for id in last.sorted() { enter(id) }
    }
  }

  package var count: Int { ends.count }

  /// The range of a token in the bytes of ``withBytes(_:)``.
  @inline(__always) package func range(of id: UInt32) -> Range<Int> {
    (id == 0 ? 0 : ends[Int(id) - 1])..<ends[Int(id)]
  }

  package subscript(id: UInt32) -> [UInt8] { Array(bytes[range(of: id)]) }

  package func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBufferPointer(body)
  }

  package func id(of token: UnsafeBufferPointer<UInt8>) -> UInt32? {
    if token.isEmpty { return nil }
    let found = slots[slot(of: token)]
    return found == 0 ? nil : found - 1
  }

  package func id(of token: [UInt8]) -> UInt32? { token.withUnsafeBufferPointer { id(of: $0) } }

  /// The slot of the token, or the free slot where it can be entered.
  private func slot(of token: UnsafeBufferPointer<UInt8>) -> Int {
    var slot = Int(truncatingIfNeeded: Hashing.xxh3(UnsafeRawBufferPointer(token))) & (slots.count - 1)
    while slots[slot] != 0 {
      let range = range(of: slots[slot] - 1)
      let isSame =
        range.count == token.count
        && bytes.withUnsafeBufferPointer {
          memcmp($0.baseAddress! + range.lowerBound, token.baseAddress!, token.count) == 0
        }
      if isSame { return slot }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}
