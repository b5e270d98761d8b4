import Foundation

/// xoshiro256** (Blackman and Vigna, 2018), seeded through SplitMix64.
///
/// A checkpoint saves its state.
@usableFromInline package struct RandomGenerator: RandomNumberGenerator, Codable, Sendable, Equatable {
  private var a, b, c, d: UInt64

  package init(seed: UInt64) {
    var state = seed
    func next() -> UInt64 {
      state &+= Hashing.goldenRatio
      return Self.mix(state)
    }
    (a, b, c, d) = (next(), next(), next(), next())
  }

  /// An independent stream for a named purpose, so that adding a consumer does not disturb the others.
  package init(seed: UInt64, stream: String) { self.init(seed: Hashing.xxh3(stream, seed: seed)) }

  /// The output function of SplitMix64: a bijection whose every output bit depends on every input bit.
  @inlinable package static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  @usableFromInline package mutating func next() -> UInt64 {
    let product = b &* 5
    let result = (product << 7 | product >> 57) &* 9
    let shifted = b << 17
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = d << 45 | d >> 19
    return result
  }

  /// Uniform in [0, 1) with 53 bits.
  package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in 0..<bound (multiply-high with rejection, Lemire, 2019).
  package mutating func below(_ bound: Int) -> Int {
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let threshold = (0 &- bound) % bound
      while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
    }
    return Int(product.high)
  }

  /// Standard normal (Box and Muller, 1958). The second number of each pair is dropped, so that there is no
  /// more state.
  package mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * .pi * uniform())
  }
}
