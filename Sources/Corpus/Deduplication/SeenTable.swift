import CBytes
import Foundation
import Support

/// The set of all hashes seen so far, with the number of repeats of each and, optionally, its first
/// occurrence.
///
/// It is an open-addressing table in one array, mapped in large pages and at most three quarters full. A hash
/// of 64 bits takes 16 to 32 bytes, or 27 to 54 with its location; a hash of 128 bits 27 to 53, or 37 to 75.
/// A lookup reads one cache line. A caller that knows its next lookups can hide the memory latency with
/// ``prefetch(_:)``.
///
/// The hashes are salted in every process, so that no text can be crafted to fill one run of slots. The salt
/// does not change any result.
package struct SeenTable: ~Copyable {
  /// The entry of a hash.
  package struct Entry: Equatable {
    /// The number of occurrences after the first.
    package let repeats: Int
    /// The first occurrence; line 0 if locations are not remembered.
    package let first: DocumentLocation
  }

  /// A slot holds the lower half of the hash (zero in an empty slot), four bytes of repeats, the upper half
  /// of a wide hash, and the location of the first occurrence.
  private var slots: UnsafeMutableRawPointer
  private var slotBits: Int
  private let slotLimit: Int
  package private(set) var count = 0
  private let salt = UInt64.random(in: .min ... .max) | 1
  private let isWide: Bool
  package let remembersLocations: Bool
  private let stride: Int

  private static let repeatsOffset = 8, highOffset = 12
  private var locationOffset: Int { isWide ? 20 : 12 }

  private static let firstBits = 12

  /// `isWide` means hashes of 128 bits. `memory`, in bytes, is exceeded only by insertions after ``isFull``.
  package init(isWide: Bool, remembersLocations: Bool, memory: Int = .max) throws {
    (self.isWide, self.remembersLocations) = (isWide, remembersLocations)
    stride = 12 + (isWide ? 8 : 0) + (remembersLocations ? 8 : 0)
    // While the table grows, both the old and the new one exist.
    let most = max(1 << Self.firstBits, memory / (stride * 3 / 2))
    slotLimit = 1 << (Int.bitWidth - 1 - most.leadingZeroBitCount)
    slotBits = Self.firstBits
    slots = try Self.map(stride << Self.firstBits)
  }

  deinit { munmap(slots, stride << slotBits) }

  /// Whether the largest allowed table has space for just one more batch.
  package var isFull: Bool { 1 << slotBits >= slotLimit && count > (1 << slotBits) / 8 * 5 }

  @inline(__always)
  package func prefetch(_ low: UInt64) {
    pkm_prefetch_for_writing(slots + firstSlot(Self.nonzero(low)) * stride)
  }

  /// Counts one more occurrence of a hash; nil if it is new. `high` is ignored unless hashes are wide.
  @inline(__always)
  package mutating func insert(_ low: UInt64, _ high: UInt64 = 0, at location: DocumentLocation) throws
    -> Entry?
  {
    if 4 * (count + 1) > 3 << slotBits { try grow() }
    let (slot, isTaken) = slot(of: low, high)
    if isTaken { return noteRepeat(slot) }
    slot.storeBytes(of: Self.nonzero(low), as: UInt64.self)
    if isWide { slot.storeBytes(of: high, toByteOffset: Self.highOffset, as: UInt64.self) }
    if remembersLocations {
      slot.storeBytes(of: location.packed, toByteOffset: locationOffset, as: UInt64.self)
    }
    count += 1
    return nil
  }

  /// Like ``insert(_:_:at:)``, but does not insert a new hash.
  package mutating func find(_ low: UInt64, _ high: UInt64 = 0) -> Entry? {
    let (slot, isTaken) = slot(of: low, high)
    return isTaken ? noteRepeat(slot) : nil
  }

  package func contains(_ low: UInt64, _ high: UInt64 = 0) -> Bool { slot(of: low, high).isTaken }

  /// Calls `body` with the number of repeats of each hash that occurred more than once.
  package func forEachRepeated(_ body: (Int) -> Void) {
    for index in 0..<(1 << slotBits) {
      let repeats = (slots + index * stride + Self.repeatsOffset).loadUnaligned(as: UInt32.self)
      if repeats > 0 { body(Int(repeats)) }
    }
  }

  @inline(__always)
  private mutating func noteRepeat(_ slot: UnsafeMutableRawPointer) -> Entry {
    var repeats = slot.loadUnaligned(fromByteOffset: Self.repeatsOffset, as: UInt32.self)
    if repeats < .max { repeats += 1 }
    slot.storeBytes(of: repeats, toByteOffset: Self.repeatsOffset, as: UInt32.self)
    let location =
      remembersLocations ? slot.loadUnaligned(fromByteOffset: locationOffset, as: UInt64.self) : 0
    return Entry(repeats: Int(repeats), first: DocumentLocation(packed: location))
  }

  /// Zero marks an empty slot.
  @inline(__always)
  private static func nonzero(_ low: UInt64) -> UInt64 { low == 0 ? 1 : low }

  /// The slot is taken from the high bits of a product. Entries keep their order in a larger table, so
  /// growing the table reads and writes sequentially.
  @inline(__always)
  private func firstSlot(_ low: UInt64) -> Int {
    Int(truncatingIfNeeded: (low &* salt) >> UInt64(truncatingIfNeeded: 64 &- slotBits))
  }

  /// The slot that holds the hash, or the empty slot where it belongs.
  @inline(__always)
  private func slot(of low: UInt64, _ high: UInt64) -> (UnsafeMutableRawPointer, isTaken: Bool) {
    let low = Self.nonzero(low)
    var index = firstSlot(low)
    while true {
      let slot = slots + index &* stride
      let found = slot.loadUnaligned(as: UInt64.self)
      if found == 0 { return (slot, false) }
      if found == low
        && (!isWide || slot.loadUnaligned(fromByteOffset: Self.highOffset, as: UInt64.self) == high)
      {
        return (slot, true)
      }
      index = (index &+ 1) & (1 &<< slotBits &- 1)
    }
  }

  /// Called when the table is three quarters full. Doubles it, or lets the largest allowed table fill up a
  /// little more.
  @inline(never)
  private mutating func grow() throws {
    if 1 << slotBits >= slotLimit && 16 * (count + 1) <= 15 << slotBits { return }
    let (old, oldCount) = (slots, 1 << slotBits)
    slots = try Self.map(stride << (slotBits + 1))
    slotBits += 1
    for index in 0..<oldCount {
      let entry = old + index * stride
      let low = entry.loadUnaligned(as: UInt64.self)
      if low == 0 { continue }
      let high = isWide ? entry.loadUnaligned(fromByteOffset: Self.highOffset, as: UInt64.self) : 0
      slot(of: low, high).0.copyMemory(from: entry, byteCount: stride)
    }
    munmap(old, stride * oldCount)
  }

  /// Maps memory filled with zeros.
  private static func map(_ bytes: Int) throws -> UnsafeMutableRawPointer {
    let address = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED else {
      throw Failure(
        .failed, "not enough memory for a table of \(bytes >> 20) MB", remedy: "Run again with less --memory")
    }
    LargePages.advise(UnsafeMutableRawBufferPointer(start: address, count: bytes))
    return address
  }
}
