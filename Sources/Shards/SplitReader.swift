import Support

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
