import CICU

/// A stream of bytes in some character set on its way to UTF-8.
final class CharsetConverter {
  private let converter: OpaquePointer

  init(_ charset: Charset) { converter = pkm_charset_open(charset.name)! }

  deinit { pkm_charset_close(converter) }

  /// Appends the text of the next bytes; see ``Charset/decode(_:)``.
  func convert(_ bytes: UnsafeRawBufferPointer, isLast: Bool, into text: inout [UInt8]) {
    var source = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let end = source.map { $0 + bytes.count }
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 64) { scratch in
      let room = scratch.assumingMemoryBound(to: UInt8.self)
      while true {
        let count = pkm_charset_convert(converter, &source, end, isLast, room.baseAddress, room.count)
        text.append(contentsOf: room[..<count])
        // A call that had room left has taken everything.
        if source == end && count + 3 * 64 < room.count { return }
      }
    }
  }
}
