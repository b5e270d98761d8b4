import Testing
import Tokenization

@Suite(.timeLimit(.minutes(60))) struct CharacterInventoryTests {
  private let words = Make.counts([("aab", 10), ("abé", 5), ("日b", 1), ("z", 2)])

  private func text(_ texts: [[UInt8]]) -> [String] { texts.map { String(decoding: $0, as: UTF8.self) } }

  @Test func selectsAllCharactersByDefault() {
    let all = CharacterInventory(of: words)
    #expect(text(all.characters) == ["a", "b", "z", "é", "日"])
    #expect(text(all.symbols) == ["a", "b", "b</w>", "z</w>", "é</w>", "日"])
    #expect(all.dropped == (0, 0))
  }

  @Test func selectsTheMostFrequentCharacters() {
    // a 25, b 16, é 5, z 2, 日 1: 49 in all.
    let three = CharacterInventory(of: words, limit: 3)
    #expect(text(three.characters) == ["a", "b", "é"] && three.dropped == (2, 3))
    #expect(text(CharacterInventory(of: words, coverage: 0.5).characters) == ["a"])
    #expect(text(CharacterInventory(of: words, coverage: 41.0 / 49).characters) == ["a", "b"])
    #expect(text(CharacterInventory(of: words, coverage: 42.0 / 49).characters) == ["a", "b", "é"])
    #expect(text(CharacterInventory(of: words, limit: 1, coverage: 0.9).characters) == ["a"])
    #expect(
      text(CharacterInventory(of: words, limit: 1, always: [Array("日".utf8)]).characters) == ["a", "日"])
  }

  @Test func ofEquallyFrequentCharactersTheSmallerOnesAreSelected() {
    let words = Make.counts([("日zéyx", 3)])
    for (limit, selected) in [(1, ["x"]), (2, ["x", "y"]), (4, ["x", "y", "z", "é"])] {
      #expect(text(CharacterInventory(of: words, limit: limit).characters) == selected)
    }
  }

  /// No merge reaches across a character that was left out, neither in learning nor in encoding.
  @Test func noMergeReachesAcrossACharacterLeftOut() throws {
    let counts = Make.counts([("abzab", 9), ("zz", 4), ("ab", 3)])
    let symbolized = try SymbolizedWords(charactersOf: counts, CharacterInventory(of: counts, limit: 2))
    let learned = try BPETrainer.learn(symbolized, .init(tieBreak: .largestStrings, limit: 100))
    #expect(text(learned.symbolTexts()) == ["a", "b", "b</w>", "ab</w>", "ab"])
    #expect(learned.merges.map(\.count) == [12, 9])
    let tokenizer = Tokenizer(learned, mode: .word, preTokenizer: .words)
    let ids = BPEEncoder(tokenizer).encode(Array("abzab zz".utf8))
    #expect(text(ids.map { tokenizer.vocabulary[$0] }) == ["ab", "<unk>", "ab</w>", "<unk>", "<unk>"])
  }
}
