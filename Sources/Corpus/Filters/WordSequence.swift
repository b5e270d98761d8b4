import Foundation
import Support

/// The words of a text in order, as hashes and lengths.
final class WordSequence {
  private(set) var count = 0
  /// The hash of all words before each word, and of all words at the end.
  ///
  /// ``extended(_:by:)`` adds a word to a hash, so the hash of any n consecutive words follows from the two
  /// at their ends.
  private(set) var hashes: UnsafeMutablePointer<UInt64>
  /// The number of characters of all words before each word, and of all words at the end, modulo 2³².
  private(set) var offsets: UnsafeMutablePointer<UInt32>
  /// The number of words that the arrays can hold.
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

  /// Sets the number of words that were written to both arrays.
  func end(_ count: Int) { self.count = count }

  /// Doubles the capacity.
  func grow() {
    capacity *= 2
    hashes = Self.resized(hashes, to: capacity + 1)
    offsets = Self.resized(offsets, to: capacity + 1)
  }

  // realloc remaps large arrays instead of copying them.
  private static func resized<Value>(_ array: UnsafeMutablePointer<Value>?, to count: Int)
    -> UnsafeMutablePointer<Value>
  {
    realloc(array, count * MemoryLayout<Value>.stride)!.assumingMemoryBound(to: Value.self)
  }

  static let factor: UInt64 = Hashing.goldenRatio

  @inline(__always)
  static func extended(_ hash: UInt64, by word: UInt64) -> UInt64 { hash &* factor &+ word }
}
