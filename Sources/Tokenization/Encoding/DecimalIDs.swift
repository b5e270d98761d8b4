/// Ids as text: decimal numbers, one document per line.
package enum DecimalIDs {
  /// One line per document: its ids in decimal, separated by spaces.
  package static func lines(_ batch: EncodedBatch) -> [UInt8] {
    // An id has at most ten digits and a separator.
    [UInt8](unsafeUninitializedCapacity: 11 * batch.ids.count + batch.ends.count + 8) { buffer, count in
      let start = buffer.baseAddress!
      var output = start
      batch.ids.withUnsafeBufferPointer { ids in
        var index = 0
        for end in batch.ends {
          while index < end {
            output = append(ids[index], to: output)
            index &+= 1
            output.pointee = 0x20
            output += index < end ? 1 : 0
          }
          output.pointee = 0x0a
          output += 1
        }
      }
      count = output - start
    }
  }

  @inline(__always)
  private static func append(_ id: UInt32, to output: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<
    UInt8
  > {
    // The length is known before the digits are written, so that they are written only once.
    var length = 1
    if id >= 10 { length = 2 }
    if id >= 100 { length = 3 }
    if id >= 1000 { length = 4 }
    if id >= 10_000 { length = 5 }
    if id >= 100_000 { length = 5 + decimalLength(id / 100_000) }
    var rest = id
    var index = length
    while index > 0 {
      index &-= 1
      let quotient = rest / 10
      output[index] = UInt8(truncatingIfNeeded: 0x30 &+ rest &- quotient &* 10)
      rest = quotient
    }
    return output + length
  }

  /// Appends the id in decimal.
  static func append(_ id: UInt32, to text: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 10) { digits in
      let end = append(id, to: digits.baseAddress!)
      text.append(
        contentsOf: UnsafeBufferPointer(start: digits.baseAddress, count: end - digits.baseAddress!))
    }
  }

  private static func decimalLength(_ value: UInt32) -> Int {
    var (length, rest) = (1, value / 10)
    while rest > 0 { (length, rest) = (length + 1, rest / 10) }
    return length
  }

  /// Reads the ids of a line, separated by spaces, tabs or carriage returns.
  ///
  /// Returns the byte offset of the first field that is not an id, or nil.
  package static func parse(_ line: UnsafeRawBufferPointer, into ids: inout [UInt32]) -> Int? {
    var mistake: Int?
    ids = [UInt32](unsafeUninitializedCapacity: line.count / 2 + 1) { output, count in
      guard let text = line.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
      let end = line.count
      var index = 0
      while index < end {
        let first = text[index] &- 0x30
        if first > 9 {
          guard isSeparator(text[index]) else {
            mistake = index
            return
          }
          index &+= 1
          continue
        }
        let start = index
        var value = UInt64(first)
        index &+= 1
        while index < end, case let digit = text[index] &- 0x30, digit < 10 {
          value = min(value &* 10 &+ UInt64(digit), 1 << 40)
          index &+= 1
        }
        guard value <= UInt64(UInt32.max), index == end || isSeparator(text[index]) else {
          mistake = start
          return
        }
        output[count] = UInt32(truncatingIfNeeded: value)
        count &+= 1
      }
    }
    return mistake
  }

  @inline(__always) private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0d
  }
}
