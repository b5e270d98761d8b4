import Foundation
import Support

/// The tokens of one split as they lie on disk, a frame at a time and from any thread: for who need not know where
/// documents begin.
package final class EncodedFrames: Sendable {
  /// Frames in all shards of the split.
  package let count: Int
  private let shards: [ShardReader]
  private let tokenBytes: Int
  /// The first frame of each shard.
  private let starts: [Int]

  package init(_ dataset: Dataset, split: String) throws {
    tokenBytes = dataset.index.tokenBytes
    shards = try dataset.shards(of: split).map {
      try ShardReader(directory: dataset.path, entry: $0, index: dataset.index)
    }
    var starts: [Int] = []
    var count = 0
    for shard in shards {
      starts.append(count)
      count += shard.file.frameCount
    }
    (self.starts, self.count) = (starts, count)
  }

  /// Calls `body` with the ids of a frame, little-endian, checked against the checksum and the vocabulary.
  package func withFrame<Result>(
    _ index: Int, _ body: (_ bytes: UnsafeRawBufferPointer, _ tokenBytes: Int) throws -> Result
  ) throws -> Result {
    let shard = shards[starts.lastIndex { $0 <= index }!]
    let frame = index - starts[starts.lastIndex { $0 <= index }!]
    let size = shard.file.plainRange(ofFrame: frame).count
    return try withUnsafeTemporaryAllocation(byteCount: max(size, 1), alignment: 64) { buffer in
      try shard.load(frame: frame, into: buffer)
      return try body(UnsafeRawBufferPointer(rebasing: buffer[..<size]), tokenBytes)
    }
  }
}
