import Foundation

/// A binary max-heap of pairs by count, equal counts by the trainer's tie rule.
///
/// Its counts may be too high; the trainer corrects an item when it comes to the top.
struct PairHeap {
  struct Item {
    var count: Int
    let key: UInt64
  }

  private let order: Order
  private var items: [Item] = []

  init(_ tieBreak: BPETrainer.TieBreak, _ texts: SymbolTexts) {
    order = Order(tieBreak: tieBreak, texts: texts)
  }

  private struct Order {
    let tieBreak: BPETrainer.TieBreak
    let texts: SymbolTexts

    @inline(__always) func isBefore(_ a: Item, _ b: Item) -> Bool {
      if a.count != b.count { return a.count > b.count }
      return tieBreak == .smallestIDs ? a.key < b.key : texts.isLarger(a.key, b.key)
    }
  }

  var top: Item? { items.first }
  var count: Int { items.count }

  /// Adds without order; ``arrange()`` follows.
  mutating func append(_ item: Item) { items.append(item) }

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

/// Texts and lengths of the symbols of a trainer.
final class SymbolTexts {
  /// Length of each symbol, in symbols of the alphabet.
  private(set) var lengths: [UInt32]
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  /// The first eight bytes of each text, big-endian: decides most comparisons.
  private var prefixes: [UInt64] = []
  private var isFinal: [Bool]
  private let marksEndOfWord: Bool
  private let reserved: [[UInt8]]

  /// `reserved` are the texts of special tokens: no symbol may become equal to one.
  init(_ alphabet: [[UInt8]], marksEndOfWord: Bool, reserved: [[UInt8]]) {
    lengths = [UInt32](repeating: 1, count: alphabet.count)
    self.marksEndOfWord = marksEndOfWord
    self.reserved = reserved
    // A single character is shorter than the mark, so a text of the alphabet that ends in it is marked.
    isFinal = alphabet.map { marksEndOfWord && $0.count > 4 && $0.suffix(4).elementsEqual(EndOfWord.mark) }
    for text in alphabet { appendText(text) }
  }

  /// The symbol that merges `left` and `right`.
  func append(_ left: UInt32, _ right: UInt32) -> UInt32 {
    let text = Array(bytes[range(Int(left))]) + bytes[range(Int(right))]
    lengths.append(lengths[Int(left)] + lengths[Int(right)])
    isFinal.append(isFinal[Int(right)])
    appendText(text)
    return UInt32(ends.count - 1)
  }

  private func appendText(_ text: [UInt8]) {
    bytes.append(contentsOf: text)
    ends.append(bytes.count)
    prefixes.append((0..<8).reduce(0) { $0 << 8 | UInt64($1 < text.count ? text[$1] : 0) })
  }

  private func range(_ symbol: Int) -> Range<Int> { (symbol == 0 ? 0 : ends[symbol - 1])..<ends[symbol] }

  /// Pairs that are never merged, because nobody could tell the result from something else in codes or a vocabulary:
  /// a symbol inside a word whose text ends in the four literal characters `</w>`, and a reserved text.
  func isRefused(_ key: UInt64) -> Bool {
    let (left, right) = (range(Int(key >> 32)), range(Int(UInt32(truncatingIfNeeded: key))))
    for text in reserved where text.count == left.count + right.count {
      if (bytes[left] + bytes[right]).elementsEqual(text) { return true }
    }
    guard marksEndOfWord, bytes[right.upperBound - 1] == EndOfWord.mark.last else { return false }
    if isFinal[Int(UInt32(truncatingIfNeeded: key))] { return false }
    return (bytes[left].suffix(3) + bytes[right].suffix(4)).suffix(4).elementsEqual(EndOfWord.mark)
  }

  /// Whether pair `a` is larger than pair `b`, as (left, right) of strings.
  ///
  /// UTF-8 orders as its code points do.
  func isLarger(_ a: UInt64, _ b: UInt64) -> Bool {
    var order = compare(Int(a >> 32), Int(b >> 32))
    if order == 0 { order = compare(Int(UInt32(truncatingIfNeeded: a)), Int(UInt32(truncatingIfNeeded: b))) }
    return order != 0 ? order > 0 : a < b
  }

  private func compare(_ a: Int, _ b: Int) -> Int {
    if a == b { return 0 }
    if prefixes[a] != prefixes[b] { return prefixes[a] < prefixes[b] ? -1 : 1 }
    let (first, second) = (range(a), range(b))
    return bytes.withUnsafeBufferPointer {
      let order = memcmp(
        $0.baseAddress! + first.lowerBound, $0.baseAddress! + second.lowerBound,
        min(first.count, second.count))
      return order != 0 ? Int(order) : first.count - second.count
    }
  }
}

/// The mark of word mode behind the last character of a word.
package enum EndOfWord {
  package static let mark = Array("</w>".utf8)
}
