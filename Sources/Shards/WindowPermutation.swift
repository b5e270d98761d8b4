import Support

/// A random-looking order of `0..<count` that is computed, not stored: any position in constant time and no memory.
///
/// A balanced Feistel network over the smallest even number of bits that holds `count`, walked until it lands inside
/// (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). A Feistel network is a bijection whatever its
/// round function, and so is the walk; the domain is less than four times `count`, so the walk takes under four steps on
/// average.
package struct WindowPermutation: Sendable {
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

  /// Which window stands at a position of the order.
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
