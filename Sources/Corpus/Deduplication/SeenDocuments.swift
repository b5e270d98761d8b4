/// Where a document stands: a file by its number among the inputs, and a line counted from 1.
package struct DocumentLocation: Sendable, Equatable {
  /// 24 bits of file, 40 bits of line: ascending in the order of the input.
  package let packed: UInt64

  package init(source: Int, line: Int) {
    packed = UInt64(min(source, 0xff_ffff)) << 40 | UInt64(line) & 0xff_ffff_ffff
  }

  package var source: Int { Int(packed >> 40) }
  package var line: Int { Int(packed & 0xff_ffff_ffff) }

  package init(packed: UInt64) { self.packed = packed }
}

/// The set of documents met so far, by a hash of 128 bits: an open-addressing table in flat arrays, at most three
/// quarters full, with the number of times that each was met.
///
/// A document takes 27 to 53 bytes, or 37 to 75 with the place of its first occurrence.
package struct SeenDocuments {
  private var hashes: [UInt128]
  private var copies: [UInt32]
  /// Parallel to `hashes`; empty when nobody asks for them.
  private var locations: [UInt64]
  private let slotLimit: Int
  package private(set) var count = 0

  /// `memory` in bytes is kept, but for what comes after ``isFull``.
  package init(remembersLocations: Bool, memory: Int = .max) {
    hashes = [UInt128](repeating: 0, count: 1 << 12)
    copies = [UInt32](repeating: 0, count: 1 << 12)
    locations = [UInt64](repeating: 0, count: remembersLocations ? 1 << 12 : 0)
    // While the table grows, the old one is still there.
    let most = max(1 << 12, memory / (remembersLocations ? 42 : 30))
    slotLimit = 1 << (Int.bitWidth - 1 - most.leadingZeroBitCount)
  }

  /// Whether the largest table that was allowed is half full: another batch will fit, and no more.
  package var isFull: Bool { count >= slotLimit / 2 }

  /// Whether the hash was new, and if not, where it was first seen (line 0 when locations are not remembered).
  package mutating func insert(_ hash: UInt128, at location: DocumentLocation) -> DocumentLocation? {
    let isCrowded = 4 * (count + 1) > 3 * hashes.count
    if isCrowded && (hashes.count < slotLimit || 16 * (count + 1) > 15 * hashes.count) { grow() }
    let hash = Self.nonzero(hash)
    let slot = slot(of: hash)
    copies[slot] &+= 1
    if hashes[slot] == hash { return DocumentLocation(packed: locations.isEmpty ? 0 : locations[slot]) }
    hashes[slot] = hash
    if !locations.isEmpty { locations[slot] = location.packed }
    count += 1
    return nil
  }

  /// Counts one more copy of a document that is in the set and returns where it was first seen; nil for any other.
  package mutating func find(_ hash: UInt128) -> DocumentLocation? {
    let slot = slot(of: Self.nonzero(hash))
    guard hashes[slot] != 0 else { return nil }
    copies[slot] &+= 1
    return DocumentLocation(packed: locations.isEmpty ? 0 : locations[slot])
  }

  package func contains(_ hash: UInt128) -> Bool { hashes[slot(of: Self.nonzero(hash))] != 0 }

  /// Calls `body` with the number of copies of each document that has more than one.
  package func forEachCluster(_ body: (Int) -> Void) {
    for count in copies where count > 1 { body(Int(count)) }
  }

  /// Zero marks a free slot.
  private static func nonzero(_ hash: UInt128) -> UInt128 { hash == 0 ? 1 : hash }

  /// The slot that holds the hash, or the free one where it belongs.
  ///
  /// The low bits are as good as a hash of it.
  private func slot(of hash: UInt128) -> Int {
    let mask = hashes.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while hashes[slot] != 0 && hashes[slot] != hash { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    let (oldHashes, oldCopies, oldLocations) = (hashes, copies, locations)
    hashes = [UInt128](repeating: 0, count: 2 * oldHashes.count)
    copies = [UInt32](repeating: 0, count: 2 * oldHashes.count)
    locations = [UInt64](repeating: 0, count: 2 * oldLocations.count)
    for (index, hash) in oldHashes.enumerated() where hash != 0 {
      let slot = slot(of: hash)
      hashes[slot] = hash
      copies[slot] = oldCopies[index]
      if !locations.isEmpty { locations[slot] = oldLocations[index] }
    }
  }
}
