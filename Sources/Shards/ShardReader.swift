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
