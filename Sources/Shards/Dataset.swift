import Foundation
import Support

/// A dataset directory, opened for reading: its index is valid and its files are there; their content is checked as it
/// is read.
package struct Dataset: Sendable {
  package let path: String
  package let index: DatasetIndex

  package init(_ path: String) throws {
    self.path = path
    index = try DatasetIndex(directory: path)
  }

  /// Names of the splits, sorted.
  package var splits: [String] { index.splits.keys.sorted() }

  package func totals(of split: String) throws -> DatasetIndex.Totals {
    guard let totals = index.splits[split] else {
      throw Failure(
        .usage, "the dataset has no split \"\(split)\"", file: path,
        remedy: "It has: " + (splits.isEmpty ? "none" : splits.joined(separator: ", ")))
    }
    return totals
  }

  /// Tokens of a split, end-of-document ids included.
  package func tokenCount(of split: String) throws -> Int { try totals(of: split).tokens }

  /// The shards of a split in order.
  package func shards(of split: String) throws -> [DatasetIndex.Shard] {
    _ = try totals(of: split)
    return index.shards.filter { $0.split == split }
  }

  package var tokenizerPath: String { Path.join(path, index.tokenizer.file) }

  /// The bytes of the tokenizer, which must be the very one that made the ids.
  package func tokenizerJSON() throws -> [UInt8] {
    let bytes = try MappedFile.read(tokenizerPath)
    let sha256 = bytes.withUnsafeBytes { Hashing.sha256($0) }
    guard sha256 == index.tokenizer.sha256 else {
      throw Failure(
        .badInput,
        "not the tokenizer that encoded the dataset: its SHA-256 is \(sha256), index.json says "
          + index.tokenizer.sha256,
        file: tokenizerPath, remedy: "Restore tokenizer.json or make the dataset again")
    }
    return bytes
  }
}

/// The tokens of one split as one long sequence across its shards.
///
/// Not thread-safe: one for each thread.
package final class SplitReader {
  package let tokenCount: Int
  private let shards: [ShardReader]
  /// First token of each shard, and the end.
  private let starts: [Int]
  private let tokenBytes: Int
  private let vocabularySize: Int
  private let path: String
  private let cache: FrameCache

  /// `cacheBytes` bounds the memory for decompressed tokens.
  package init(_ dataset: Dataset, split: String, cacheBytes: Int = 256 << 20) throws {
    shards = try dataset.shards(of: split).filter { $0.tokens > 0 }.map {
      try ShardReader(directory: dataset.path, entry: $0, index: dataset.index)
    }
    starts = shards.reduce(into: [0]) { $0.append($0.last! + $1.entry.tokens) }
    tokenCount = starts.last!
    tokenBytes = dataset.index.tokenBytes
    vocabularySize = dataset.index.vocabularySize
    path = dataset.path
    cache = FrameCache(bytes: cacheBytes)
  }

  /// Fills `buffer` with the tokens that begin at `position`; all of them must exist.
  ///
  /// Throws for damaged frames and for ids outside the vocabulary: what comes out can be used as an index.
  package func read(at position: Int, into buffer: UnsafeMutableBufferPointer<Int32>) throws {
    precondition(position >= 0 && position + buffer.count <= tokenCount)
    var filled = 0
    var shard = shardIndex(of: position)
    while filled < buffer.count {
      let lower = position + filled - starts[shard]
      let upper = min(shards[shard].entry.tokens, lower + buffer.count - filled)
      try shards[shard].read(lower..<upper, through: cache) { bytes in
        let target = UnsafeMutableBufferPointer(rebasing: buffer[filled...])
        if tokenBytes == 2 {
          Self.widen(bytes, UInt16.self, target)
        } else {
          Self.widen(bytes, UInt32.self, target)
        }
        filled += bytes.count / tokenBytes
      }
      shard += 1
    }
    let limit = UInt32(vocabularySize)
    if let wrong = buffer.firstIndex(where: { UInt32(bitPattern: $0) >= limit }) {
      throw Failure(
        .badInput,
        "token \(position + wrong) has id \(UInt32(bitPattern: buffer[wrong])), the vocabulary ends at \(limit - 1)",
        file: path, remedy: "Make the dataset again; pkm-data verify shows the shard")
    }
  }

  private static func widen<ID: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _ type: ID.Type, _ target: UnsafeMutableBufferPointer<Int32>
  ) {
    let ids = bytes.bindMemory(to: ID.self)
    for index in 0..<ids.count { target[index] = Int32(truncatingIfNeeded: ID(littleEndian: ids[index])) }
  }

  private func shardIndex(of position: Int) -> Int {
    var low = 0
    var high = max(shards.count, 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= position { low = middle } else { high = middle }
    }
    return low
  }
}
