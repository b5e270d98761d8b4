import Foundation

/// A Parquet file, read at any place.
package final class ParquetFile {
  /// Reads bytes at an offset, and returns how many there were.
  package typealias ReadAt = (_ offset: Int, _ buffer: UnsafeMutableRawBufferPointer) throws -> Int

  package let size: Int
  package let metadata: FileMetadata
  private let readAt: ReadAt

  package static let magic = Array("PAR1".utf8)

  /// Reads the footer. Throws a ``ParquetError``, or what `readAt` throws.
  package init(size: Int, readAt: @escaping ReadAt) throws {
    (self.size, self.readAt) = (size, readAt)
    guard size >= 12 else { throw ParquetError("the file is cut: it has only \(size) bytes") }
    let tail = try Self.bytes(size - 8, 8, readAt)
    if tail.readable[4..<8].elementsEqual(Array("PARE".utf8)) { throw ParquetError.unsupported("encryption") }
    guard tail.readable[4..<8].elementsEqual(Self.magic) else {
      throw ParquetError("the file is cut: it does not end as a Parquet file does")
    }
    let length = Int(UInt32(littleEndian: tail.readable.loadUnaligned(as: UInt32.self)))
    guard length <= size - 12 else {
      throw ParquetError("the footer is longer than the file", offset: size - 8)
    }
    let footer = try Self.bytes(size - 8 - length, length, readAt)
    do {
      metadata = try FileMetadata(footer.readable, end: size - 8 - length)
    } catch let error as ParquetError {
      throw error.at(size - 8 - length)
    }
  }

  func bytes(at offset: Int, _ count: Int) throws -> ByteBuffer { try Self.bytes(offset, count, readAt) }

  private static func bytes(_ offset: Int, _ count: Int, _ readAt: ReadAt) throws -> ByteBuffer {
    let buffer = try ByteBuffer(count)
    var filled = 0
    while filled < count {
      let read = try readAt(offset + filled, UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[filled...]))
      if read == 0 { throw ParquetError("the file has become shorter", offset: offset + filled) }
      filled += read
    }
    return buffer
  }
}
