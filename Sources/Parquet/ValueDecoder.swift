import Foundation

/// Reads the values of a page one after the other. Values of up to eight bytes are bits, all others bytes.
class ValueDecoder {
  static let cut = ParquetError("a page holds fewer values than its header says")

  func nextBits() throws -> UInt64 { throw Self.cut }

  /// The bytes are valid until the next call, and as long as the decoder.
  func nextBytes() throws -> UnsafeRawBufferPointer { throw Self.cut }

  /// The decoder of a page's values, which are `bytes` within `buffer`.
  static func decoder(
    _ encoding: Int, of node: SchemaNode, _ bytes: UnsafeRawBufferPointer, in buffer: ByteBuffer,
    dictionary: Dictionary?
  ) throws -> ValueDecoder {
    guard let type = node.type, let known = PageEncoding(rawValue: encoding) else {
      throw ParquetError("a page has the unknown encoding \(encoding)")
    }
    let unfit = ParquetError("a page of \(type.name) values has the encoding \(known.name)")
    switch known {
    case .plain:
      if type == .boolean { return Booleans(bytes, buffer) }
      return type == .byteArray ? PlainBytes(bytes, buffer) : Fixed(bytes, buffer, size: try size(of: node))
    case .plainDictionary, .rleDictionary:
      guard let dictionary else { throw ParquetError("a page needs a dictionary, and there is none") }
      return try Indices(bytes, buffer, dictionary)
    case .rle:
      guard type == .boolean, bytes.count >= 4 else { throw unfit }
      return try Runs(bytes, buffer)
    case .deltaBinaryPacked:
      guard type == .int32 || type == .int64 else { throw unfit }
      return try Differences(bytes, buffer)
    case .deltaLengthByteArray:
      guard type == .byteArray else { throw unfit }
      return try DeltaLengths(bytes, buffer)
    case .deltaByteArray:
      guard type == .byteArray || type == .fixedLengthByteArray else { throw unfit }
      return try Prefixed(bytes, buffer, size: type == .byteArray ? nil : node.typeLength)
    case .byteStreamSplit:
      guard type != .boolean, type != .byteArray, type != .int96 else { throw unfit }
      return try Split(bytes, buffer, size: try size(of: node))
    case .bitPacked: throw unfit
    }
  }

  /// The bytes of each value of a type whose values are all as long.
  static func size(of node: SchemaNode) throws -> Int {
    switch node.type {
    case .int32, .float: 4
    case .int64, .double: 8
    case .int96: 12
    case .fixedLengthByteArray: node.typeLength
    default: throw cut
    }
  }

  /// All values of a dictionary page.
  final class Dictionary {
    /// Where bits are stored for values of up to eight bytes, and the ends of all others.
    fileprivate let numbers: [UInt64]
    fileprivate let ranges: [Range<Int>]
    fileprivate let buffer: ByteBuffer

    init(of node: SchemaNode, _ buffer: ByteBuffer, count: Int) throws {
      self.buffer = buffer
      let bytes = buffer.readable
      guard count <= bytes.count || count == 0 || node.typeLength == 0 && node.type == .fixedLengthByteArray
      else {
        throw cut
      }
      guard count <= 1 << 28 else { throw ParquetError("a dictionary has \(count) values") }
      var (numbers, ranges): ([UInt64], [Range<Int>]) = ([], [])
      if node.type == .byteArray {
        guard count <= bytes.count / 4 else { throw cut }
        ranges.reserveCapacity(count)
        var offset = 0
        for _ in 0..<count {
          let value = try PlainBytes.range(bytes, at: offset)
          ranges.append(value)
          offset = value.upperBound
        }
      } else if node.type == .boolean {
        throw ParquetError("a dictionary of booleans")
      } else {
        let size = try size(of: node)
        guard size == 0 || count <= bytes.count / size else { throw cut }
        if node.type == .fixedLengthByteArray || node.type == .int96 {
          ranges = (0..<count).map { ($0 * size)..<(($0 + 1) * size) }
        } else {
          numbers = (0..<count).map { Fixed.load(bytes, at: $0 * size, size: size) }
        }
      }
      (self.numbers, self.ranges) = (numbers, ranges)
    }
  }

  private final class Booleans: ValueDecoder {
    private let bytes: UnsafeRawBufferPointer
    private let buffer: ByteBuffer
    private var bit = 0

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer) {
      (self.bytes, self.buffer) = (bytes, buffer)
    }

