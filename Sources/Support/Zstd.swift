import CZstd
import Foundation

/// Decompresses single zstd frames in memory, of which seekable files consist.
package enum Zstd {
  /// Decompresses one frame into a buffer of exactly its size; `file` and `offset` are for error messages.
  package static func decompress(
    _ frame: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer, file: String, offset: Int
  ) throws {
    let size = ZSTD_decompress(buffer.baseAddress, buffer.count, frame.baseAddress, frame.count)
    if ZSTD_isError(size) != 0 {
      throw Failure(
        .badInput, "the zstd frame is damaged (\(String(cString: ZSTD_getErrorName(size))))", file: file,
        offset: offset)
    }
    if size != buffer.count {
      throw Failure(
        .badInput, "a zstd frame holds \(size) bytes where \(buffer.count) were expected", file: file,
        offset: offset)
    }
  }
}
