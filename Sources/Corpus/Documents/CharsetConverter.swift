import CICU
import Support

/// Converts a stream of bytes from a character set to UTF-8.
final class CharsetConverter {
  private let converter: OpaquePointer

  /// ICU has the character set, so nothing but memory can be missing.
  init(_ charset: Charset) throws(Failure) {
    guard let converter = pkm_charset_open(charset.name) else {
      throw .noMemory("to convert text from \(charset.name)")
    }
    self.converter = converter
  }

  deinit { pkm_charset_close(converter) }

  /// Appends the text of the next bytes, with 0xff for each invalid sequence.
  func convert(_ bytes: UnsafeRawBufferPointer, isLast: Bool, into text: inout [UInt8]) {
    var source = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let end = source.map { $0 + bytes.count }
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 64) { scratch in
      let buffer = scratch.assumingMemoryBound(to: UInt8.self)
      while true {
        let count = pkm_charset_convert(converter, &source, end, isLast, buffer.baseAddress, buffer.count)
        text.append(contentsOf: buffer[..<count])
        // The converter stops early only when fewer than 64 characters fit into the buffer.
        if source == end && count + 3 * 64 < buffer.count { return }
      }
    }
  }
}

extension Charset {
  /// Converts to UTF-8. Each byte sequence that is invalid in this character set becomes one byte 0xff, which
  /// never occurs in UTF-8.
  func decode(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> [UInt8] {
    let converter = try CharsetConverter(self)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + bytes.count / 2 + 256)
    converter.convert(bytes, isLast: true, into: &text)
    return text
  }
}
