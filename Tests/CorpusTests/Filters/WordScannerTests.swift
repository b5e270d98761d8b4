import Corpus
import Testing

@Suite(.timeLimit(.minutes(60))) struct WordScannerTests {
  private func words(_ text: String) -> String {
    WordScanner.words(of: Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
      .joined(separator: "|")
  }

  @Test func followsTheRules() {
    let cases = [
      "Hello, world!": "Hello|,|world|!",
      "it's don’t we'll o'clock cats'": "it|'s|do|n’t|we|'ll|o'clock|cats|'",
      "U.S.A. end.Start a.b": "U.S.A.|end|.|Start|a.b",
      "Mrs. Mr.X Dr., e.g. So am I. I.. CO. end.": "Mrs.|Mr|.|X|Dr.|,|e.g.|So|am|I.|I|..|CO|.|end|.",
      "1,000.50 a,b a,1 10:30 1/2 a/b a=1 a=b": "1,000.50|a|,|b|a,1|10:30|1/2|a|/|b|a=1|a|=|b",
      "f(x) it[1] a(\"b c+d 1+2 a~b a…b": "f(x|)|it[1|]|a|(|\"|b|c+d|1|+|2|a|~|b|a|…|b",
      "COVID-19 well-known 1-2 -- a---b": "COVID-19|well|-|known|1|-|2|--|a|---|b",
      "wait... …": "wait|...|…", "(see http://a.b/c?d=e).": "(|see|http://a.b/c?d=e|)|.",
      "a_b a@b.c AT&T x&": "a_b|a@b.c|AT&T|x|&", "你好 ひらカタカナ한국어": "你|好|ひ|ら|カタカナ한국어",
      "สวัสดีชาวโลก naïve e\u{301}a": "สวัสดีชาวโลก|naïve|e\u{301}a", "$5 50% #tag": "$|5|50|%|#|tag",
      "can't 'twas rock'n'roll": "ca|n't|'|twas|rock'n'roll", "": "", " \u{3000}\n": "",
    ]
    for (text, expected) in cases { #expect(words(text) == expected) }
  }

  @Test func agreesWithTheReference() {
    var random = RandomText(seed: 12)
    var compared = 0
    let pool = Array("ab N't’.,:/-@&_1 2é日ひ\u{301}wWhHtTpPsSMDr(]=+~\"".unicodeScalars)
    for round in 0..<3000 {
      var text = String(decoding: random.text(upTo: 30), as: UTF8.self)
      if round % 2 == 0 {
        let scalars = (0..<20).map { _ in pool[random.random.below(pool.count)] }
        text = String(String.UnicodeScalarView(scalars))
      }
      // The Unicode version of the Swift library may differ.
      guard text.unicodeScalars.allSatisfy({ $0.properties.age.map { $0 <= (15, 0) } ?? false }) else {
        continue
      }
      compared += 1
      let expected = ReferenceFilter.words(Array(text.unicodeScalars)).map {
        String(String.UnicodeScalarView($0.text))
      }
      #expect(words(text) == expected.joined(separator: "|"), "\(text.debugDescription)")
    }
    #expect(compared > 1500)
  }
}
