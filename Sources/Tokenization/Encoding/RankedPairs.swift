import CPreTokens
import Support

/// The making of the table of pairs that the kernels read: cuckoo hashing with places of two slots (Pagh and Rodler 2004).
enum PairNumbers {
  /// At most half full.
  static func make(capacity: Int) -> pkm_pairs {
    var bits = 5
    while 1 << bits < capacity { bits += 1 }
    return make(bits: bits)
  }

  private static func make(bits: Int) -> pkm_pairs {
    let slots = LargePages.allocate(UInt64.self, count: 2 << bits)
    slots.initialize(repeating: UInt64(PKM_NO_PAIR), count: 2 << bits)
    return pkm_pairs(slots: slots, shift: Int32(64 - bits))
  }

  /// A pair that is there already keeps its first number.
  static func insert(_ number: UInt32, for left: UInt32, _ right: UInt32, into pairs: inout pkm_pairs) {
    if pkm_pair_result(pairs, left, right) != PKM_NO_MERGE { return }
    insert(pkm_pair_key(left, right) << UInt64(PKM_PAIR_BITS) | UInt64(number), into: &pairs)
  }

  private static func insert(_ slot: UInt64, into pairs: inout pkm_pairs) {
    var slot = slot
    while !place(&slot, in: pairs) {
      let old = pairs
      let bits = 64 - Int(old.shift)
      pairs = make(bits: bits + 1)
      for index in 0..<(2 << bits) where old.slots[index] != PKM_NO_PAIR {
        insert(old.slots[index], into: &pairs)
      }
      old.slots.deallocate()
    }
  }

  /// Puts a slot where it belongs, moving others on if need be; false, with one that is left over, after too many moves.
  private static func place(_ slot: inout UInt64, in pairs: pkm_pairs) -> Bool {
    for move in 0..<128 {
      let key = slot >> UInt64(PKM_PAIR_BITS)
      let (one, other) = (2 * pkm_pair_place(pairs, key), 2 * pkm_pair_other_place(pairs, key))
      for index in [one, one + 1, other, other + 1] where pairs.slots[index] == PKM_NO_PAIR {
        pairs.slots[index] = slot
        return true
      }
      // Each of the four in turn, so that nothing goes back and forth.
      swap(&slot, &pairs.slots[(move & 1 == 0 ? one : other) + move >> 1 & 1])
    }
    return false
  }
}
