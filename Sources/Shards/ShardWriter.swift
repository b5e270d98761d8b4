import Foundation
import Support

/// Writes one shard: a file of tokens and a file of document rows.
final class ShardWriter {
  /// Uncompressed bytes per frame.
  ///
  /// Small frames compress token ids as well as large ones, and reading a random training sequence costs a
  /// whole frame. Most of the possible gain is in the frequencies of bytes: the ids of prose hardly repeat,
  /// while those of technical documentation do. MB/s of ids (32,000 merges, `uint16`) on one thread, from
  /// `Tests/Peers/frame_sizes.py`:
  ///
  /// | level | frame | prose: ratio | written MB/s | documentation: ratio | written MB/s | random read µs |
  /// |---|---|---|---|---|---|---|
  /// | 0 | 16 KiB | 1.230 | 1035 | 1.247 | 1031 | 18 |
  /// | **0** | **64 KiB** | 1.235 | 1242 | 1.236 | 1240 | 40 |
  /// | 0 | 256 KiB | 1.235 | 1305 | 1.231 | 1307 | 130 |
  /// | 1 | 64 KiB | 1.363 | 381 | 1.730 | 392 | 56 |
  /// | 3 | 64 KiB | 1.423 | 159 | 1.761 | 192 | 60 |
  /// | 5 | 64 KiB | 1.531 | 127 | 1.862 | 149 | 63 |
  static let frameBytes = 1 << 16
  static let rowFrameBytes = DocumentRow.byteCount << 13

  let name: String
  private let split: String
  private let tokens: SeekableWriter
  private let rows: SeekableWriter
  private(set) var totals = DatasetIndex.Totals()

  init(directory: String, split: String, number: Int, compressor: SeekableWriter.Compressor) throws {
    name = "\(split)-\(number.zeroPadded(to: 5))"
    self.split = split
    tokens = try SeekableWriter(
      Path.join(directory, name + ".tokens.zst"), frameBytes: Self.frameBytes,
      compressor: compressor)
    rows = try SeekableWriter(
      Path.join(directory, name + ".documents.zst"), frameBytes: Self.rowFrameBytes,
      compressor: compressor)
  }

  /// Writes token bytes in their format on disk. A document may be written in parts.
  func write(_ bytes: UnsafeRawBufferPointer) throws { try tokens.write(bytes) }

  /// Ends the documents whose tokens were written.
  func endDocuments(_ documents: ArraySlice<DocumentRow>) throws {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(documents.count * DocumentRow.byteCount)
    for row in documents {
      guard row.withBytes({ bytes.append(contentsOf: $0) }) != nil else {
        throw Failure(
          .badInput,
          "a document has \(row.tokens) tokens, \(row.textBytes) bytes and \(row.words) words; "
            + "each count must be below 2³²",
          file: name, remedy: "Split the text into smaller documents")
      }
      totals.tokens += row.tokens
      totals.textBytes += row.textBytes
      totals.words += row.words
    }
    totals.documents += documents.count
    try bytes.withUnsafeBytes { try rows.write($0) }
  }

  /// Removes the files. Nothing can be written afterwards.
  func remove() throws {
    for file in [tokens.path, rows.path] where unlink(file) != 0 {
      throw SystemCall.failure("remove", file)
    }
  }

  func finish() throws -> DatasetIndex.Shard {
    let hash = try tokens.finish()
    let rowHash = try rows.finish()
    return DatasetIndex.Shard(
      file: name + ".tokens.zst", split: split, tokens: totals.tokens, documents: totals.documents,
      bytes: tokens.bytes, xxh64: Hashing.hexadecimal(hash.content), textBytes: totals.textBytes,
      words: totals.words,
      documentsFile: name + ".documents.zst", documentsXXH64: Hashing.hexadecimal(rowHash.content),
      seekTablesXXH64: SeekableFormat.hash(ofTables: hash.table, rowHash.table))
  }
}
