import Support

/// A pseudorandom permutation of `0..<count` that is computed, not stored: any position in constant time and
/// without memory.
///
/// It is a balanced Feistel network over the smallest even number of bits that can represent `count`,
/// repeated until the result is in range (cycle walking; Black and Rogaway, "Ciphers with arbitrary finite
/// domains", 2002). A Feistel network is a bijection for any round function, and so is the walk. The domain
/// is less than four times `count`, so the walk takes fewer than four steps on average.
package struct SequencePermutation: Sendable {
  package let count: Int
  private let halfBits: UInt64
  private let keys: [UInt64]

  package init(count: Int, seed: UInt64, epoch: Int) {
    self.count = count
    var half: UInt64 = 1
    while half < 31, 1 << (2 * half) < UInt64(max(count, 1)) { half += 1 }
    halfBits = half
    var generator = RandomGenerator(seed: RandomGenerator.mix(seed) ^ UInt64(epoch), stream: "window order")
    keys = (0..<6).map { _ in generator.next() }
  }

  /// The sequence at a position of the order.
  package subscript(position: Int) -> Int {
    precondition((0..<count).contains(position))
    let mask: UInt64 = (1 << halfBits) - 1
    var value = UInt64(position)
    repeat {
      var left = value >> halfBits
      var right = value & mask
      for key in keys { (left, right) = (right, left ^ RandomGenerator.mix(right ^ key) & mask) }
      value = left << halfBits | right
    } while value >= UInt64(count)
    return Int(value)
  }
}
