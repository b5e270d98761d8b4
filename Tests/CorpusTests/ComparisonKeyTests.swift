import Corpus
import Foundation
import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct ComparisonKeyTests {
  private func key(_ text: String, keeping keep: KeptDetails = []) -> String {
    let key = ComparisonKey(keeping: keep)
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
    ("हिन्दी", "हिन्दी"), ("\u{1f600}a\u{1f600}", "a"),
    // Marks are letters, but for the accents of Latin, Greek and Cyrillic.
    ("कल", "कल"), ("कुल", "कुल"), ("கல், கில்", "கல் கில்"), ("কলা কালা", "কলা কালা"),
    ("かき", "か き"), ("がき", "か\u{3099} き"), ("ガパ", "カ\u{3099} ハ\u{309a}"), ("ｶﾞ", "カ\u{3099}"),
    ("שָׁלוֹם", "ש\u{5b8}\u{5c1}לו\u{5b9}ם"), ("كَتَبَ كُتُب", "كَتَبَ كُتُب"),
    ("ไม้", "ไ ม้"), ("กา กำ", "ก า ก\u{e4d} า"), ("မြန်မာ", "မြ န် မာ"),
    ("Việt Nam Ǆ ὰ ᾳ й Ё", "viet nam dz α αι и е"), ("e\u{301}\u{302}", "e"),
    // Marks on nothing, on digits and on punctuation are none.
    ("´ \u{301} 1\u{fe0f}\u{20e3} !\u{308}", "0"), ("क\u{200d}ष \u{feff}", "कष"),
  ])
  func keysFollowTheRules(text: String, expected: String) {
    // Compared by code points: Swift's strings are equal if they are canonically equivalent.
    #expect(Array(key(text).unicodeScalars) == Array(expected.unicodeScalars), "\(text)")
  }

  private static let details: [(String, KeptDetails, String)] = [
    ("What is 12 plus ٣?", KeptDetails.digits, "what is 12 plus 3"),
    ("½ 1,5 ２", .digits, "1 2 1 5 2"),
    ("Don't! (a+b)…", .punctuation, "don ' t ! ( a + b ) . . ."), ("「漢字」。", .punctuation, "「 漢 字 」 。"),
    ("x\u{1f600}y 5", .punctuation, "x \u{1f600} y 0"), ("Éa Straße ΣΑΣ", .letterCase, "Ea Straße ΣΑΣ"),
    ("ＡＢｃ", .letterCase, "ABc"), ("No. 7: Ä", [.digits, .punctuation, .letterCase], "No . 7 : A"),
  ]

  @Test(arguments: details)
  func detailsAreKept(text: String, keep: KeptDetails, expected: String) {
    #expect(Array(key(text, keeping: keep).unicodeScalars) == Array(expected.unicodeScalars))
  }

  @Test func whatIsKeptOnlySeparates() {
    // Texts that are equal under a finer key are equal under a coarser one.
    var random = RandomGenerator(seed: 8)
    let pieces = ["a", "A", "1", "2", ".", "!", " ", "é", "か", "が", "कु", "क", "ß", "Σ"]
    for _ in 0..<3000 {
      let texts = (0..<2).map { _ in
        (0..<(1 + random.below(4))).map { _ in pieces[random.below(14)] }.joined()
      }
      for bits in UInt32(0)..<8 {
        let keep = KeptDetails(rawValue: bits)
        let isEqual = key(texts[0], keeping: keep) == key(texts[1], keeping: keep)
        if isEqual && bits & 2 == 0 { #expect(key(texts[0]) == key(texts[1]), "\(texts) \(bits)") }
      }
    }
  }

  /// Whether ICU's version of Unicode has the character, which may be older than Swift's.
  private func isKnown(_ scalar: Unicode.Scalar) -> Bool {
    let version = Normalizer.unicodeVersion.split(separator: ".").compactMap { Int($0) }
    guard let age = scalar.properties.age else { return false }
    return (age.major, age.minor) <= (version[0], version.count > 1 ? version[1] : 0)
  }

  /// Random marks on letters of many scripts, in any order.
  @Test func canonicallyEquivalentSequencesHaveTheSameKey() {
    var random = RandomGenerator(seed: 5)
    let bases = [
      "a", "é", "α", "й", "क", "か", "が", "ش", "ש", "\u{fb2a}", "ไ", "ก", "\u{e33}", "ཀ", "က", "가", "1", "!",
      "",
    ]
    let marks = (UInt32(0x300)...0x309f).compactMap(Unicode.Scalar.init).filter {
      [.nonspacingMark, .spacingMark, .enclosingMark].contains($0.properties.generalCategory)
        && isKnown($0)
    }
    for _ in 0..<20_000 {
      var text = ""
      for _ in 0..<(1 + random.below(3)) {
        text += bases[random.below(bases.count)]
        for _ in 0..<random.below(5) { text.unicodeScalars.append(marks[random.below(marks.count)]) }
        if random.below(3) == 0 { text += " " }
      }
      let expected = key(text)
      let forms = [
        text.decomposedStringWithCanonicalMapping, text.precomposedStringWithCanonicalMapping,
        text.decomposedStringWithCompatibilityMapping,
      ]
      for (index, form) in forms.enumerated() {
        // A compatibility decomposition has spaces where the text had none, but no other key.
        let same = Array(key(form).utf8) == Array(expected.utf8)
        #expect(same, "\(text.unicodeScalars.map { String($0.value, radix: 16) }) in form \(index)")
      }
    }
  }

  @Test func marksAreAccentsWhereStrippingRemovesThem() throws {
    var options = NormalizationOptions()
    (options.form, options.stripsAccents) = (.nfkd, true)
    let normalizer = try Normalizer(options)
    func stripped(_ text: String) throws -> [UInt8] { try normalizer.normalize(Array(text.utf8)) }
    for base in ["a", "α", "ж", "क", "か", "カ", "ا", "ש", "ก", "ཀ", "က", "ក", "அ", "한", "漢", "ა", "Ա"] {
      for value in (UInt32(0x300)...0x3099) {
        guard let mark = Unicode.Scalar(value), mark.properties.generalCategory == .nonspacingMark,
          !mark.properties.isDefaultIgnorableCodePoint, value != 0x345, isKnown(mark)
        else { continue }
        let text = base + String(Character(mark))
        let isAccent = try stripped(text) == stripped(base)
        let isDropped = Array(key(text).utf8) == Array(key(base).utf8)
        #expect(isAccent == isDropped, "\(base) and U+\(String(value, radix: 16))")
      }
    }
  }

  @Test func manyMarksTakeLinearTime() {
    // Classes 230 and 220 in turn, so that nearly every mark is out of order.
    let text = "か" + String(repeating: "\u{301}\u{316}", count: 200_000)
    let started = Progress.now()
    #expect(key(text).utf8.count > 30_000)
    #expect(Progress.now() - started < 5)
  }

  @Test func equivalentTextsHaveTheSameKey() {
    for text in ["한국어 텍스트", "Việt Nam", "Ångström", "ガギグ", "שָׁלוֹם", "ﷺ"] {
      let forms = [text.decomposedStringWithCanonicalMapping, text.precomposedStringWithCanonicalMapping]
      #expect(Array(key(forms[0]).utf8) == Array(key(forms[1]).utf8))
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
