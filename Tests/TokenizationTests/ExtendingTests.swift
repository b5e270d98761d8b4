import Foundation
import Support
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(60))) struct ExtendingTests {
  private func extend(_ base: Tokenizer, _ counts: WordCounts, limit: Int, specials: [String] = []) throws
    -> Tokenizer
  {
    var base = base
    if base.mode == .word {
      let symbols = CharacterInventory(of: counts).symbols
      base = base.adding(symbols.filter { base.vocabulary.id(of: $0) == nil })
    }
    let learned = try BPETrainer.learn(
      SymbolizedWords(tokensOf: counts, base),
      .init(
        tieBreak: base.mode == .word ? .largestStrings : .smallestIDs, limit: limit,
        reserved: base.tokens + specials.map { Array($0.utf8) }))
    return base.extended(by: learned, specialTokens: specials)
  }

  private func texts(_ tokenizer: Tokenizer) -> [[[UInt8]]] {
    tokenizer.merges.map { [tokenizer.vocabulary[$0.left], tokenizer.vocabulary[$0.right]] }
  }

  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func extendingEqualsLearningMoreAtOnce(
    mode: Tokenizer.Mode
  )
    throws
  {
    let splitter: PreTokenizer = mode == .word ? .words : .gpt2
    let counts = try Make.counts([RealText.prose, RealText.multilingual], splitter)
    func learned(_ limit: Int) throws -> Tokenizer {
      Tokenizer(try Make.learn(counts, mode: mode, limit: limit), mode: mode, preTokenizer: splitter)
    }
    let base = try learned(700)
    let extended = try extend(base, counts, limit: 800)
    #expect(try texts(extended) == texts(learned(1500)))
    // All existing tokens keep their ids.
    #expect(extended.tokens.prefix(base.vocabulary.count) == base.tokens[...])
    #expect(extended.merges.prefix(700) == base.merges[...] && extended.specialTokens == base.specialTokens)
    #expect(Set(extended.tokens).count == extended.tokens.count, "no token twice")
    #expect(extended.vocabulary.count == base.vocabulary.count + 800)
  }

  @Test func extendingAddsTheCharactersOfAnotherLanguage() throws {
    let base = try Make.tokenizer(["low lower lowest"], mode: .word, merges: 20)
    let counts = try Make.counts(["日本 日本 日本語 low"], .words)
    let extended = try extend(base, counts, limit: 10, specials: ["<sep>"])
    let encoder = BPEEncoder(extended)
    #expect(encoder.encode(Array("lower".utf8)) == BPEEncoder(base).encode(Array("lower".utf8)))
    #expect(encoder.encode(Array("日本".utf8)).count == 1)
    #expect(extended.id(ofSpecialToken: "<sep>") == UInt32(extended.vocabulary.count - 1))
    // Writing and reading returns the same tokens.
    #expect(try TokenizerJSON.read(TokenizerJSON.write(extended), file: "x").tokens == extended.tokens)
  }

  @Test func codesContainOldAndNewMerges() throws {
    let base = try Make.tokenizer(["aaab aab aab"], mode: .word, merges: 2)
    let counts = try Make.counts(["aab aab xy xy xy"], .words)
    let learned = try BPETrainer.learn(
      SymbolizedWords(tokensOf: counts, base.adding([Array("x".utf8), Array("y</w>".utf8)])),
      .init(tieBreak: .largestStrings, limit: 1, reserved: base.tokens))
    let extended = base.adding([Array("x".utf8), Array("y</w>".utf8)]).extended(
      by: learned, specialTokens: [])
    let codes = String(
      decoding: MergeCodes.write(extended.merges(lastLearned: learned), format: .fastBPE), as: UTF8.self)
    #expect(codes.split(separator: "\n").count == 3 && codes.hasSuffix("x y</w> 3\n"), "\(codes)")
  }

  @Test func refusesTokenizersThatCannotBeExtended() throws {
    let codes = try MergeCodes.read(Array("t h\nth e</w>\n".utf8), file: "codes")
    if codes.endOfWordIsSymbol { #expect(throws: Failure.self) { try codes.checkExtensible(file: "codes") } }
    let whole = try Make.tokenizer(["abc"], merges: 1)
    try whole.checkExtensible(file: "whole")
    let without = Tokenizer(
      mode: .byteLevel, preTokenizer: .gpt2, tokens: [[0x61], [0x62]], merges: [], addedTokens: [])
    #expect(throws: Failure.self) { try without.checkExtensible(file: "without") }
  }
}
