import CCrypto
import CISAL
import CXXHash

/// Hash functions that give the same values on every run and every machine, unlike Swift's `Hasher`.
///
/// Other modules inline members of a type only if it is `@usableFromInline` itself.
@usableFromInline package enum Hashing {
  /// 2⁶⁴ divided by the golden ratio: a product with it spreads a key over the high bits (Knuth, The Art of
  /// Computer Programming, volume 3, section 6.4).
  @inlinable package static var goldenRatio: UInt64 { 0x9e37_79b9_7f4a_7c15 }

  /// A hash of 8 bytes for tables in memory: both halves of the product with ``goldenRatio``.
  @inlinable @inline(__always)
  package static func fold(_ key: UInt64) -> UInt64 {
    let product = key.multipliedFullWidth(by: goldenRatio)
    return product.high ^ product.low
  }

  /// A hash of 16 bytes for tables in memory: both halves of a product of 128 bits, as in wyhash.
  @inlinable @inline(__always)
  package static func fold(_ low: UInt64, _ high: UInt64) -> UInt64 {
    let product = (low ^ goldenRatio).multipliedFullWidth(by: high ^ 0xd6e8_feb8_6659_fd93)
    return product.high ^ product.low
  }

  /// CRC-32 with Castagnoli's polynomial, as in iSCSI and TFRecord.
  package static func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let start = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    return ~crc32_iscsi(start, Int32(bytes.count), ~0)
  }

  /// XXH64, the checksum of shards and of seekable zstd frames.
  package static func xxh64(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    XXH64(bytes.baseAddress, bytes.count, seed)
  }

  /// XXH3 with 64 bits, for keys of hash tables and random splits.
  package static func xxh3(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    XXH3_64bits_withSeed(bytes.baseAddress, bytes.count, seed)
  }

  package static func xxh3(_ text: String, seed: UInt64 = 0) -> UInt64 {
    var text = text
    return text.withUTF8 { xxh3(UnsafeRawBufferPointer($0), seed: seed) }
  }

  /// XXH3 with 128 bits, for the identity of a document: among 60 million, two collide with probability
  /// 5e-24.
  package static func xxh3Wide(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt128 {
    let hash = XXH3_128bits_withSeed(bytes.baseAddress, bytes.count, seed)
    return UInt128(hash.high64) << 64 | UInt128(hash.low64)
  }

  /// SHA-256 in lower-case hexadecimal.
  package static func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    SHA256(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &digest)
    return hexadecimal(digest)
  }

  package static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// 16 lower-case hexadecimal digits.
  package static func hexadecimal(_ value: UInt64) -> String {
    hexadecimal(withUnsafeBytes(of: value.bigEndian, Array.init))
  }
}
