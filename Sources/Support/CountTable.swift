import Foundation

/// Counts of distinct byte strings, by open addressing with linear probing.
///
/// Keys of up to 15 bytes, nearly all words of a language, lie in the slots themselves: 16 bytes of key and length are
/// compared at once and nothing is followed. Longer keys lie in one arena. The order of ``forEachKey(_:)`` depends on the
/// order of insertion; who needs another sorts.
package struct CountTable: ~Copyable, @unchecked Sendable {
  private struct ShortSlot {
    var key = ShortKey.free
    var count = 0
  }
  private struct LongSlot {
    var hash: UInt64 = 0
    var offset = 0
    /// 0 in a free slot.
    var length = 0
    var count = 0
  }

  private var short: UnsafeMutableBufferPointer<ShortSlot>
  private var shortUsed = 0
  private var long: UnsafeMutableBufferPointer<LongSlot>
  private var longUsed = 0
  private var arena: UnsafeMutablePointer<UInt8>
  private var arenaCapacity = 1 << 12
  private var arenaUsed = 0

  package init() {
    short = .allocate(capacity: 1 << 10)
    short.initialize(repeating: ShortSlot())
    long = .allocate(capacity: 1 << 6)
    long.initialize(repeating: LongSlot())
    arena = .allocate(capacity: arenaCapacity)
  }

  deinit {
    short.deallocate()
    long.deallocate()
    arena.deallocate()
  }

  /// Distinct keys.
  package var distinct: Int { shortUsed + longUsed }

  /// Adds `count` occurrences of the key at `start`, which is not empty.
  ///
  /// `readable` bytes from `start` on may be read: 16 or more make it faster.
  package mutating func add(_ start: UnsafePointer<UInt8>, length: Int, readable: Int, count: Int = 1) {
    guard length <= ShortKey.maximumLength else {
      addLong(UnsafeRawBufferPointer(start: start, count: length), count: count)
      return
    }
    let key = ShortKey(start, length: length, readable: readable)
    var index = key.hash & (short.count - 1)
    while true {
      let slot = short.baseAddress! + index
      if slot.pointee.key == key {
        slot.pointee.count &+= count
        return
      }
      if slot.pointee.key.high == 0 {
        slot.pointee = ShortSlot(key: key, count: count)
        shortUsed += 1
        if shortUsed * 2 > short.count { growShort() }
        return
      }
      index = (index + 1) & (short.count - 1)
    }
  }

  package mutating func add(_ key: [UInt8], count: Int = 1) {
    precondition(!key.isEmpty)
    key.withUnsafeBufferPointer {
      add($0.baseAddress!, length: $0.count, readable: $0.count, count: count)
    }
  }

  package mutating func merge(_ other: borrowing CountTable) {
    other.forEachKey { add($0.baseAddress!, length: $0.count, readable: $0.count, count: $1) }
  }

  /// Each key with its count.
  ///
  /// The bytes are valid during the call only.
  package borrowing func forEachKey(_ body: (UnsafeBufferPointer<UInt8>, Int) -> Void) {
    for slot in short where slot.key != .free { slot.key.withBytes { body($0, slot.count) } }
    for slot in long where slot.length != 0 {
      body(UnsafeBufferPointer(start: arena + slot.offset, count: slot.length), slot.count)
    }
  }

  private mutating func growShort() {
    let larger = UnsafeMutableBufferPointer<ShortSlot>.allocate(capacity: short.count * 2)
    larger.initialize(repeating: ShortSlot())
    for slot in short where slot.key != .free {
      var index = slot.key.hash & (larger.count - 1)
      while larger[index].key != .free { index = (index + 1) & (larger.count - 1) }
      larger[index] = slot
    }
    short.deallocate()
    short = larger
  }

  private mutating func addLong(_ key: UnsafeRawBufferPointer, count: Int) {
    let hash = Hashing.xxh3(key)
    var index = Int(truncatingIfNeeded: hash) & (long.count - 1)
    while long[index].length != 0 {
      let slot = long[index]
      if slot.hash == hash && slot.length == key.count
        && memcmp(arena + slot.offset, key.baseAddress!, key.count) == 0
      {
        long[index].count &+= count
        return
      }
      index = (index + 1) & (long.count - 1)
    }
    if arenaUsed + key.count > arenaCapacity {
      arenaCapacity = max(arenaCapacity * 2, arenaUsed + key.count)
      let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: arenaCapacity)
      larger.update(from: arena, count: arenaUsed)
      arena.deallocate()
      arena = larger
    }
    memcpy(arena + arenaUsed, key.baseAddress!, key.count)
    long[index] = LongSlot(hash: hash, offset: arenaUsed, length: key.count, count: count)
    arenaUsed += key.count
    longUsed += 1
    if longUsed * 2 > long.count { growLong() }
  }

  private mutating func growLong() {
    let larger = UnsafeMutableBufferPointer<LongSlot>.allocate(capacity: long.count * 2)
    larger.initialize(repeating: LongSlot())
    for slot in long where slot.length != 0 {
      var index = Int(truncatingIfNeeded: slot.hash) & (larger.count - 1)
      while larger[index].length != 0 { index = (index + 1) & (larger.count - 1) }
      larger[index] = slot
    }
    long.deallocate()
    long = larger
  }
}
