import Support

/// Anchors of a text, chosen by its content: of every window the position of its smallest k-mer hash.
///
/// A window is `length` units; of equal hashes the last one counts. Schleimer, Wilkerson and Aiken 2003 call this
/// winnowing, Roberts et al. 2004 minimizers.
///
/// Windows of the same units have their anchor at the same place, wherever they stand. So two equal windows are found by
/// comparing anchors alone, of which there are about 2 to w + 1 positions, w = length - k + 1.
package struct Minimizers: Sendable {
  /// Units in a window.
  package let length: Int
  /// Units that are hashed together, half a window: shorter ones are equal by chance more often, longer ones need more
  /// anchors.
  package let k: Int
  /// k-mers in a window.
  package let w: Int

  private static let base: UInt64 = 0xd6e8_feb8_6659_fd93
  /// base to the power of k - 1.
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
  /// Linear but for hashes that keep growing over many windows, which only a text made for it has: then w times that.
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
        let hash = (rolling ^ rolling >> 32) &* 0x9e37_79b9_7f4a_7c15
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
