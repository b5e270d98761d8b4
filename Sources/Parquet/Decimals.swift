/// Decimal numbers with all their digits.
enum Decimals {
  private static let longest = 1 << 12

  static func append(_ unscaled: Int64, scale: Int, to out: inout [UInt8]) {
    append(digits: String(unscaled.magnitude), isNegative: unscaled < 0, scale: scale, to: &out)
  }

  /// A number in two's complement, big-endian, of any length.
  static func append(_ bytes: UnsafeRawBufferPointer, scale: Int, to out: inout [UInt8]) throws {
    guard bytes.count <= longest else { throw ParquetError("a decimal of \(bytes.count) bytes") }
    let isNegative = (bytes.first ?? 0) >= 0x80
    var limbs: [UInt32] = []
    var magnitude = [UInt8](bytes)
    if isNegative {
      var carry = true
      for index in magnitude.indices.reversed() {
        magnitude[index] = ~magnitude[index]
        if carry {
          magnitude[index] &+= 1
          carry = magnitude[index] == 0
        }
      }
    }
    // Limbs of nine decimal digits, the lowest first.
    for byte in magnitude {
      var carry = UInt64(byte)
      for index in limbs.indices {
        carry += UInt64(limbs[index]) << 8
        limbs[index] = UInt32(carry % 1_000_000_000)
        carry /= 1_000_000_000
      }
      if carry > 0 { limbs.append(UInt32(carry)) }
    }
    var digits = limbs.last.map { String($0) } ?? "0"
    for limb in limbs.dropLast().reversed() {
      let part = String(limb)
      digits += String(repeating: "0", count: 9 - part.count) + part
    }
    append(digits: digits, isNegative: isNegative, scale: scale, to: &out)
  }

  private static func append(digits: String, isNegative: Bool, scale: Int, to out: inout [UInt8]) {
    if isNegative { out.append(UInt8(ascii: "-")) }
    let digits = Array(digits.utf8)
    if scale == 0 { return out.append(contentsOf: digits) }
    let padded = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, scale + 1 - digits.count)) + digits
    out.append(contentsOf: padded.dropLast(scale))
    out.append(UInt8(ascii: "."))
    out.append(contentsOf: padded.suffix(scale))
  }
}
