import DequeModule

/// The most recently decompressed frames, up to a number of bytes.
///
/// Not thread-safe: one per reader.
final class FrameCache {
  private struct Key: Hashable {
    let shard: ObjectIdentifier
    let frame: Int
  }

  private struct Slot {
    /// Keeps the object alive whose identity is part of the key.
    let shard: ShardReader
    let bytes: UnsafeMutableRawBufferPointer
  }

  private let limit: Int
  private var used = 0
  private var slots: [Key: Slot] = [:]
  /// The frames in the order of decompression. The oldest is evicted first: sequences are read at random, so
  /// any other choice would be no better.
  private var arrivals: Deque<Key> = []
  private var latest: (key: Key, bytes: UnsafeRawBufferPointer)?

  /// The cache holds at least one frame, even if `bytes` is smaller.
  init(bytes: Int) { limit = bytes }

  deinit { for slot in slots.values { slot.bytes.deallocate() } }

  /// Calls `body` with the bytes of the tokens in `range`, in order, once for each frame that holds some of them.
  func read(_ range: Range<Int>, of shard: ShardReader, _ body: (UnsafeRawBufferPointer) throws -> Void)
    throws
  {
    var position = range.lowerBound * shard.tokenBytes
    let end = range.upperBound * shard.tokenBytes
    while position < end {
      let frame = shard.file.frame(at: position)
      let plain = shard.file.plainRange(ofFrame: frame)
      let bytes = try self.frame(frame, of: shard)
      let upper = min(end, plain.upperBound)
      try body(
        UnsafeRawBufferPointer(rebasing: bytes[(position - plain.lowerBound)..<(upper - plain.lowerBound)]))
      position = upper
    }
  }

  /// The uncompressed bytes of a frame, valid until the next call.
  private func frame(_ frame: Int, of shard: ShardReader) throws -> UnsafeRawBufferPointer {
    let key = Key(shard: ObjectIdentifier(shard), frame: frame)
    if let latest, latest.key == key { return latest.bytes }
    let bytes: UnsafeMutableRawBufferPointer
    if let slot = slots[key] {
      bytes = slot.bytes
    } else {
      let size = shard.file.plainRange(ofFrame: frame).count
      while used + size > limit && !arrivals.isEmpty { dropOldest() }
      latest = nil
      bytes = .allocate(byteCount: size, alignment: 64)
      do { try shard.load(frame: frame, into: bytes) } catch {
        bytes.deallocate()
        throw error
      }
      slots[key] = Slot(shard: shard, bytes: bytes)
      arrivals.append(key)
      used += size
    }
    latest = (key, UnsafeRawBufferPointer(bytes))
    return UnsafeRawBufferPointer(bytes)
  }

  private func dropOldest() {
    let slot = slots.removeValue(forKey: arrivals.removeFirst())!
    used -= slot.bytes.count
    slot.bytes.deallocate()
  }
}
