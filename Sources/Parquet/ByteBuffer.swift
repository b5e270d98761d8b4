import Foundation

/// Bytes at an address that does not change, for decoders that point into them.
final class ByteBuffer {
  let bytes: UnsafeMutableRawBufferPointer

  /// Throws where there is no memory for so many.
  init(_ count: Int) throws {
    guard let start = malloc(max(1, count)) else {
      throw ParquetError("there is no memory for a page of \(count) bytes")
    }
    bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
  }

  deinit { free(bytes.baseAddress) }

  var readable: UnsafeRawBufferPointer { UnsafeRawBufferPointer(bytes) }
}
