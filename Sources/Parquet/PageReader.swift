import CZlib
import Foundation

/// Reads the pages of one column of one row group, one at a time.
final class PageReader {
  private let file: ParquetFile
  private let chunk: ColumnChunk
  private let codec: Codec
  private let end: Int
  private(set) var offset: Int

  struct Page {
    let header: PageHeader
    /// The offset of its header in the file.
    let offset: Int
    /// The page, decompressed; levels of version 2 come first.
    let content: ByteBuffer
  }

  /// The first bytes of a page's header are read with so many; a longer one holds long statistics.
  private static let usualHeader = 1 << 9
  private static let longestHeader = 64 << 20
  /// Old writers forget the header of the dictionary in the size of a column.
  private static let forgotten = 100

  init(_ file: ParquetFile, _ chunk: ColumnChunk) throws {
    (self.file, self.chunk) = (file, chunk)
    guard let codec = Codec(rawValue: chunk.codec) else {
      throw chunk.codec == 3
        ? ParquetError.unsupported("compression with LZO")
        : ParquetError("a column has the unknown codec \(chunk.codec)")
    }
    self.codec = codec
    offset = chunk.pages.lowerBound
    // Values are counted, so that nothing behind the last is read.
    end = min(chunk.pages.upperBound + Self.forgotten, file.size - 12)
  }

  /// The next page of values or a dictionary; nil after the last.
  func next() throws -> Page? {
    while offset < end {
      let start = offset
      do {
        let header = try readHeader()
        guard header.compressedSize <= end - offset else {
          throw ParquetError("a page is longer than its column")
        }
        defer { offset += header.compressedSize }
        if header.kind == .index { continue }
        return Page(header: header, offset: start, content: try readContent(header))
      } catch let error as ParquetError {
        throw error.at(start)
      }
    }
    return nil
  }

  private func readHeader() throws -> PageHeader {
    var size = min(Self.usualHeader, end - offset)
    while true {
      let bytes = try file.bytes(at: offset, size)
      var reader = CompactReader(bytes.readable)
      do {
        let header = try PageHeader(&reader)
        offset += reader.offset
        return header
      } catch is CompactReader.Truncated {
        if size == end - offset || size > Self.longestHeader {
          throw ParquetError("the header of a page is cut")
        }
        size = min(8 * size, end - offset)
      }
    }
  }

  private func readContent(_ header: PageHeader) throws -> ByteBuffer {
    let stored = try file.bytes(at: offset, header.compressedSize)
    if let checksum = header.checksum {
      let sum = crc32(
        0, stored.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(stored.bytes.count))
      if UInt32(truncatingIfNeeded: sum) != checksum { throw ParquetError("the checksum of a page is wrong") }
    }
    // The levels of version 2 are never compressed.
    let (levels, overflows) = header.definitionBytes.addingReportingOverflow(header.repetitionBytes)
    guard !overflows, levels <= header.compressedSize, levels <= header.uncompressedSize else {
      throw ParquetError("the levels of a page are longer than the page")
    }
    if codec == .none || header.kind == .dataV2 && !header.isCompressed {
      guard header.compressedSize == header.uncompressedSize else {
        throw ParquetError("a page that is not compressed has two sizes")
      }
      return stored
    }
    if header.uncompressedSize == levels {
      // Nothing but levels: some writers leave out the compressed nothing.
      return stored.bytes.count == levels ? stored : try prefix(of: stored, levels)
    }
    let source = UnsafeRawBufferPointer(rebasing: stored.readable[levels...])
    try codec.checkRatio(source.count, header.uncompressedSize - levels)
    let content = try ByteBuffer(header.uncompressedSize)
    content.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: stored.readable[..<levels]))
    try codec.decompress(source, into: UnsafeMutableRawBufferPointer(rebasing: content.bytes[levels...]))
    return content
  }

  private func prefix(of buffer: ByteBuffer, _ count: Int) throws -> ByteBuffer {
    let part = try ByteBuffer(count)
    part.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.readable[..<count]))
    return part
  }
}
