/// Where a document stands: a file by its number among the inputs, and a line counted from 1.
package struct DocumentLocation: Sendable, Equatable {
  /// 24 bits of file, 40 bits of line.
  fileprivate let packed: UInt64

  package init(source: Int, line: Int) {
    packed = UInt64(min(source, 0xff_ffff)) << 40 | UInt64(line) & 0xff_ffff_ffff
  }

  package var source: Int { Int(packed >> 40) }
  package var line: Int { Int(packed & 0xff_ffff_ffff) }

  fileprivate init(packed: UInt64) { self.packed = packed }
}

/// The set of documents met so far, by a hash of 128 bits: an open-addressing table in flat arrays, at most three
/// quarters full.
///
/// A document takes 21 to 43 bytes, or 32 to 64 with the place of its first occurrence.
package struct SeenDocuments {
  private var hashes: [UInt128]
  /// Parallel to `hashes`; empty when nobody asks for them.
  private var locations: [UInt64]
  package private(set) var count = 0

  package init(remembersLocations: Bool) {
    hashes = [UInt128](repeating: 0, count: 1 << 12)
    locations = [UInt64](repeating: 0, count: remembersLocations ? 1 << 12 : 0)
  }

  /// Whether the hash was new, and if not, where it was first seen (line 0 when locations are not remembered).
  package mutating func insert(_ hash: UInt128, at location: DocumentLocation) -> DocumentLocation? {
    if 4 * (count + 1) > 3 * hashes.count { grow() }
    // Zero marks a free slot.
    let hash = hash == 0 ? 1 : hash
    let slot = slot(of: hash)
    if hashes[slot] == hash { return DocumentLocation(packed: locations.isEmpty ? 0 : locations[slot]) }
    hashes[slot] = hash
    if !locations.isEmpty { locations[slot] = location.packed }
    count += 1
    return nil
  }

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
    let (oldHashes, oldLocations) = (hashes, locations)
    hashes = [UInt128](repeating: 0, count: 2 * oldHashes.count)
    locations = [UInt64](repeating: 0, count: 2 * oldLocations.count)
    for (index, hash) in oldHashes.enumerated() where hash != 0 {
      let slot = slot(of: hash)
      hashes[slot] = hash
      if !locations.isEmpty { locations[slot] = oldLocations[index] }
    }
  }
}
