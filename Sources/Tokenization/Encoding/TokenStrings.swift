import Foundation

/// The texts of tokens by number, one after another in one array.
struct TokenStrings {
  private(set) var bytes: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { ends.count }

  @inline(__always) func range(of number: UInt32) -> Range<Int> {
    (number == 0 ? 0 : ends[Int(number) - 1])..<ends[Int(number)]
  }

  subscript(number: UInt32) -> ArraySlice<UInt8> { bytes[range(of: number)] }

  mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
    bytes.append(contentsOf: text)
    ends.append(bytes.count)
  }

  /// Whether a text is the concatenation of two others.
  func isConcatenation(_ number: UInt32, of left: UInt32, _ right: UInt32) -> Bool {
    let (whole, first, second) = (range(of: number), range(of: left), range(of: right))
    guard whole.count == first.count + second.count else { return false }
    return bytes.withUnsafeBytes { bytes in
      let start = bytes.baseAddress! + whole.lowerBound
      return memcmp(start, bytes.baseAddress! + first.lowerBound, first.count) == 0
        && memcmp(start + first.count, bytes.baseAddress! + second.lowerBound, second.count) == 0
    }
  }

  /// The numbers in the order of the texts, a prefix before its continuations.
  func sorted() -> [UInt32] {
    // A radix sort by the first eight bytes, the last of them first; hardly any are equal after that.
    var items = (0..<UInt32(count)).map { number in
      let text = range(of: number)
      var key: UInt64 = 0
      for index in 0..<min(8, text.count) {
        key |= UInt64(bytes[text.lowerBound + index]) << UInt64(56 - 8 * index)
      }
      return (key: key, number: number)
    }
    var other = items
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      var offsets = [Int](repeating: 0, count: 257)
      for item in items { offsets[Int(item.key >> shift & 255) + 1] += 1 }
      for byte in 0..<256 { offsets[byte + 1] += offsets[byte] }
      for item in items {
        let byte = Int(item.key >> shift & 255)
        other[offsets[byte]] = item
        offsets[byte] += 1
      }
      swap(&items, &other)
    }
    var order = items.map(\.number)
    var start = 0
    while start < items.count {
      var end = start + 1
      while end < items.count && items[end].key == items[start].key { end += 1 }
      if end > start + 1 { order[start..<end].sort { self[$0].lexicographicallyPrecedes(self[$1]) } }
      start = end
    }
    return order
  }
}
