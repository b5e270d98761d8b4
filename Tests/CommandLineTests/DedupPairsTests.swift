import Foundation
import TestSupport
import Testing

/// Which pairs of a band are compared.
@Suite(.timeLimit(.minutes(60))) struct DedupPairsTests {
  /// Two texts are like the first one and not like each other. In one band of one hash, all three have the same key for
  /// most seeds: then each of them is compared with the first.
  @Test func everyDocumentIsComparedWithTheFirstOfItsBand() throws {
    let scratch = try Scratch()
    // Digits have no value in the keys.
    let letters = Array("abcdefghij")
    let words = (0..<100).map { "word\(letters[$0 / 10])\(letters[$0 % 10])" }
    let texts = [words[...], words.dropLast(15), words.dropFirst(15)].map { $0.joined(separator: " ") + "\n" }
    try scratch.write("in.txt", texts.joined())
    var whole = 0
    for seed in 1...20 {
      let result = try Tool.data(
        "dedup", "--method", "minhash", "--verify", "--threshold", "0.8", "--bands", "1", "--rows", "1",
        "--ngram", "1",
        "--seed", "\(seed)", "--quiet", "in.txt", in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      if result.text == texts[0] { whole += 1 }
    }
    // 70 of 100 words are in all three texts.
    #expect(whole >= 7, "\(whole)")
  }
}
