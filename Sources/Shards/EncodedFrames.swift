import Foundation
import Support

/// Reads the tokens of one split in their format on disk, one frame at a time and from any thread, for
/// callers that ignore document boundaries.
package final class EncodedFrames: Sendable {
  /// The number of frames in all shards of the split.
  package let count: Int
  private let shards: [ShardReader]
  private let tokenBytes: Int
  /// The index of the first frame of each shard.
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

  /// Calls `body` with the little-endian ids of a frame, after checking the checksum and the range of the
  /// ids.
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
