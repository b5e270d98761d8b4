import Foundation
import Support
import TestSupport
import Testing

@testable import Tokenization

/// Tokenizers in SentencePiece's manner, whose symbols begin as characters.
@Suite(.timeLimit(.minutes(60))) struct CharacterTokenizerTests {
  static let texts =
    SplitTexts.awkward + SplitTexts.random(1500, seed: 12)
    + [
      String(repeating: " ", count: 3000), String(repeating: " a", count: 500),
      String(repeating: "  b\n", count: 300),
      String(repeating: "日本", count: 800), "a▁b ▁ ▁▁c", "▁", "▁▁", " ▁",
      String(RealText.prose.prefix(40_000)),
      String(RealText.multilingual.prefix(40_000)), "🙂🙃 unknown ☃☃☃ x☃y ☃", "ab☃☃cd🙂",
    ]

  @Test(.peers, arguments: ["llama", "gemma", "mistral", "metaspace", "single", "fused", "nothing"])
  func idsEqualThoseOfTokenizers(kind: String) throws {
    let scratch = try Scratch()
    let file = scratch.path("\(kind).json")
    _ = try SplitPeers.lines(
      ["character-tokenizer", kind, "3000", file],
      [RealText.prose, String(RealText.multilingual.prefix(60_000))])
    let theirs = try SplitPeers.lines(["ids", file], Self.texts)
    let tokenizer = try TokenizerFile.load(file)
    #expect(tokenizer.mode == .character)
    let encoder = BPEEncoder(tokenizer)
    #expect(theirs.count == Self.texts.count)
    for (text, line) in zip(Self.texts, theirs) {
      let ours = encoder.encode(Array(text.utf8)).map(String.init).joined(separator: " ")
      guard ours != String(decoding: line, as: UTF8.self) else { continue }
      Issue.record(
        "\(text.prefix(300).debugDescription): \(ours.prefix(300)) and \(String(decoding: line.prefix(300), as: UTF8.self))"
      )
      break
    }
  }

  /// Cutting must not depend on what the cache holds, and a long text must not take more than linear time.
  @Test func cutsChangeNothing() throws {
    var random = RandomGenerator(seed: 13)
    for _ in 0..<200 {
      // Merges between any tokens, also across marks of spaces.
      let letters = ["a", "b", "▁", "é", "日"]
      var tokens = letters
      var merges: [Tokenizer.Merge] = []
      for _ in 0..<random.below(14) {
        let (left, right) = (random.below(tokens.count), random.below(tokens.count))
        let whole = tokens[left] + tokens[right]
        let result = tokens.firstIndex(of: whole) ?? tokens.count
        if result == tokens.count { tokens.append(whole) }
        if merges.contains(where: { $0.left == left && $0.right == right }) { continue }
        merges.append(Tokenizer.Merge(left: UInt32(left), right: UInt32(right), result: UInt32(result)))
      }
      tokens.append("<unk>")
      var tokenizer = Tokenizer(
        mode: .character, preTokenizer: .none, tokens: tokens.map { Array($0.utf8) }, merges: merges,
        addedTokens: [], unknown: UInt32(tokens.count - 1))
      tokenizer.fusesUnknown = random.below(2) == 0
      if random.below(2) == 0 { tokenizer.mergeRanks = merges.map { _ in UInt32(random.below(4)) } }
      let encoder = BPEEncoder(tokenizer)
      for _ in 0..<30 {
        let symbols = (0..<random.below(40)).map { _ in random.below(12) == 0 ? "x" : letters[random.below(5)]
        }
        var ids: [UInt32] = []
        for symbol in symbols {
          let id = letters.firstIndex(of: symbol).map(UInt32.init) ?? tokenizer.unknown!
          if !(id == tokenizer.unknown && ids.last == id && tokenizer.fusesUnknown) { ids.append(id) }
        }
        #expect(encoder.encode(Array(symbols.joined().utf8)) == Self.naive(ids, tokenizer))
      }
    }
  }

  private static func naive(_ symbols: [UInt32], _ tokenizer: Tokenizer) -> [UInt32] {
    var symbols = symbols
    while true {
      var best: (rank: UInt32, place: Int, result: UInt32)?
      for place in symbols.indices.dropLast() {
        guard
          let index = tokenizer.merges.firstIndex(where: {
            $0.left == symbols[place] && $0.right == symbols[place + 1]
          })
        else { continue }
        let rank = tokenizer.mergeRanks.isEmpty ? UInt32(index) : tokenizer.mergeRanks[index]
        if rank < best?.rank ?? .max { best = (rank, place, tokenizer.merges[index].result) }
      }
      guard let best else { return symbols }
      symbols.replaceSubrange(best.place...(best.place + 1), with: [best.result])
    }
  }
}
