/// Reads DELTA_BINARY_PACKED numbers: each is the one before it and a difference, packed in blocks.
struct DeltaDecoder {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0
  private let miniblockSize: Int
  private let miniblocks: Int
  /// The numbers that are left, the first included.
  private(set) var left: Int
  private var value: Int64
  private var isFirst = true
  private var minimum: Int64 = 0
  private var widths = 0
  private var miniblock = Int.max
  private var inMiniblock = 0
  private var width = 0
  private var bit = 0

  init(_ bytes: UnsafeRawBufferPointer) throws {
    self.bytes = bytes
    var offset = 0
    let blockSize = try Self.varint(bytes, &offset)
    let miniblocks = try Self.varint(bytes, &offset)
    let count = try Self.varint(bytes, &offset)
    let first = try Self.zigzag(bytes, &offset)
    guard blockSize > 0, blockSize <= 1 << 30, miniblocks > 0, miniblocks <= blockSize,
      blockSize % miniblocks == 0, count <= Int64.max
    else { throw ParquetError("the sizes of a page's differences are wrong") }
    self.offset = offset
    self.miniblocks = Int(miniblocks)
    miniblockSize = Int(blockSize / miniblocks)
    guard miniblockSize % 8 == 0 else { throw ParquetError("the sizes of a page's differences are wrong") }
    left = Int(count)
    value = first
  }

  mutating func next() throws -> Int64 {
    guard left > 0 else { throw ParquetError("a page holds fewer values than its header says") }
    left -= 1
    if isFirst {
      isFirst = false
      return value
    }
    if inMiniblock == 0 { try beginMiniblock() }
    inMiniblock -= 1
    let delta = Int64(bitPattern: packed())
    value = value &+ minimum &+ delta
    return value
  }

  /// Skips to where the differences end, and returns that place.
  func end() throws -> Int {
    var copy = self
    if copy.isFirst && copy.left > 0 {
      copy.left -= 1
      copy.isFirst = false
    }
    while copy.left > 0 {
      copy.left -= 1
      try copy.beginMiniblock()
      copy.left -= min(copy.left, copy.miniblockSize - 1)
    }
    return copy.offset
  }

  private mutating func beginMiniblock() throws {
    miniblock = miniblock == .max ? miniblocks : miniblock + 1
    if miniblock >= miniblocks {
      minimum = try Self.zigzag(bytes, &offset)
      guard miniblocks <= bytes.count - offset else { throw ParquetError("a page's differences are cut") }
      widths = offset
      offset += miniblocks
      miniblock = 0
    }
    width = Int(bytes[widths + miniblock])
    guard width <= 64 else { throw ParquetError("a page has differences of \(width) bits") }
    let size = miniblockSize / 8 * width
    bit = offset * 8
    // Some writers leave out what the last block does not need.
    let needed = (min(left + 1, miniblockSize) * width + 7) / 8
    guard needed <= bytes.count - offset else { throw ParquetError("a page's differences are cut") }
    offset = min(offset + size, bytes.count)
    inMiniblock = miniblockSize
  }

  private mutating func packed() -> UInt64 {
    if width == 0 { return 0 }
    defer { bit += width }
    let (from, shift) = (bit >> 3, UInt64(bit & 7))
    var low: UInt64 = 0
    if from + 8 <= bytes.count {
      low = bytes.loadUnaligned(fromByteOffset: from, as: UInt64.self)
    } else {
      for index in from..<bytes.count { low |= UInt64(bytes[index]) << UInt64(8 * (index - from)) }
    }
    var value = low >> shift
    if Int(shift) + width > 64 && from + 8 < bytes.count { value |= UInt64(bytes[from + 8]) << (64 - shift) }
    return width == 64 ? value : value & ((1 << UInt64(width)) - 1)
  }

  private static func varint(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws -> UInt64 {
    var (value, shift) = (UInt64(0), UInt64(0))
    while true {
      guard offset < bytes.count else { throw ParquetError("a page's differences are cut") }
      let byte = bytes[offset]
      offset += 1
      if shift >= 64 || shift == 63 && byte > 1 { throw ParquetError("a number of a page is too long") }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
  }

  private static func zigzag(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws -> Int64 {
    let value = try varint(bytes, &offset)
    return Int64(bitPattern: value >> 1) ^ -Int64(value & 1)
  }
}
