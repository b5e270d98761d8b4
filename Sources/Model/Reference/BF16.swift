/// bfloat16: the upper 16 bits of a Float.
enum BF16 {
  static func number(_ bits: UInt16) -> Double { Double(Float(bitPattern: UInt32(bits) << 16)) }

  /// The nearest bfloat16; of two equally near ones the even one.
  static func nearest(_ x: Double) -> UInt16 {
    let bits = Float(x).bitPattern
    if x.isNaN { return UInt16(bits >> 16) | 0x40 }
    let isOdd = bits >> 16 & 1
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ isOdd) >> 16)
  }

  /// Stochastic rounding: away from zero with the probability that the cut-off part is of a whole step, so that updates
  /// smaller than a step count on average.
  ///
  /// - Parameter random: 32 random bits, of which the lower 16 are compared with the part that is cut off.
  static func stochastic(_ x: Double, random: UInt32) -> UInt16 {
    let bits = Float(x).bitPattern
    if x.isNaN { return UInt16(bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ (random & 0xffff)) >> 16)
  }
}
