/// A binary max-heap of pairs by count, with a ``TieBreak`` for equal counts.
///
/// Its counts may be too high; the trainer corrects an item when it reaches the top. swift-collections' `Heap` has no
/// comparison that knows the texts of the symbols, and each of its elements would have to carry them.
struct PairHeap {
  struct Item {
    var count: Int
    let key: UInt64
  }

  private let order: Order
  private var items: [Item] = []

  init(_ tieBreak: TieBreak, _ texts: TrainerSymbols) {
    order = Order(tieBreak: tieBreak, texts: texts)
  }

  private struct Order {
    let tieBreak: TieBreak
    let texts: TrainerSymbols

    @inline(__always) func isBefore(_ a: Item, _ b: Item) -> Bool {
      if a.count != b.count { return a.count > b.count }
      return tieBreak == .smallestIDs ? a.key < b.key : texts.isLarger(a.key, b.key)
    }
  }

  var top: Item? { items.first }
  var count: Int { items.count }

  /// Adds an item without order; ``arrange()`` must follow.
  mutating func append(_ item: Item) { items.append(item) }

  mutating func removeAll() { items.removeAll(keepingCapacity: true) }

  mutating func arrange() {
    for index in stride(from: items.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
  }

  mutating func push(_ item: Item) {
    items.append(item)
    let order = order
    items.withUnsafeMutableBufferPointer { items in
      var index = items.count - 1
      while index > 0 {
        let parent = (index - 1) / 2
        if !order.isBefore(item, items[parent]) { break }
        items[index] = items[parent]
        index = parent
      }
      items[index] = item
    }
  }

  mutating func replaceTop(count: Int) {
    items[0].count = count
    siftDown(0)
  }

  mutating func removeTop() {
    let last = items.removeLast()
    if !items.isEmpty {
      items[0] = last
      siftDown(0)
    }
  }

  private mutating func siftDown(_ start: Int) {
    let order = order
    items.withUnsafeMutableBufferPointer { items in
      let item = items[start]
      var index = start
      while true {
        var child = 2 * index + 1
        if child >= items.count { break }
        if child + 1 < items.count && order.isBefore(items[child + 1], items[child]) { child += 1 }
        if !order.isBefore(items[child], item) { break }
        items[index] = items[child]
        index = child
      }
      items[index] = item
    }
  }
}
