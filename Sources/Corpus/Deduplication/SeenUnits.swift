import Foundation
import Support

/// The set of all units met so far, with how often each came again.
///
/// Open addressing in flat arrays, at most three quarters full: 16 to 32 bytes a unit, 27 to 54 with the places of first
/// occurrences. The slots are salted anew in every process, which changes no result, so that no text can be made to fill
/// one run of them.
struct SeenUnits {
  private var hashes: [UInt64]
  private var repeats: [UInt32]
  /// Parallel to `hashes`; empty when nobody asks for them.
  private var locations: [UInt64]
  private(set) var count = 0
  private let salt = UInt64.random(in: .min ... .max) | 1
  private var shift: UInt64
  private let slotLimit: Int

  private static let firstBits = 14

  /// `memory` in bytes is kept, but for what comes after ``isFull``.
  init(remembersLocations: Bool, memory: Int) {
    let capacity = 1 << Self.firstBits
    hashes = [UInt64](repeating: 0, count: capacity)
    repeats = [UInt32](repeating: 0, count: capacity)
    locations = [UInt64](repeating: 0, count: remembersLocations ? capacity : 0)
    shift = 64 - UInt64(Self.firstBits)
    // While the table grows, the old one is still there.
    let most = max(capacity, memory / (remembersLocations ? 30 : 18))
    slotLimit = 1 << (Int.bitWidth - 1 - most.leadingZeroBitCount)
  }

  var remembersLocations: Bool { !locations.isEmpty }

  /// Whether a batch of ordinary size may go over the memory that was given.
  var isFull: Bool { hashes.count >= slotLimit && count > hashes.count / 8 * 5 }

  /// nil for a unit that is new; else where it was first seen (line 0 where that is not remembered).
  @inline(__always)
  mutating func insert(_ hash: UInt64, at location: DocumentLocation) -> DocumentLocation? {
    if 4 * (count + 1) > 3 * hashes.count { grow() }
    let hash = Self.nonzero(hash)
    let slot = slot(of: hash)
    if hashes[slot] == hash { return found(at: slot) }
    hashes[slot] = hash
    if !locations.isEmpty { locations[slot] = location.packed }
    count += 1
    return nil
  }

  /// The same without remembering a unit that is new.
  mutating func find(_ hash: UInt64) -> DocumentLocation? {
    let slot = slot(of: Self.nonzero(hash))
    return hashes[slot] == 0 ? nil : found(at: slot)
  }

  func contains(_ hash: UInt64) -> Bool { hashes[slot(of: Self.nonzero(hash))] != 0 }

  /// How often a unit came again; nil for one that is not in the set.
  func repeats(of hash: UInt64) -> Int? {
    let slot = slot(of: Self.nonzero(hash))
    return hashes[slot] == 0 ? nil : Int(repeats[slot])
  }

  private mutating func found(at slot: Int) -> DocumentLocation {
    if repeats[slot] < .max { repeats[slot] += 1 }
    return DocumentLocation(packed: locations.isEmpty ? 0 : locations[slot])
  }

  /// Zero marks a free slot.
  private static func nonzero(_ hash: UInt64) -> UInt64 { hash == 0 ? 1 : hash }

  @inline(__always)
  private func slot(of hash: UInt64) -> Int {
    hashes.withUnsafeBufferPointer { hashes in
      let mask = hashes.count &- 1
      var slot = Int(truncatingIfNeeded: (hash &* salt) >> shift)
      while hashes[slot] != 0 && hashes[slot] != hash { slot = (slot &+ 1) & mask }
      return slot
    }
  }

  private mutating func grow() {
    let (oldHashes, oldRepeats, oldLocations) = (hashes, repeats, locations)
    shift -= 1
    hashes = [UInt64](repeating: 0, count: 2 * oldHashes.count)
    repeats = [UInt32](repeating: 0, count: 2 * oldHashes.count)
    locations = [UInt64](repeating: 0, count: 2 * oldLocations.count)
    for (index, hash) in oldHashes.enumerated() where hash != 0 {
      let slot = slot(of: hash)
      hashes[slot] = hash
      repeats[slot] = oldRepeats[index]
      if !locations.isEmpty { locations[slot] = oldLocations[index] }
    }
  }
}
