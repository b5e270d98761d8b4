import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct HashingTests {
  /// Test vectors of the functions' own specifications.
  @Test func knownValues() {
    Array("abc".utf8).withUnsafeBytes { abc in
      #expect(
        Hashing.sha256(abc) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
      #expect(Hashing.xxh64(abc) == 0x44bc_2cf5_ad77_0999)
    }
    #expect(Array("123456789".utf8).withUnsafeBytes { Hashing.crc32c($0) } == 0xe306_9283)
    let none = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(Hashing.xxh64(none) == 0xef46_db37_51d8_e999)
    #expect(Hashing.xxh3(none) == 0x2d06_8005_38d3_94c2)
    #expect(Hashing.xxh3Wide(none) == 0x99aa_06d3_0147_98d8_6001_c324_468d_497f)
    #expect(Hashing.hexadecimal(0x0123_4567_89ab_cdef) == "0123456789abcdef")
  }

  @Test func aStreamHashesAsItsWhole() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    bytes.withUnsafeBytes { bytes in
      let stream = StreamingXXH64()
      for start in stride(from: 0, to: 1000, by: 77) {
        stream.update(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 77, 1000)]))
      }
      #expect(stream.digest == Hashing.xxh64(bytes))
    }
  }
}
