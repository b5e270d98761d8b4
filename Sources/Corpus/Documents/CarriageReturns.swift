/// Turns CR into LF in a file whose lines end in CR alone.
struct CarriageReturns {
  var isActive = false
  private var wasReturn = false

  /// Converts in place and returns the number of bytes that are left: an LF directly after a CR is dropped.
  mutating func convert(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
    var kept = 0
    for byte in bytes {
      defer { wasReturn = byte == 0x0d }
      if byte == 0x0a && wasReturn { continue }
      bytes[kept] = byte == 0x0d ? 0x0a : byte
      kept += 1
    }
    return kept
  }
}
