import Corpus
import Support
import Testing

/// The standard library also repairs as Unicode recommends, so it is the reference.
@Suite(.timeLimit(.minutes(60))) struct UTF8RepairTests {
  private func check(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { raw in
      let (text, replaced, first) = UTF8Repair.repair(raw)
      #expect(text == Array(String(decoding: bytes, as: UTF8.self).utf8), "\(bytes)")
      #expect((replaced == 0) == UTF8Repair.isValid(raw))
      #expect(UTF8Repair.isValid(UnsafeRawBufferPointer(rebasing: raw[..<first])))
    }
  }

  @Test func repairsTheStandardsExamples() {
    // Unicode Standard, table 3-8: 61 F1 80 80 | E1 80 | C2 | 62 | 80 | 63.
    check([0x61, 0xf1, 0x80, 0x80, 0xe1, 0x80, 0xc2, 0x62, 0x80, 0x63])
    for bytes: [UInt8] in [
      [], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x91, 0x92, 0x93], [0xff, 0x41],
      [0xe4, 0xb8],
      [0xf0, 0x9f, 0x98], [0xf0, 0x9f], [0xfe],
    ] { check(bytes) }
  }

  @Test func agreesWithTheStandardLibrary() {
    var random = RandomGenerator(seed: 5)
    let interesting: [UInt8] = [
      0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1,
      0xf4, 0xf5,
      0xff,
    ]
    for _ in 0..<20_000 {
      check((0..<random.below(12)).map { _ in interesting[random.below(interesting.count)] })
    }
  }
}
