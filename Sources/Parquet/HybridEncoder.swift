/// Writes small numbers as runs of the same number and as bit-packed groups of eight; see ``HybridDecoder``.
enum HybridEncoder {
  static func append(_ numbers: ArraySlice<UInt32>, width: Int, to out: inout [UInt8]) {
    var at = numbers.startIndex
    var packed = at
    while at < numbers.endIndex {
      let value = numbers[at]
      var end = at + 1
      while end < numbers.endIndex && numbers[end] == value { end += 1 }
      // A run begins where whole groups of eight end.
      let start = packed + (at - packed + 7) / 8 * 8
      if end - start >= 8 {
        appendPacked(numbers[packed..<start], width, &out)
        appendVarint((end - start) << 1, &out)
        for index in 0..<((width + 7) / 8) {
          out.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index)))
        }
        packed = end
      }
      at = end
    }
    appendPacked(numbers[packed...], width, &out)
  }

  private static func appendPacked(_ numbers: ArraySlice<UInt32>, _ width: Int, _ out: inout [UInt8]) {
    if numbers.isEmpty { return }
    let groups = (numbers.count + 7) / 8
    appendVarint(groups << 1 | 1, &out)
    var (word, bits) = (UInt64(0), 0)
    for index in 0..<(groups * 8) {
      let number = index < numbers.count ? numbers[numbers.startIndex + index] : 0
      word |= UInt64(number) << UInt64(bits)
      bits += width
      while bits >= 8 {
        out.append(UInt8(truncatingIfNeeded: word))
        word >>= 8
        bits -= 8
      }
    }
  }

  private static func appendVarint(_ value: Int, _ out: inout [UInt8]) {
    var value = value
    while value >= 0x80 {
      out.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    out.append(UInt8(value))
  }
}
