import Support

/// Texts in which patterns of pre-tokenizers differ.
enum SplitTexts {
  static let awkward: [String] =
    Adversarial.texts + scripts + [
      "def f(x):\n\treturn x**2  # naïve\n\n\nclass A_b(object):\n    pass\r\n",
      "x=1;y+=2;//c\n/* */ #include <a.h>\n",
      "0 12 123 1234 12345 123456 1234567 00000000000000", "٠١٢٣٤٥ १२३ 一二三 ²³ ½ Ⅷ 12٣٤5",
      "   \n   \n\n \t\t x  ",
      "\u{a0}\u{3000}\u{2003} x\u{85}y\u{1680}z \u{200b}\u{200c}\u{200d}w",
      "«guillemets» “quotes” ¿qué? …—–‐ §¶ ©®™ €£¥",
      "a_b __init__ snake_case9 x__y", "👩‍👩‍👧‍👦 👍🏽🇺🇸 ❤️ ☺︎ 1️⃣", "e\u{301}\u{302} \u{301}a क्षि ก็ นี้ שָׁלוֹם",
      "ǅ ǈ ʰa ªº ß ẞ ſ K",
      "Hello, I'm HERE'S he'LL 'tis ''quoted'' don’t", "中文English混合123测试，。！テスト", "http://a.b/c?d=e&f=%20#g",
      "\u{0}\u{1}\u{7f}\u{fffd}",
      "A\u{301}B c\u{327}D", "[CLS] <unk> </s> {}[]()<>", "$100 +5% -3.2e-10 10,000.00",
      "\\n \\\\ ` ~ ^ | @ & *",
      "we'lL he'vE I'rEad it'lLs A'lL x'Ll", "\n\n\na", " a", "  a", "a ", "a  ", "a\n", "a\n\n", "\r\n\r\n",
      "a\u{2028}b", "ab\u{0b}c\u{0c}d",
    ]

  /// Prose in ten scripts.
  static let scripts = [
    "The quick brown fox jumps over the lazy dog.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.", "כל אדם נולד בן חורין ושווה בערכו.",
    "يولد جميع الناس أحرارًا متساوين في الكرامة.",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता।", "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน",
    "모든 인간은 태어날 때부터 자유로우며 평등하다.", "すべての人間は、生まれながらにして自由であり、", "人人生而自由，在尊严和权利上一律平等。",
    "Բոլոր մարդիկ ծնվում են ազատ", "ყველა ადამიანი იბადება თავისუფალი", "ሰዎች ሁሉ ነጻ ሆነው ይወለዳሉ።",
  ]

  /// Short texts of few characters, in which every alternative of a pattern and every edge of a block of 64 bytes occurs.
  static func random(_ count: Int, seed: UInt64) -> [String] {
    var random = RandomGenerator(seed: seed)
    let alphabets = [
      "ab'st  \n", "aA\u{301}日'sT", "a!\u{301}'s \n/", "1a2 \n", " \n\r\t!a", "Aa日本\u{301}'ll", "12 ٣a,.",
      "a.,! \n日。",
      "aAé日\u{301} \u{a0}\u{3000}\n/.!'sSlLveſ12٣🙂—“", "!/\n\r\u{301}", "  \n\u{2028}x", "日本ab_1 ",
      "日〇⺀1a\u{301} !'s", "+$a =\n",
      "a.1日 \n\u{1}", "\u{1}\u{200d}é .1 ー",
      "ก็x १",
    ].map { Array($0.unicodeScalars) }
    return (0..<count).map { round in
      let alphabet = alphabets[random.below(alphabets.count)]
      var text = String.UnicodeScalarView()
      let length = random.below(round % 8 == 0 ? 300 : 24)
      while text.count < length {
        let character = alphabet[random.below(alphabet.count)]
        let run = random.below(16) == 0 ? 1 + random.below(round % 8 == 0 ? 90 : 6) : 1
        for _ in 0..<run { text.append(character) }
      }
      return String(text)
    }
  }
}
