import CPreTokens
import Support

/// Fills the table of pairs that the C kernels read: cuckoo hashing with buckets of two slots (Pagh and
/// Rodler, 2004).
enum RankedPairs {
  /// An empty table that `capacity` pairs fill at most half.
  static func make(capacity: Int) -> pkm_pair_table {
    var bits = 5
    while 1 << bits < capacity { bits += 1 }
    return make(bits: bits)
  }

  private static func make(bits: Int) -> pkm_pair_table {
    let slots = LargePages.allocate(UInt64.self, count: 2 << bits)
    slots.initialize(repeating: UInt64(PKM_EMPTY_SLOT), count: 2 << bits)
    return pkm_pair_table(slots: slots, shift: Int32(64 - bits))
  }

  /// Enters what a pair merges to; a pair that is there already keeps its first result.
  static func insert(
    _ result: UInt32, for left: UInt32, _ right: UInt32, into pairs: inout pkm_pair_table
  ) {
    if pkm_pair_result(pairs, left, right) != PKM_NO_MERGE { return }
    insert(pkm_pair_key(left, right) << UInt64(PKM_PAIR_BITS) | UInt64(result), into: &pairs)
  }

  private static func insert(_ slot: UInt64, into pairs: inout pkm_pair_table) {
    var slot = slot
    while !place(&slot, in: pairs) {
      let old = pairs
      let bits = 64 - Int(old.shift)
      pairs = make(bits: bits + 1)
      for index in 0..<(2 << bits) where old.slots[index] != PKM_EMPTY_SLOT {
        insert(old.slots[index], into: &pairs)
      }
      old.slots.deallocate()
    }
  }

  /// Puts a slot into one of its two buckets and moves others to their second bucket if need be.
  ///
  /// Returns false after too many moves; `slot` is then the one that is left over.
  private static func place(_ slot: inout UInt64, in pairs: pkm_pair_table) -> Bool {
    for move in 0..<128 {
      let key = slot >> UInt64(PKM_PAIR_BITS)
      let (first, second) = (2 * pkm_pair_bucket(pairs, key), 2 * pkm_pair_second_bucket(pairs, key))
      for index in [first, first + 1, second, second + 1] where pairs.slots[index] == PKM_EMPTY_SLOT {
        pairs.slots[index] = slot
        return true
      }
      // Each of the four in turn, so that no two slots displace each other forever.
      swap(&slot, &pairs.slots[(move & 1 == 0 ? first : second) + move >> 1 & 1])
    }
    return false
  }
}
