/// The sizes of a product-key memory.
package struct MemoryShape: Sendable {
  package let heads: Int
  /// n: sub-keys in each half; there are n² slots.
  package let subkeys: Int
  package let topk: Int
  /// Per head, both halves together.
  package let queryDimension: Int

  package init(heads: Int, subkeys: Int, topk: Int, queryDimension: Int) {
    self.heads = heads
    self.subkeys = subkeys
    self.topk = topk
    self.queryDimension = queryDimension
  }

  package var slots: Int { subkeys * subkeys }
  package var reads: Int { heads * topk }
  package var half: Int { queryDimension / 2 }
}