    override func nextBits() throws -> UInt64 {
      guard bit >> 3 < bytes.count else { throw Self.cut }
      defer { bit += 1 }
      return UInt64(bytes[bit >> 3] >> UInt8(bit & 7) & 1)
    }
  }

  private final class Runs: ValueDecoder {
    private let buffer: ByteBuffer
    private var runs: HybridDecoder

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer) throws {
      self.buffer = buffer
      let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
      guard length <= bytes.count - 4 else { throw Self.cut }
      runs = try HybridDecoder(UnsafeRawBufferPointer(rebasing: bytes[4..<(4 + length)]), width: 1)
    }

    override func nextBits() throws -> UInt64 { UInt64(try runs.next()) }
  }

  private final class Fixed: ValueDecoder {
    private let bytes: UnsafeRawBufferPointer
    private let buffer: ByteBuffer
    private let size: Int
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer, size: Int) {
      (self.bytes, self.buffer, self.size) = (bytes, buffer, size)
    }

    static func load(_ bytes: UnsafeRawBufferPointer, at offset: Int, size: Int) -> UInt64 {
      size == 4
        ? UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        : UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    override func nextBits() throws -> UInt64 {
      guard offset + size <= bytes.count else { throw Self.cut }
      defer { offset += size }
      return Self.load(bytes, at: offset, size: size)
    }

    override func nextBytes() throws -> UnsafeRawBufferPointer {
      guard offset + size <= bytes.count else { throw Self.cut }
      defer { offset += size }
      return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + size)])
    }
  }

  private final class PlainBytes: ValueDecoder {
    private let bytes: UnsafeRawBufferPointer
    private let buffer: ByteBuffer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer) {
      (self.bytes, self.buffer) = (bytes, buffer)
    }

    @inline(__always)
    static func range(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws -> Range<Int> {
      guard bytes.count - offset >= 4 else { throw cut }
      let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      guard length <= bytes.count - offset - 4 else { throw cut }
      return (offset + 4)..<(offset + 4 + length)
    }

    override func nextBytes() throws -> UnsafeRawBufferPointer {
      let value = try Self.range(bytes, at: offset)
      offset = value.upperBound
      return UnsafeRawBufferPointer(rebasing: bytes[value])
    }
  }

  private final class Indices: ValueDecoder {
    private let buffer: ByteBuffer
    private let dictionary: Dictionary
    private var indices: HybridDecoder

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer, _ dictionary: Dictionary) throws {
      (self.buffer, self.dictionary) = (buffer, dictionary)
      indices = try HybridDecoder(
        UnsafeRawBufferPointer(rebasing: bytes.dropFirst()), width: Int(bytes.first ?? 0))
    }

    private func fail(_ index: Int) -> ParquetError {
      ParquetError("a page refers to value \(index) of its dictionary, which has not so many")
    }

    override func nextBits() throws -> UInt64 {
      let index = Int(try indices.next())
      guard index < dictionary.numbers.count else { throw fail(index) }
      return dictionary.numbers[index]
    }

    override func nextBytes() throws -> UnsafeRawBufferPointer {
      let index = Int(try indices.next())
      guard index < dictionary.ranges.count else { throw fail(index) }
      return UnsafeRawBufferPointer(rebasing: dictionary.buffer.readable[dictionary.ranges[index]])
    }
  }

  private final class Differences: ValueDecoder {
    private let buffer: ByteBuffer
    private var numbers: DeltaDecoder

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer) throws {
      self.buffer = buffer
      numbers = try DeltaDecoder(bytes)
    }

    /// Of 32-bit values only the low bits count.
    override func nextBits() throws -> UInt64 { UInt64(bitPattern: try numbers.next()) }
  }

  private final class DeltaLengths: ValueDecoder {
    private let bytes: UnsafeRawBufferPointer
    private let buffer: ByteBuffer
    private var lengths: DeltaDecoder
    private var offset: Int

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer) throws {
      (self.bytes, self.buffer) = (bytes, buffer)
      lengths = try DeltaDecoder(bytes)
      offset = try lengths.end()
    }

    override func nextBytes() throws -> UnsafeRawBufferPointer {
      let length = Int(try lengths.next())
      guard length >= 0, length <= bytes.count - offset else { throw Self.cut }
      defer { offset += length }
      return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
    }
  }

  /// DELTA_BYTE_ARRAY: each value begins as the one before it.
  private final class Prefixed: ValueDecoder {
    private let buffer: ByteBuffer
    private var prefixes: DeltaDecoder
    private let suffixes: DeltaLengths
    private var value: UnsafeMutableRawBufferPointer
    private var length = 0
    private let size: Int?

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer, size: Int?) throws {
      (self.buffer, self.size) = (buffer, size)
      prefixes = try DeltaDecoder(bytes)
      let end = try prefixes.end()
      suffixes = try DeltaLengths(UnsafeRawBufferPointer(rebasing: bytes[end...]), buffer)
      value = .allocate(byteCount: 64, alignment: 1)
    }

    deinit { value.deallocate() }

    override func nextBytes() throws -> UnsafeRawBufferPointer {
      let prefix = Int(try prefixes.next())
      let suffix = try suffixes.nextBytes()
      guard prefix >= 0, prefix <= length else {
        throw ParquetError("a value's prefix is longer than the value before it")
      }
      let whole = prefix + suffix.count
      if let size, whole != size { throw ParquetError("a value has \(whole) bytes instead of \(size)") }
      if whole > value.count {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * whole, alignment: 1)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: value[..<prefix]))
        value.deallocate()
        value = larger
      }
      if let start = suffix.baseAddress { memcpy(value.baseAddress! + prefix, start, suffix.count) }
      length = whole
      return UnsafeRawBufferPointer(rebasing: value[..<whole])
    }
  }

  /// BYTE_STREAM_SPLIT: the first bytes of all values, then the second bytes, and so on.
  private final class Split: ValueDecoder {
    private let bytes: UnsafeRawBufferPointer
    private let buffer: ByteBuffer
    private let size: Int
    private let count: Int
    private var index = 0
    private let place: UnsafeMutableRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer, _ buffer: ByteBuffer, size: Int) throws {
      guard size > 0, bytes.count % size == 0 else { throw ParquetError("a page of split bytes is cut") }
      (self.bytes, self.buffer, self.size) = (bytes, buffer, size)
      count = bytes.count / size
      place = .allocate(byteCount: size, alignment: 8)
    }

    deinit { place.deallocate() }

    override func nextBits() throws -> UInt64 {
      guard index < count else { throw Self.cut }
      defer { index += 1 }
      var bits: UInt64 = 0
      for byte in 0..<size { bits |= UInt64(bytes[byte * count + index]) << UInt64(8 * byte) }
      return bits
    }

    override func nextBytes() throws -> UnsafeRawBufferPointer {
      guard index < count else { throw Self.cut }
      defer { index += 1 }
      for byte in 0..<size { place[byte] = bytes[byte * count + index] }
      return UnsafeRawBufferPointer(place)
    }
  }
}
