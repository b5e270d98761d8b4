import Support

/// The rank and the result of every merge, by its pair of ids: open addressing in slots of 16 bytes, at most
/// half full.
struct MergeTable: Sendable {
  /// No merge; larger than every entry of the table.
  static let none = UInt64.max

  fileprivate struct Slot {
    var key = UInt64.max
    var value = MergeTable.none
  }
  private var slots: [Slot]

  /// `ranks` has the rank of each merge, or is empty if that is its index.
  init(_ merges: ArraySlice<Tokenizer.Merge>, ranks: [UInt32] = []) {
    self.init(capacity: merges.count)
    for (index, merge) in merges.enumerated() {
      insert(merge, rank: ranks.isEmpty ? index : Int(ranks[index]))
    }
  }

  /// An empty table that can hold `capacity` merges.
  init(capacity: Int) {
    var size = 64
    while size < capacity * 2 { size *= 2 }
    slots = [Slot](repeating: Slot(), count: size)
  }

  /// A pair that is there already keeps its first rank.
  mutating func insert(_ merge: Tokenizer.Merge, rank: Int) {
    let key = UInt64(merge.left) << 32 | UInt64(merge.right)
    var index = Self.index(key, slots.count)
    while slots[index].key != .max && slots[index].key != key { index = (index + 1) & (slots.count - 1) }
    if slots[index].key == key { return }
    slots[index] = Slot(key: key, value: UInt64(rank) << 32 | UInt64(merge.result))
  }

  @inline(__always) private static func index(_ key: UInt64, _ capacity: Int) -> Int {
    return Int(truncatingIfNeeded: Hashing.fold(key)) & (capacity - 1)
  }

  func withView<Result>(_ body: (View) throws -> Result) rethrows -> Result {
    try slots.withUnsafeBufferPointer { try body(View(slots: $0.baseAddress!, mask: slots.count - 1)) }
  }

  /// The table without the checks of an array, valid in one scope.
  struct View {
    private let slots: UnsafePointer<Slot>
    private let mask: Int

    fileprivate init(slots: UnsafePointer<Slot>, mask: Int) {
      self.slots = slots
      self.mask = mask
    }

    /// `rank << 32 | result`, or ``MergeTable/none`` if the two do not merge.
    ///
    /// Comparing two such values compares the ranks.
    @inline(__always) func lookUp(_ left: UInt32, _ right: UInt32) -> UInt64 {
      let key = UInt64(left) << 32 | UInt64(right)
      var index = MergeTable.index(key, mask + 1)
      while true {
        let slot = slots[index]
        if slot.key == key { return slot.value }
        if slot.key == .max { return MergeTable.none }
        index = (index + 1) & mask
      }
    }
  }
}
