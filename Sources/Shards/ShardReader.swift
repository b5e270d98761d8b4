import Foundation
import Support

/// One shard of a dataset: any range of its tokens, checked on the way against the checksums of the seek table.
package final class ShardReader: Sendable {
  package let entry: DatasetIndex.Shard
  let file: SeekableReader
  private let vocabularySize: Int
  private let tokenBytes: Int

  package init(directory: String, entry: DatasetIndex.Shard, index: DatasetIndex) throws {
    self.entry = entry
    vocabularySize = index.vocabularySize
    tokenBytes = index.tokenBytes
    file = try SeekableReader(Path.join(directory, entry.file))
    guard file.bytes == entry.bytes else {
      throw Failure(
        .badInput, "the shard holds \(file.bytes) bytes of tokens, index.json says \(entry.bytes)",
        file: file.path,
        remedy: "It belongs to another dataset or is damaged: copy the whole dataset again or make it again")
    }
  }

  /// Calls `body` with the bytes of the tokens in `range`, in order, one piece for each frame that it touches.
  func read(_ range: Range<Int>, through cache: FrameCache, _ body: (UnsafeRawBufferPointer) throws -> Void)
    throws
  {
    var position = range.lowerBound * tokenBytes
    let end = range.upperBound * tokenBytes
    while position < end {
      let frame = file.frame(at: position)
      let plain = file.plainRange(ofFrame: frame)
      let bytes = try cache.frame(frame, of: self)
      let upper = min(end, plain.upperBound)
      try body(
        UnsafeRawBufferPointer(rebasing: bytes[(position - plain.lowerBound)..<(upper - plain.lowerBound)]))
      position = upper
    }
  }

  /// Decompresses a frame and makes sure that every id in it is of the vocabulary.
  func load(frame: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    let size = try file.decompress(frame: frame, into: buffer)
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<size])
    let largest =
      tokenBytes == 2 ? Int(Self.largest(bytes, UInt16.self)) : Int(Self.largest(bytes, UInt32.self))
    guard size % tokenBytes == 0, largest < vocabularySize else {
      throw Failure(
        .badInput, "a token id \(largest) is outside the vocabulary of \(vocabularySize)", file: file.path,
        offset: file.offset(ofFrame: frame),
        remedy: "The shard belongs to another dataset: make the dataset again")
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

/// The frames decompressed last, up to a number of bytes.
///
/// Not thread-safe: one for each reader.
final class FrameCache {
  private struct Key: Hashable {
    let shard: ObjectIdentifier
    let frame: Int
  }

  private struct Slot {
    /// Kept alive: the key is its identity.
    let shard: ShardReader
    let bytes: UnsafeMutableRawBufferPointer
  }

  private let limit: Int
  private var used = 0
  private var slots: [Key: Slot] = [:]
  /// The frames in the order they came, and how many of them have gone: sequences are read at random, so which frame goes does
  /// not matter, but finding it should cost nothing.
  private var arrivals: [Key] = []
  private var gone = 0
  private var latest: (key: Key, bytes: UnsafeRawBufferPointer)?

  /// Holds at least one frame, whatever `bytes` is.
  init(bytes: Int) { limit = bytes }

  deinit { for slot in slots.values { slot.bytes.deallocate() } }

  /// The plain bytes of a frame, valid until the next call.
  func frame(_ frame: Int, of shard: ShardReader) throws -> UnsafeRawBufferPointer {
    let key = Key(shard: ObjectIdentifier(shard), frame: frame)
    if let latest, latest.key == key { return latest.bytes }
    let bytes: UnsafeMutableRawBufferPointer
    if let slot = slots[key] {
      bytes = slot.bytes
    } else {
      let size = shard.file.plainRange(ofFrame: frame).count
      while used + size > limit && gone < arrivals.count { dropOldest() }
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
    let slot = slots.removeValue(forKey: arrivals[gone])!
    used -= slot.bytes.count
    slot.bytes.deallocate()
    gone += 1
    if gone > arrivals.count / 2 {
      arrivals.removeFirst(gone)
      gone = 0
    }
  }
}
