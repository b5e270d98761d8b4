/// Texts that some tokenizers have handled wrongly.
enum Adversarial {
  static let texts: [String] = [
    "", " ", "  ", "\n", "\n\n", " \n ", "a", "no final newline", "a\nb\n", "\r\n", "a\r\nb", "a\rb\r",
    "a\tb", "a\u{a0}b", "a\u{3000}b", "a\u{200b}b", "\u{feff}first", "x\u{0b}y\u{0c}z", "a\u{1c}b\u{1f}c",
    "a\u{85}b", "a\u{2028}b\u{2029}c", "a\u{0}b", "\u{0}", "</w>", "a</w>z", "a</w>", "@@", "x@@", "@@ @@",
    "a @@b", "#version: 0.2", "#version:", "\"quoted\\\"", "\u{1}\u{2}\u{7f}",
    "<s> </s> <unk> <pad> <special0>",
    "<|endoftext|>", "before<|endoftext|>after", String(repeating: "a", count: 5000),
    String(repeating: "ab", count: 3000), String(repeating: "aab", count: 2000),
    "QUJDREVGR0hJSktMTU5PUFFSU1RVVg==",
    "ACGTACGTTTGACGATCGATCGGGCTAAAA", "function(a,b){return a+b;}if(x==y){z();}", "日本語のテキストと漢字。カタカナ",
    "ภาษาไทยไม่มีช่องว่าง", "👩‍👩‍👧‍👦👍🏽🇺🇸", "caf\u{e9} cafe\u{301}", "שלום עולם مرحبا بالعالم", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈𐌰",
    "aaa", "abab", "aaaa aaa aa a", "I'm you're we'll he'd they've it's isn't", "I'M YOU'RE WE'LL 'S 'ſ ſ's",
    "''s 's' 'tis",
    " 's", "1234567890 12 3.14 ٣٤ ⅷ ½", "leading", "  leading", "trailing  ", "a  b   c    d",
    "\n\n  x\n  y\n",
    "tab\t\tx", "CamelCaseHTTPServer iPhone XMLHttp", "DON'T Don't dOn'T", "a/b//c/\n/d", "...\n\n//x",
    "e\u{301}\u{302}x",
    "\u{301}abc", "\u{301}", " \u{301}", "!\u{301}a", "Ǆǅǆ ʰʱ ªº", "x\u{2028}  \n\t y", "Ⅷ Ⓐ",
  ]
}
