import Foundation
import Support

/// Tokens by id and ids by token.
///
/// Ids that stand for nothing, which foreign vocabularies have, hold no bytes.
package struct Vocabulary: Sendable {
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  /// Open addressing: id + 1, or 0.
  ///
  /// Empty tokens are not in it.
  private var slots: [UInt32] = []

  /// Token i of `tokens` has id i.
  ///
  /// Of equal tokens the first is the one that is found.
  package init(_ tokens: [[UInt8]]) {
    bytes.reserveCapacity(tokens.reduce(0) { $0 + $1.count })
    ends.reserveCapacity(tokens.count)
    for token in tokens {
      bytes.append(contentsOf: token)
      ends.append(bytes.count)
    }
    var capacity = 16
    while capacity < tokens.count * 2 { capacity *= 2 }
    slots = [UInt32](repeating: 0, count: capacity)
    for id in 0..<tokens.count {
      let token = tokens[id]
      if token.isEmpty { continue }
      token.withUnsafeBufferPointer {
        let slot = slot(of: $0)
        if slots[slot] == 0 { slots[slot] = UInt32(id) + 1 }
      }
    }
  }

  package var count: Int { ends.count }

  /// Where the token's bytes lie in ``withBytes(_:)``.
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

  /// The slot that holds the token, or the free one where it belongs.
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
