/// Reads small numbers from runs of the same number and from bit-packed groups of eight: levels and the indices of
/// dictionaries.
///
/// A run is never expanded, so that a long one costs nothing. Also reads the older BIT_PACKED levels.
struct HybridDecoder {
  private let bytes: UnsafeRawBufferPointer
  private let width: Int
  private let mask: UInt32
  private var offset = 0
  private var runLeft = 0
  private var runValue: UInt32 = 0
  private var packedLeft = 0
  /// The bit at which the next packed number begins.
  private var bit = 0
  /// Whether the bytes are one packed run whose first bits are the highest.
  private let isOld: Bool

  /// `width` is the number of bits, 0 to 32.
  init(_ bytes: UnsafeRawBufferPointer, width: Int, isOld: Bool = false) throws {
    guard (0...32).contains(width) else { throw ParquetError("numbers of \(width) bits") }
    (self.bytes, self.width, self.isOld) = (bytes, width, isOld)
    mask = width == 32 ? .max : (1 << UInt32(width)) - 1
    if isOld { packedLeft = width == 0 ? .max : bytes.count * 8 / width }
  }

  @inline(__always) mutating func next() throws -> UInt32 {
    if runLeft > 0 {
      runLeft -= 1
      return runValue
    }
    return try nextOutsideOfRun()
  }

  private mutating func nextOutsideOfRun() throws -> UInt32 {
    if packedLeft == 0 { try readHeader() }
    if runLeft > 0 {
      runLeft -= 1
      return runValue
    }
    guard packedLeft > 0 else { throw ParquetError("a page holds fewer numbers than its header says") }
    packedLeft -= 1
    defer { bit += width }
    let from = bit >> 3
    if isOld { return nextOld() }
    var word: UInt64 = 0
    if from + 8 <= bytes.count {
      word = bytes.loadUnaligned(fromByteOffset: from, as: UInt64.self)
    } else {
      for index in from..<max(from, bytes.count) {
        word |= UInt64(bytes[index]) << UInt64(8 * (index - from))
      }
    }
    return UInt32(truncatingIfNeeded: word >> UInt64(bit & 7)) & mask
  }

  private func nextOld() -> UInt32 {
    var value: UInt32 = 0
    for index in bit..<(bit + width) {
      value = value << 1 | UInt32(bytes[index >> 3] >> UInt8(7 - index & 7) & 1)
    }
    return value
  }

  private mutating func readHeader() throws {
    if isOld { throw ParquetError("a page holds fewer levels than its header says") }
    while runLeft == 0 && packedLeft == 0 {
      var (header, shift) = (UInt64(0), UInt64(0))
      while true {
        guard offset < bytes.count else {
          throw ParquetError("a page holds fewer numbers than its header says")
        }
        let byte = bytes[offset]
        offset += 1
        header |= UInt64(byte & 0x7f) << shift
        if byte < 0x80 { break }
        shift += 7
        if shift > 35 { throw ParquetError("a run of a page is too long") }
      }
      let count = Int(header >> 1)
      if header & 1 == 1 {
        // The last group may be cut where its numbers end.
        let available = bytes.count - offset
        let (size, overflows) = count.multipliedReportingOverflow(by: width)
        if overflows { throw ParquetError("a run of a page is too long") }
        bit = offset * 8
        packedLeft = size <= available ? count * 8 : available * 8 / max(1, width)
        offset += min(size, available)
        if packedLeft == 0 && offset >= bytes.count {
          throw ParquetError("a page holds fewer numbers than its header says")
        }
      } else {
        let size = (width + 7) / 8
        guard size <= bytes.count - offset else {
          throw ParquetError("a page holds fewer numbers than its header says")
        }
        runValue = 0
        for index in 0..<size { runValue |= UInt32(bytes[offset + index]) << UInt32(8 * index) }
        offset += size
        runLeft = count
      }
    }
  }
}
