import Support

/// The random bits that runs of every version must share, so that a checkpoint can be resumed.
enum PlainBits {
  static func random(_ key: UInt64, _ index: Int) -> UInt32 {
    var bits = UInt32(index) &* 0x9e37_79b1 &+ UInt32(truncatingIfNeeded: key)
    bits = (bits ^ bits >> 16) &* 0x85eb_ca6b
    bits = ((bits ^ bits >> 13) &+ UInt32(key >> 32)) &* 0xc2b2_ae35
    bits = (bits ^ bits >> 16) &* 0x9e37_79b1
    return bits ^ bits >> 15
  }

  /// bfloat16: rounded up with the probability that the cut-off part is of a whole step.
  static func stochastic(_ x: Double, update: Int, memory: Int, slot: Int, column: Int) -> Double {
    let key =
      RandomGenerator.mix(UInt64(update) << 8 | UInt64(memory)) ^ UInt64(slot) &* 0x9e37_79b9_7f4a_7c15
    let bits = Float(x).bitPattern &+ random(key, column) & 0xffff
    return Double(Float(bitPattern: bits & 0xffff_0000))
  }
}
