import Support

/// One shard of a dataset. Its frames are checked against the checksums of the seek table as they are read.
package final class ShardReader: Sendable {
  package let entry: DatasetIndex.Shard
  let file: SeekableReader
  private let vocabularySize: Int
  let tokenBytes: Int

  package init(directory: String, entry: DatasetIndex.Shard, index: DatasetIndex) throws {
    self.entry = entry
    vocabularySize = index.vocabularySize
    tokenBytes = index.tokenBytes
    file = try SeekableReader(Path.join(directory, entry.file))
    guard file.bytes == entry.bytes else {
      throw Failure(
        .badInput, "the shard contains \(file.bytes) bytes of tokens, index.json says \(entry.bytes)",
        file: file.path,
        remedy: "It belongs to another dataset or is damaged: copy the whole dataset again or recreate it")
    }
    try Self.checkTables(of: entry, in: directory, tokens: file)
  }

  /// Throws where the files are not those that the index was written with, even if they have the same size.
  private static func checkTables(of entry: DatasetIndex.Shard, in directory: String, tokens: SeekableReader)
    throws
  {
    guard let expected = entry.seekTablesXXH64 else { return }
    let documents = try SeekableReader(Path.join(directory, entry.documentsFile))
    guard SeekableFormat.hash(ofTables: tokens.tableHash, documents.tableHash) == expected else {
      throw Failure(
        .badInput,
        "the checksums in the shard, or in \(entry.documentsFile), are not those that index.json records",
        file: tokens.path,
        remedy:
          "One of them belongs to another dataset or is damaged: copy the whole dataset again or recreate it")
    }
  }

  /// Decompresses a frame and checks that all its ids are in the vocabulary.
  func load(frame: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    let size = try file.decompress(frame: frame, into: buffer)
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<size])
    let largest = Self.largestID(bytes, tokenBytes: tokenBytes)
    guard size % tokenBytes == 0, largest < vocabularySize else {
      throw Failure(
        .badInput, "token id \(largest) is outside the vocabulary of \(vocabularySize)", file: file.path,
        offset: file.offset(ofFrame: frame),
        remedy: "The shard belongs to another dataset: recreate the dataset")
    }
  }

  static func largestID(_ bytes: UnsafeRawBufferPointer, tokenBytes: Int) -> Int {
    tokenBytes == 2 ? Int(largest(bytes, UInt16.self)) : Int(largest(bytes, UInt32.self))
  }

  private static func largest<ID: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ type: ID.Type) -> ID {
    var largest: ID = 0
    for id in bytes.bindMemory(to: ID.self) { largest = max(largest, ID(littleEndian: id)) }
    return largest
  }
}
