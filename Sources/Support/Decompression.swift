import CBrotli
import CZlib

/// Decompresses small buffers in memory.
package enum Decompression {
  package enum Format: Sendable {
    /// Any number of members.
    case gzip
    case zlib
    /// Deflate without a header or a checksum.
    case deflate
    case brotli
    /// Any number of frames.
    case zstd
  }

  /// Where the decompression stopped.
  package enum End: Sendable, Equatable {
    case complete
    /// Something else follows the last member, frame or stream.
    case foreignBytes
    case truncated
    /// The rest cannot be decompressed, or a checksum is wrong.
    case damaged
    /// The limit of the size was passed.
    case tooLong
  }

  package struct Result: Sendable {
    /// Everything before the end or the damage; at most one byte more than the limit.
    package var bytes: [UInt8] = []
    package var end = End.truncated
  }

  /// Decompresses as much as is undamaged. Throws only if memory runs out; `file` is for that message.
  package static func decompress(
    _ bytes: UnsafeRawBufferPointer, _ format: Format, sizeLimit: Int, file: String
  ) throws -> Result {
    switch format {
    case .gzip: try inflate(bytes, windowBits: 15 + 16, sizeLimit, file)
    case .zlib: try inflate(bytes, windowBits: 15, sizeLimit, file)
    case .deflate: try inflate(bytes, windowBits: -15, sizeLimit, file)
    case .brotli: try brotli(bytes, sizeLimit, file)
    case .zstd: try zstd(bytes, sizeLimit, file)
    }
  }

  private static let gzipMagic: [UInt8] = [0x1f, 0x8b]
  private static let scratchBytes = 1 << 16

  private static func inflate(
    _ bytes: UnsafeRawBufferPointer, windowBits: Int32, _ sizeLimit: Int, _ file: String
  ) throws -> Result {
    var stream = z_stream()
    try check(
      inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK, file)
    defer { inflateEnd(&stream) }
    var result = Result()
    var rest = bytes[...]
    try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: scratchBytes) { scratch in
      while result.bytes.count <= sizeLimit {
        let input = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
        stream.next_in = UnsafeMutablePointer(
          mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(input.count)
        stream.next_out = scratch.baseAddress
        stream.avail_out = UInt32(scratch.count)
        let status = CZlib.inflate(&stream, Z_NO_FLUSH)
        try check(status != Z_MEM_ERROR, file)
        rest = rest.dropFirst(input.count - Int(stream.avail_in))
        let produced = scratch.count - Int(stream.avail_out)
        result.bytes.append(contentsOf: scratch[..<produced])
        if status == Z_STREAM_END {
          // Some writers pad gzip with zeros.
          if rest.allSatisfy({ $0 == 0 }) { return result.end = .complete }
          guard windowBits > 15, rest.starts(with: gzipMagic) else { return result.end = .foreignBytes }
          inflateReset(&stream)
        } else if status == Z_BUF_ERROR || (status == Z_OK && produced == 0 && rest.isEmpty) {
          return result.end = .truncated
        } else if status != Z_OK {
          return result.end = .damaged
        }
      }
      result.end = .tooLong
    }
    return cut(result, sizeLimit)
  }

  private static func brotli(_ bytes: UnsafeRawBufferPointer, _ sizeLimit: Int, _ file: String) throws
    -> Result
  {
    let decoder = BrotliDecoderCreateInstance(nil, nil, nil)
    try check(decoder != nil, file)
    defer { BrotliDecoderDestroyInstance(decoder) }
    var result = Result()
    var source = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    var left = bytes.count
    try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: scratchBytes) { scratch in
      while result.bytes.count <= sizeLimit {
        var (target, free) = (scratch.baseAddress, scratch.count)
        let status = BrotliDecoderDecompressStream(decoder, &left, &source, &free, &target, nil)
        result.bytes.append(contentsOf: scratch[..<(scratch.count - free)])
        switch status {
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: continue
        case BROTLI_DECODER_RESULT_SUCCESS: return result.end = left == 0 ? .complete : .foreignBytes
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return result.end = .truncated
        default:
          let allocationErrors: ClosedRange<Int32> = -30...(-21)
          try check(!allocationErrors.contains(BrotliDecoderGetErrorCode(decoder).rawValue), file)
          return result.end = .damaged
        }
      }
      result.end = .tooLong
    }
    return cut(result, sizeLimit)
  }

  private static func zstd(_ bytes: UnsafeRawBufferPointer, _ sizeLimit: Int, _ file: String) throws -> Result
  {
    let inflater = try ZstdInflater(file: file)
    var result = Result()
    var rest = bytes[...]
    try withUnsafeTemporaryAllocation(byteCount: scratchBytes, alignment: 64) { scratch in
      while result.bytes.count <= sizeLimit {
        let step = try inflater.inflate(UnsafeRawBufferPointer(rebasing: rest), into: scratch)
        rest = rest.dropFirst(step.consumed)
        result.bytes.append(contentsOf: scratch[..<step.produced])
        if step.problem != nil {
          return result.end = .damaged
        } else if step.isAtEnd {
          if rest.isEmpty { return result.end = .complete }
          if !ZstdInflater.isFrame(rest) { return result.end = .foreignBytes }
          inflater.reset()
        } else if step.produced == 0 && rest.isEmpty {
          return result.end = .truncated
        }
      }
      result.end = .tooLong
    }
    return cut(result, sizeLimit)
  }

  private static func cut(_ result: Result, _ sizeLimit: Int) -> Result {
    if result.bytes.count <= sizeLimit { return result }
    return Result(bytes: Array(result.bytes.prefix(sizeLimit + 1)), end: .tooLong)
  }

  private static func check(_ hasMemory: Bool, _ file: String) throws {
    if !hasMemory { throw Failure.noMemory("to decompress part of it", file: file) }
  }
}
