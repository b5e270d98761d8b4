import Support
import Testing

@testable import Corpus

/// The hash of a word depends on its letters alone, wherever it stands.
@Suite(.timeLimit(.minutes(60))) struct WordHashTests {
  private func hashes(_ text: String, seed: UInt64 = 0) -> [UInt64] {
    var found: [UInt64] = []
    Array(text.utf8).withUnsafeBytes { bytes in
      ComparisonKey(seed: seed).forEachWords(of: bytes) { found += $0 }
    }
    return found
  }

  @Test(arguments: 1...40) func aWordHasOneHash(length: Int) {
    var random = RandomGenerator(seed: UInt64(length))
    let word = String((0..<length).map { _ in Character(Unicode.Scalar(UInt8(97 + random.below(26)))) })
    let alone = hashes(word)
    #expect(alone.count == 1)
    for before in ["", "x ", "some words before ", String(repeating: "y ", count: 31)] {
      for after in ["", " ", " x", ".", ", and more words behind it", " zzzzzzzzzzzzzzzzzzzzzzzzz"] {
        #expect(hashes(before + word + after).contains(alone[0]), "\(before)|\(word)|\(after)")
      }
    }
    #expect(hashes(word, seed: 1) != alone)
  }

  @Test(arguments: 1...40) func everyLetterCounts(length: Int) {
    let word = [Character](repeating: "m", count: length)
    var found = Set(hashes(String(word)) + hashes(String(word) + "m"))
    for place in 0..<length {
      var other = word
      other[place] = "n"
      found.formUnion(hashes(String(other)))
    }
    #expect(found.count == length + 2)
  }

  /// A vowel sign, whose class is 0, stays behind the marks before it: a nukta, a virama.
  @Test(arguments: ["\u{915}\u{93c}\u{93e}", "\u{995}\u{9bc}\u{9c0}"])
  func marksOfClassZeroStayInTheirPlace(text: String) {
    var key: [UInt8] = []
    Array(text.utf8).withUnsafeBytes { ComparisonKey().append(keyOf: $0, to: &key) }
    let scalars = String(decoding: key, as: UTF8.self).unicodeScalars.filter { $0 != " " }
    #expect(Array(scalars) == Array(text.unicodeScalars), "\(scalars)")
  }

  @Test func charactersAreHashedWithTheSeed() {
    func hashes(_ seed: UInt64) -> Set<UInt64> {
      var found: Set<UInt64> = []
      Array("some words of a text, été".utf8).withUnsafeBytes { bytes in
        ComparisonKey(seed: seed).forEachCharacters(of: bytes) { found.formUnion($0) }
      }
      return found
    }
    #expect(hashes(1).count > 10 && hashes(1) == hashes(1) && hashes(1).isDisjoint(with: hashes(1 << 40)))
  }

  /// More equal bytes than the lanes of a vector can count at once.
  @Test(arguments: [255 * 64, 256 * 64, 256 * 64 + 1, 1000 * 64 + 63]) func manyEqualBytesAreCounted(
    count: Int
  ) {
    [UInt8](repeating: 0x41, count: count).withUnsafeBytes { #expect(Bytes.count(of: 0x41, in: $0) == count) }
  }
}
