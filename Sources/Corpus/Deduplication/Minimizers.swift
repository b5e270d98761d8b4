import Support

/// Chooses anchors in a text by its content: in every window the position of the smallest k-mer hash.
///
/// A window is `length` units. Of equal hashes the last one counts. The method is known as winnowing
/// (Schleimer, Wilkerson and Aiken, 2003) and minimizers (Roberts et al., 2004).
///
/// Equal windows have their anchor at the same relative position, wherever they occur. So equal windows can
/// be found by comparing anchors alone, of which there are about 2 per w + 1 positions, where w = length - k
/// + 1.
package struct Minimizers: Sendable {
  /// The number of units in a window.
  package let length: Int
  /// The number of units hashed together, half a window. Shorter k-mers are more often equal by chance, and
  /// longer ones need more anchors.
  package let k: Int
  /// The number of k-mers in a window.
  package let w: Int

  private static let base: UInt64 = 0xd6e8_feb8_6659_fd93
  /// `base` to the power of k - 1.
  private let oldestWeight: UInt64
  private let ringMask: Int

  package init(length: Int) {
    precondition(length >= 1)
    self.length = length
    k = (length + 1) / 2
    w = length - k + 1
    oldestWeight = (1..<max(k, 1)).reduce(1) { weight, _ in weight &* Self.base }
    var ring = 1
    while ring < w { ring *= 2 }
    ringMask = ring - 1
  }

  /// Calls `body(position, hash of the k-mer there)` for each anchor of a text of `count` units, in order.
  ///
  /// The time is linear, except for text made so that hashes keep increasing over many windows: then it is w
  /// times that.
  @inline(__always)
  package func forEachAnchor(
    count: Int, unit: (Int) -> UInt64, _ body: (_ position: Int, _ hash: UInt64) -> Void
  ) {
    guard count >= length else { return }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: ringMask + 1) { ring in
      let ring = ring.baseAddress!
      var rolling: UInt64 = 0
      for position in 0..<(k - 1) { rolling = rolling &* Self.base &+ unit(position) }
      var smallest = UInt64.max
      var smallestAt = 0
      var lastAnchor = -1
      for position in 0...(count &- k) {
        rolling = rolling &* Self.base &+ unit(position &+ k &- 1)
        let hash = (rolling ^ rolling >> 32) &* Hashing.goldenRatio
        rolling &-= unit(position) &* oldestWeight
        ring[position & ringMask] = hash
        if hash <= smallest {
          smallest = hash
          smallestAt = position
        } else if smallestAt <= position &- w {
          smallest = .max
          for candidate in (position &- w &+ 1)...position where ring[candidate & ringMask] <= smallest {
            smallest = ring[candidate & ringMask]
            smallestAt = candidate
          }
        }
        if position >= w &- 1 && smallestAt != lastAnchor {
          lastAnchor = smallestAt
          body(smallestAt, smallest)
        }
      }
    }
  }
}
