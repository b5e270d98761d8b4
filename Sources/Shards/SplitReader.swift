import Algorithms
import Support

/// Reads the tokens of one split as one array that spans its shards.
///
/// Not thread-safe. Use one per thread.
package final class SplitReader {
  package let tokenCount: Int
  private let shards: [ShardReader]
  /// The position of the first token of each shard, and the end.
  private let starts: [Int]
  private let tokenBytes: Int
  private let vocabularySize: Int
  private let path: String
  private let cache: FrameCache

  /// `cacheBytes` limits the memory for decompressed tokens.
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

  /// Fills `buffer` with the tokens from `position` on. All of them must exist.
  ///
  /// Throws for damaged frames and for ids outside the vocabulary, so the ids are safe to use as indices.
  package func read(at position: Int, into buffer: UnsafeMutableBufferPointer<Int32>) throws {
    precondition(position >= 0 && position + buffer.count <= tokenCount)
    var filled = 0
    var shard = max(0, starts.partitioningIndex { $0 > position } - 1)
    while filled < buffer.count {
      let lower = position + filled - starts[shard]
      let upper = min(shards[shard].entry.tokens, lower + buffer.count - filled)
      try cache.read(lower..<upper, of: shards[shard]) { bytes in
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
        file: path, remedy: "Recreate the dataset; pkm-data verify names the damaged shard")
    }
  }

  private static func widen<ID: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _ type: ID.Type, _ target: UnsafeMutableBufferPointer<Int32>
  ) {
    let ids = bytes.bindMemory(to: ID.self)
    for index in 0..<ids.count { target[index] = Int32(truncatingIfNeeded: ID(littleEndian: ids[index])) }
  }
}
