import CBrotli
import CLZ4
import CSnappy
import CZlib
import CZstd
import Foundation

/// How pages are compressed; the raw values are those of the format.
package enum Codec: Int, Sendable {
  case none = 0
  case snappy = 1
  case gzip = 2
  case brotli = 4
  case lz4 = 5
  case zstd = 6
  case lz4Raw = 7

  /// As the format's documents write it.
  package var name: String {
    switch self {
    case .none: "UNCOMPRESSED"
    case .snappy: "SNAPPY"
    case .gzip: "GZIP"
    case .brotli: "BROTLI"
    case .lz4: "LZ4"
    case .zstd: "ZSTD"
    case .lz4Raw: "LZ4_RAW"
    }
  }

  /// Throws unless the compressed bytes can become so many: what is claimed is not believed, and not allocated.
  func checkRatio(_ compressed: Int, _ size: Int) throws {
    let most =
      switch self {
      case .none: 1
      // Three bytes of snappy copy 64, three bytes of LZ4 255 and more by the byte, and deflate 258 by two bits.
      case .snappy: 64
      case .lz4, .lz4Raw: 256
      case .gzip: 1032 + 8
      // Blocks of the same bytes, of 128 KB and of 16 MB.
      case .zstd, .brotli: 1 << 24
      }
    let (limit, overflows) = (compressed + 64).multipliedReportingOverflow(by: most)
    if !overflows && size > limit {
      throw ParquetError("a page claims \(size) bytes, more than \(compressed) bytes of \(name) can hold")
    }
  }

  /// Decompresses into a buffer of exactly the right size.
  func decompress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws {
    let written: Int?
    switch self {
    case .none:
      written = source.count
      if source.count == target.count, source.count > 0 { target.copyMemory(from: source) }
    case .snappy: written = Self.snappy(source, target)
    case .gzip: written = try Self.inflate(source, target)
    case .brotli: written = Self.brotli(source, target)
    case .lz4: written = Self.hadoopLZ4(source, target) ?? Self.lz4(source, target)
    case .zstd:
      let size = ZSTD_decompress(target.baseAddress, target.count, source.baseAddress, source.count)
      written = ZSTD_isError(size) == 0 ? size : nil
    case .lz4Raw: written = Self.lz4(source, target)
    }
    guard let written else { throw ParquetError("a page cannot be decompressed (\(name))") }
    if written != target.count {
      throw ParquetError("a page has \(written) bytes where its header says \(target.count)")
    }
  }

  private static func snappy(
    _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let input = source.baseAddress?.assumingMemoryBound(to: CChar.self)
    var size = 0
    guard snappy_uncompressed_length(input, source.count, &size) == SNAPPY_OK else { return nil }
    if size != target.count { return size }
    if size == 0 { return 0 }
    let output = target.baseAddress?.assumingMemoryBound(to: CChar.self)
    return snappy_uncompress(input, source.count, output, &size) == SNAPPY_OK ? size : nil
  }

  private static func lz4(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer) -> Int? {
    if target.isEmpty { return 0 }
    guard source.count <= Int(Int32.max), target.count <= Int(Int32.max) else { return nil }
    let size = LZ4_decompress_safe(
      source.baseAddress?.assumingMemoryBound(to: CChar.self),
      target.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count), Int32(target.count))
    return size < 0 ? nil : Int(size)
  }

  /// The framing of Hadoop: blocks, each after its size decompressed and its size compressed, big-endian.
  private static func hadoopLZ4(
    _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var (from, to) = (0, 0)
    while from < source.count {
      guard source.count - from >= 8 else { return nil }
      let plain = Int(UInt32(bigEndian: source.loadUnaligned(fromByteOffset: from, as: UInt32.self)))
      let packed = Int(UInt32(bigEndian: source.loadUnaligned(fromByteOffset: from + 4, as: UInt32.self)))
      from += 8
      guard packed <= source.count - from, plain <= target.count - to else { return nil }
      let size = lz4(
        UnsafeRawBufferPointer(rebasing: source[from..<(from + packed)]),
        UnsafeMutableRawBufferPointer(rebasing: target[to..<(to + plain)]))
      guard size == plain else { return nil }
      from += packed
      to += plain
    }
    return to == target.count ? to : nil
  }

  /// One gzip member, several, or a zlib stream.
  private static func inflate(
    _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
  ) throws -> Int? {
    var stream = z_stream()
    guard inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw ParquetError("there is no memory to decompress a page")
    }
    defer { inflateEnd(&stream) }
    stream.next_in = UnsafeMutablePointer(
      mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.avail_in = UInt32(source.count)
    stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_out = UInt32(target.count)
    while true {
      let status = CZlib.inflate(&stream, Z_FINISH)
      guard status == Z_STREAM_END else { return nil }
      if stream.avail_in == 0 { return target.count - Int(stream.avail_out) }
      inflateReset(&stream)
    }
  }

  private static func brotli(
    _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var size = target.count
    let result = BrotliDecoderDecompress(
      source.count, source.baseAddress?.assumingMemoryBound(to: UInt8.self), &size,
      target.baseAddress?.assumingMemoryBound(to: UInt8.self))
    return result == BROTLI_DECODER_RESULT_SUCCESS ? size : nil
  }
}
