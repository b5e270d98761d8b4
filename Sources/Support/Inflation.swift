import CZlib

/// Decompresses small buffers in memory with zlib.
package enum Inflation {
  package enum Format: Sendable {
    case gzip
    /// With zlib's header, or without any: the web calls both "deflate".
    case zlib
  }

  /// Decompresses as much as is undamaged, at most `sizeLimit` bytes.
  package static func inflate(_ bytes: [UInt8], _ format: Format, sizeLimit: Int) -> [UInt8] {
    switch format {
    case .gzip: return inflate(bytes, windowBits: 15 + 16, sizeLimit: sizeLimit)
    case .zlib:
      let text = inflate(bytes, windowBits: 15, sizeLimit: sizeLimit)
      return text.isEmpty ? inflate(bytes, windowBits: -15, sizeLimit: sizeLimit) : text
    }
  }

  private static func inflate(_ bytes: [UInt8], windowBits: Int32, sizeLimit: Int) -> [UInt8] {
    var stream = z_stream()
    guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      return []
    }
    defer { inflateEnd(&stream) }
    var text: [UInt8] = []
    var input = bytes
    input.withUnsafeMutableBufferPointer { input in
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1 << 16) { scratch in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(clamping: input.count)
        while text.count < sizeLimit {
          stream.next_out = scratch.baseAddress
          stream.avail_out = UInt32(scratch.count)
          let status = CZlib.inflate(&stream, Z_NO_FLUSH)
          let produced = scratch.count - Int(stream.avail_out)
          text.append(contentsOf: scratch[..<min(produced, sizeLimit - text.count)])
          if status != Z_OK || produced == 0 { break }
        }
      }
    }
    return text
  }
}
