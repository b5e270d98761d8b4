import CBytes
import Foundation

/// Counts of distinct byte strings, by open addressing with linear probing.
///
/// Keys of up to 15 bytes, which are nearly all words of a language, are stored in the slots: key and length
/// are compared as 16 bytes, without following a pointer. Longer keys are stored in one arena. The top bits
/// of a key's hash are its slot, so that tables of any size hold their keys in about the same order, and
/// growing and merging go through memory in order. The order of ``forEachKey(_:)`` depends on the order of
/// insertion; ``drainSorted(on:_:)`` sorts.
@usableFromInline package struct CountTable: ~Copyable, @unchecked Sendable {
  // The table alone owns its memory, and exclusive access guards a value that cannot be copied.

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
  /// A hash shifted right by this is the number of a slot.
  private var shift: UInt64
  private var shortUsed = 0
  private var long: UnsafeMutableBufferPointer<LongSlot>
  private var longUsed = 0
  private var arena: UnsafeMutablePointer<UInt8>
  private var arenaCapacity = 1 << 12
  private var arenaUsed = 0

  package init() {
    short = Self.freeSlots(1 << 10)
    shift = 64 - 10
    long = .allocate(capacity: 1 << 6)
    long.initialize(repeating: LongSlot())
    arena = .allocate(capacity: arenaCapacity)
  }

  deinit {
    short.deallocate()
    long.deallocate()
    arena.deallocate()
  }

  /// The number of distinct keys.
  package var distinct: Int { shortUsed + longUsed }

  /// The bytes of memory that the table takes.
  package var bytes: Int {
    short.count * MemoryLayout<ShortSlot>.stride + long.count * MemoryLayout<LongSlot>.stride + arenaCapacity
  }

  /// Whether the table will soon have to grow.
  package var isNearlyFull: Bool {
    shortUsed * 8 > short.count * 5 || longUsed * 3 > long.count || arenaUsed * 4 > arenaCapacity * 3
  }

  /// A range of a text: one key, not empty.
  @usableFromInline package struct Span {
    @usableFromInline package let start, end: Int

    @inlinable package init(start: Int, end: Int) {
      self.start = start
      self.end = end
    }
  }

  /// Adds one occurrence of each key in `spans`.
  ///
  /// All slots are prefetched before the first is used, so that the waits for memory overlap.
  package mutating func add(_ spans: UnsafeBufferPointer<Span>, of text: UnsafeBufferPointer<UInt8>) {
    guard let base = text.baseAddress else { return }
    withUnsafeTemporaryAllocation(of: ShortKey.self, capacity: spans.count) { keys in
      var found = 0
      for span in spans {
        let length = span.end &- span.start
        if length > ShortKey.maximumLength {
          addLong(UnsafeRawBufferPointer(start: base + span.start, count: length), count: 1)
          continue
        }
        let key = ShortKey(base + span.start, length: length, readable: text.count &- span.start)
        pkm_prefetch_for_writing(
          short.baseAddress! + Int(truncatingIfNeeded: UInt64(truncatingIfNeeded: key.hash) &>> shift))
        keys[found] = key
        found &+= 1
      }
      for index in 0..<found { add(keys[index], count: 1) }
    }
  }

  /// Adds `count` occurrences of the key at `start`, which must not be empty.
  ///
  /// `readable` bytes from `start` on may be read; 16 or more make it faster.
  package mutating func add(_ start: UnsafePointer<UInt8>, length: Int, readable: Int, count: Int = 1) {
    if length <= ShortKey.maximumLength {
      add(ShortKey(start, length: length, readable: readable), count: count)
    } else {
      addLong(UnsafeRawBufferPointer(start: start, count: length), count: count)
    }
  }

  @inline(__always)
  private mutating func add(_ key: ShortKey, count: Int) {
    let base = short.baseAddress!
    let mask = short.count &- 1
    var index = Int(truncatingIfNeeded: UInt64(truncatingIfNeeded: key.hash) &>> shift)
    while true {
      if base[index].key == key {
        base[index].count &+= count
        return
      }
      if base[index].key.high == 0 {
        insert(key, count: count, at: index)
        return
      }
      index = (index &+ 1) & mask
    }
  }

  package mutating func add(_ key: [UInt8], count: Int = 1) {
    precondition(!key.isEmpty)
    key.withUnsafeBufferPointer {
      add($0.baseAddress!, length: $0.count, readable: $0.count, count: count)
    }
  }

  package mutating func merge(_ other: borrowing CountTable) {
    for slot in other.short where slot.key != .free { add(slot.key, count: slot.count) }
    for slot in other.long where slot.length != 0 {
      addLong(UnsafeRawBufferPointer(start: other.arena + slot.offset, count: slot.length), count: slot.count)
    }
  }

  /// Calls `body` with each key and its count. The bytes are valid during the call only.
  package borrowing func forEachKey(_ body: (UnsafeBufferPointer<UInt8>, Int) throws -> Void) rethrows {
    for slot in short where slot.key != .free { try slot.key.withBytes { try body($0, slot.count) } }
    for slot in long where slot.length != 0 { try body(bytes(of: slot), slot.count) }
  }

  /// Calls `body` with each key and its count, in the order of the bytes, and empties the table, which keeps
  /// its capacity.
  ///
  /// Sorts the short keys on the threads of `pool`, which takes as much memory again as they do.
  package mutating func drainSorted(
    on pool: WorkerPool? = nil, _ body: (UnsafeBufferPointer<UInt8>, Int) throws -> Void
  ) rethrows {
    defer { removeAll() }
    let shorts = Self.gather(short) { $0.key != .free }
    Self.sort(shorts, pool)
    var longs = Self.gather(long) { $0.length != 0 }
    longs.sort { bytes(of: $0).precedes(bytes(of: $1)) }
    var next = 0
    for slot in longs {
      let key = bytes(of: slot)
      while next < shorts.count, shorts[next].key.withBytes({ $0.precedes(key) }) {
        try shorts[next].key.withBytes { try body($0, shorts[next].count) }
        next += 1
      }
      try body(key, slot.count)
    }
    for slot in shorts[next...] { try slot.key.withBytes { try body($0, slot.count) } }
  }

  private static func sort(_ slots: UnsafeMutableBufferPointer<ShortSlot>, _ pool: WorkerPool?) {
    guard slots.count > 1 else { return }
    // As records of three words: the bytes of a key, the first one on top, then its count, which does not
    // affect the order.
    func swapBytes() {
      for index in slots.indices {
        let key = slots[index].key
        slots[index].key = ShortKey(low: key.low.byteSwapped, high: key.high.byteSwapped)
      }
    }
    swapBytes()
    let words = MemoryLayout<ShortSlot>.stride / MemoryLayout<UInt64>.stride
    let scratch = UnsafeMutablePointer<UInt64>.allocate(capacity: slots.count * words)
    defer { scratch.deallocate() }
    slots.withMemoryRebound(to: UInt64.self) {
      RecordSort.sort(
        $0.baseAddress!, scratch: scratch, count: slots.count, format: RecordFormat(words: words), pool: pool)
    }
    swapBytes()
  }

  private func bytes(of slot: LongSlot) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: arena + slot.offset, count: slot.length)
  }

  /// The used slots, moved to the front.
  private static func gather<Slot>(_ slots: UnsafeMutableBufferPointer<Slot>, _ isUsed: (Slot) -> Bool)
    -> UnsafeMutableBufferPointer<Slot>
  {
    var kept = 0
    for index in slots.indices where isUsed(slots[index]) {
      slots[kept] = slots[index]
      kept += 1
    }
    return UnsafeMutableBufferPointer(rebasing: slots[..<kept])
  }

  private mutating func removeAll() {
    short.update(repeating: ShortSlot())
    long.update(repeating: LongSlot())
    (shortUsed, longUsed, arenaUsed) = (0, 0, 0)
  }

  private static func freeSlots(_ capacity: Int) -> UnsafeMutableBufferPointer<ShortSlot> {
    let slots = LargePages.allocate(ShortSlot.self, count: capacity)
    // Zero bytes are a free slot.
    memset(slots, 0, capacity * MemoryLayout<ShortSlot>.stride)
    return UnsafeMutableBufferPointer(start: slots, count: capacity)
  }

  /// Puts a new key into the free slot `index`.
  @inline(never) private mutating func insert(_ key: ShortKey, count: Int, at index: Int) {
    short[index] = ShortSlot(key: key, count: count)
    shortUsed += 1
    // Keys that arrive in the order of their hashes crowd one part of the table long before it is full.
    let home = Int(truncatingIfNeeded: UInt64(truncatingIfNeeded: key.hash) &>> shift)
    let isCrowded = (index - home) & (short.count - 1) > 128 && shortUsed * 4 > short.count
    if shortUsed * 4 > short.count * 3 || isCrowded { growShort() }
  }

  private mutating func growShort() {
    let old = short
    short = Self.freeSlots(old.count * 2)
    shift -= 1
    let (slots, mask, shift) = (short.baseAddress!, short.count - 1, shift)
    for slot in old where slot.key != .free {
      var index = Int(truncatingIfNeeded: UInt64(truncatingIfNeeded: slot.key.hash) &>> shift)
      while slots[index].key != .free { index = (index + 1) & mask }
      slots[index] = slot
    }
    old.deallocate()
  }

  @inline(never) private mutating func addLong(_ key: UnsafeRawBufferPointer, count: Int) {
    let hash = Hashing.xxh3(key)
    var index = longIndex(hash)
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

  private func longIndex(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash &>> UInt64(truncatingIfNeeded: long.count.leadingZeroBitCount + 1))
  }

  private mutating func growLong() {
    let old = long
    long = .allocate(capacity: old.count * 2)
    long.initialize(repeating: LongSlot())
    for slot in old where slot.length != 0 {
      var index = longIndex(slot.hash)
      while long[index].length != 0 { index = (index + 1) & (long.count - 1) }
      long[index] = slot
    }
    old.deallocate()
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these bytes come before others, shorter ones before their continuations.
  package func precedes(_ other: UnsafeBufferPointer<UInt8>) -> Bool {
    let order =
      isEmpty || other.isEmpty ? 0 : memcmp(baseAddress!, other.baseAddress!, Swift.min(count, other.count))
    return order != 0 ? order < 0 : count < other.count
  }
}
