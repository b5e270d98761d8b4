import Corpus
import Foundation
import Support
import Testing

@Suite struct ComparisonKeyTests {
  private func key(_ text: String) -> String {
    let key = ComparisonKey()
    return String(decoding: Array(text.utf8).withUnsafeBytes { key.key(of: $0) }, as: UTF8.self)
  }

  private func words(_ text: String, seed: UInt64 = 0) -> [UInt64] {
    let key = ComparisonKey(seed: seed)
    var words: [UInt64] = []
    Array(text.utf8).withUnsafeBytes { key.forEachWords(of: $0) { words += $0 } }
    return words
  }

  @Test(arguments: [
    ("Größe: 1,5 KM!", "grosse 0 0 km"), ("", ""), ("...", ""), ("  a  b ", "a b"), ("don't", "don t"),
    ("ÉTÉ e\u{301}te\u{301}", "ete ete"), ("ﬁn ＡＢＣ１ ½", "fin abc0 0 0"), ("co\u{ad}op", "coop"),
    ("ΣΊΣΥΦΟΣ σίσυφος", "σισυφοσ σισυφοσ"), ("漢字とかな", "漢 字 と か な"), ("ไทย", "ไ ท ย"),
    ("٣٤ 12", "00 00"), ("snake_case", "snake case"), ("İstanbul", "istanbul"), ("Ёлка", "елка"),
    ("हिन्दी", "हिनदी"), ("\u{1f600}a\u{1f600}", "a"),
  ])
  func keysFollowTheRules(text: String, expected: String) { #expect(key(text) == expected) }

  @Test func equivalentTextsHaveTheSameKey() {
    for text in ["한국어 텍스트", "Việt Nam", "Ångström", "ガギグ", "שָׁלוֹם", "ﷺ"] {
      #expect(
        key(text.decomposedStringWithCanonicalMapping) == key(text.precomposedStringWithCanonicalMapping))
      #expect(key(text).isEmpty == false)
      #expect(key(key(text)) == key(text), "keys are their own keys")
    }
  }

  /// The rules for ASCII, byte by byte.
  private func simpleWords(_ text: [UInt8]) -> [[UInt8]] {
    text.split { byte in
      !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && !(0x30...0x39).contains(byte)
    }.map { word in
      word.map { (0x30...0x39).contains($0) ? 0x30 : $0 | 0x20 }
    }
  }

  @Test func agreesWithASplitOfRandomBytes() {
    var random = RandomGenerator(seed: 4)
    for _ in 0..<2000 {
      let text = (0..<random.below(300)).map { _ in UInt8(random.below(128)) }
      let expected = simpleWords(text)
      #expect(
        key(String(decoding: text, as: UTF8.self))
          == expected.map { String(decoding: $0, as: UTF8.self) }
          .joined(separator: " "))
      #expect(words(String(decoding: text, as: UTF8.self)).count == expected.count)
    }
  }

  @Test func wordHashesDependOnWordsAlone() {
    let long = String(repeating: "x", count: 40)
    let list = [
      "a", "ab", "abcdefgh", "abcdefghi", "abcdefghijklmnop", "abcdefghijklmnopq", long, long + "y",
    ]
    let hashes = words(list.joined(separator: " "))
    #expect(Set(hashes).count == list.count)
    for (word, hash) in zip(list, hashes) { #expect(words(" " + word.uppercased() + ".") == [hash]) }
    #expect(Set(words(list.joined(separator: " "), seed: 1)).isDisjoint(with: hashes))
  }

  @Test func longTextsAreProcessedInChunks() {
    let sentence = "The quick brown fox, Jürgen's, jumps over 12 lazy dogs. "
    let text = String(repeating: sentence, count: 5000)
    let once = words(sentence)
    #expect(words(text) == (0..<5000).flatMap { _ in once })
    #expect(key(text).utf8.count == 5000 * (key(sentence).utf8.count + 1) - 1)
    // Without white space, chunks end between characters.
    let han = String(repeating: "漢", count: 100_000)
    #expect(words(han).count == 100_000 && Set(words(han)).count == 1)
    #expect(!words(String(repeating: "é", count: 100_000)).isEmpty)
  }

  @Test func buffersHoldTheLongestExpansions() {
    // The buffers have exactly the size that the header states.
    var longest = 0
    for value in UInt32(0)...0x10ffff {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let text = String(scalar)
      longest = max(longest, key(text).utf8.count / text.utf8.count)
    }
    #expect(longest <= 11 && longest > 3)
  }

  @Test func shinglesAgreeWithASlidingWindow() {
    let text = "one two three four five six seven one two three four five"
    func set(_ text: String, _ options: ShingleOptions) -> [UInt64] {
      let shingler = Shingler(options)
      return Array(text.utf8).withUnsafeBytes { shingler.set(of: $0) }
    }
    let five = ShingleOptions()
    #expect(set(text, five).count == 7, "8 shingles, the first one twice")
    #expect(set("ONE two, three four five!", five).count == 1)
    #expect(set(text, five).contains(set("one two three four five", five)[0]))
    #expect(set("one two", five).count == 1 && set("one two", five) != set("two one", five))
    #expect(set("?!", five).isEmpty && set("", five).isEmpty)
    let characters = ShingleOptions(unit: .character, length: 3)
    #expect(set("a  b, c", characters) == set("a b c", characters) && set("a b c", characters).count == 3)
    #expect(set("ab", characters).count == 1)
    // Chunk boundaries have no effect.
    let words = (0..<30_000).map { "w\(String($0, radix: 36, uppercase: true))q" }
    let long = set(words.joined(separator: " "), five)
    var separate: Set<UInt64> = []
    for start in 0...(words.count - 5) {
      separate.insert(set(words[start..<(start + 5)].joined(separator: " "), five)[0])
    }
    #expect(Set(long) == separate)
  }
}
