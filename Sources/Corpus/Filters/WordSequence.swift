import Foundation

/// The words of a text in order, as hashes and lengths.
final class WordSequence {
  private(set) var count = 0
  /// A hash of all words before each, and of all words at the end.
  ///
  /// The hash of a word more is ``extended(_:by:)``: so the hash of any n words is told by the two at their ends.
  private(set) var hashes: UnsafeMutablePointer<UInt64>
  /// Characters of all words before each, and of all words at the end, modulo 2³².
  private(set) var offsets: UnsafeMutablePointer<UInt32>
  /// Words that there is room for.
  private(set) var capacity = 1 << 10

  init() {
    hashes = Self.resized(nil, to: capacity + 1)
    offsets = Self.resized(nil, to: capacity + 1)
    (hashes[0], offsets[0]) = (0, 0)
  }

  deinit {
    free(hashes)
    free(offsets)
  }

  /// So many words have been written to both arrays.
  func end(_ count: Int) { self.count = count }

  /// Doubles the room, when it is full.
  func grow() {
    capacity *= 2
    hashes = Self.resized(hashes, to: capacity + 1)
    offsets = Self.resized(offsets, to: capacity + 1)
  }

  // What is large is moved by the system, not copied.
  private static func resized<Value>(_ array: UnsafeMutablePointer<Value>?, to count: Int)
    -> UnsafeMutablePointer<Value>
  {
    realloc(array, count * MemoryLayout<Value>.stride)!.assumingMemoryBound(to: Value.self)
  }

  static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15

  @inline(__always)
  static func extended(_ hash: UInt64, by word: UInt64) -> UInt64 { hash &* factor &+ word }
}
