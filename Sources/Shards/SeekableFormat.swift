import Foundation
import Support

/// The zstd seekable format: independent frames of equal uncompressed size (except the last one), followed by
/// a skippable frame with the seek table.
///
/// Any zstd decoder can read such a file from its start; ``SeekableReader`` reads any part of it.
///
/// In little-endian `uint32`, the table contains: the magic number of a skippable frame; the size of the
/// rest; for each frame its compressed size, its uncompressed size and the lower half of the XXH64 of its
/// uncompressed bytes; then the footer: the number of frames, one descriptor byte (bit 7: checksums present),
/// and the magic number of the format. Source: zstd, contrib/seekable_format, version 0.1.0.
enum SeekableFormat {
  static let skippableMagic: UInt32 = 0x184d_2a5e
  static let seekableMagic: UInt32 = 0x8f92_eab1
  static let checksumFlag: UInt8 = 0x80
  /// Bits that must be zero in this version.
  static let reservedBits: UInt8 = 0x7c
  static let headerBytes = 8
  static let footerBytes = 9
  static let entryBytes = 12
  /// A thousand times what we write: readers hold several frames in memory.
  static let largestFrame = 1 << 26

  struct Entry {
    let compressedBytes: UInt32
    let plainBytes: UInt32
    let checksum: UInt32
  }

  static func checksum(_ plain: UnsafeRawBufferPointer) -> UInt32 {
    UInt32(truncatingIfNeeded: Hashing.xxh64(plain))
  }

  /// What the index records of the seek tables of a shard.
  static func hash(ofTables tokens: UInt64, _ documents: UInt64) -> String {
    Hashing.hexadecimal(
      withUnsafeBytes(of: (tokens.littleEndian, documents.littleEndian)) { Hashing.xxh64($0) })
  }

  /// A hash of the sizes and checksums of the uncompressed frames, whatever the compression.
  static func hash(_ entries: [Entry]) -> UInt64 {
    entries.flatMap { [$0.plainBytes.littleEndian, $0.checksum.littleEndian] }.withUnsafeBytes {
      Hashing.xxh64($0)
    }
  }

  static func table(_ entries: [Entry]) -> [UInt8] {
    let bytes = headerBytes + entries.count * entryBytes + footerBytes
    var table: [UInt8] = []
    table.reserveCapacity(bytes)
    func append(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { table.append(contentsOf: $0) } }
    append(skippableMagic)
    append(UInt32(bytes - headerBytes))
    for entry in entries {
      append(entry.compressedBytes)
      append(entry.plainBytes)
      append(entry.checksum)
    }
    append(UInt32(entries.count))
    table.append(checksumFlag)
    append(seekableMagic)
    return table
  }
}
