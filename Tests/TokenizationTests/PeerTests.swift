import Foundation
import Support
import TestSupport
import Testing
import Tokenization

/// Compares with widely used tokenizers, run by the interpreter that `PKM_PEERS_PYTHON` names, in which
/// Tests/Peers/requirements.txt is installed.
@Suite(.peers, .timeLimit(.minutes(60))) struct PeerTests {
  private static let realTexts = [RealText.prose, RealText.multilingual]
  /// Trainers get whole texts, not lines.
  private static let byteLevel: [PreTokenizer] = [.gpt2, .cl100k, .llama3, .o200k, .whitespace, .none]

  /// Lines of real text, the adversarial list, and random strings of awkward characters.
  private static let encodeTexts: [String] = {
    var texts = Adversarial.texts
    texts += RealText.multilingual.split(separator: "\n").map(String.init)
    texts += RealText.prose.split(separator: "\n").prefix(500).map(String.init)
    texts.append(String(RealText.prose.prefix(50_000)))
    var random = RandomGenerator(seed: 11)
    let characters = Array(
      "abz ABZ  109'’sStTlLdDmMvVeErR \n\r\t.,/!-é日本\u{301}\u{a0}\u{3000}\u{2028}ſǅʰª٣½Ⅷ🙂\u{200d}\u{0}\u{85}"
        .unicodeScalars)
    for _ in 0..<4000 {
      var text = String.UnicodeScalarView()
      for _ in 0..<random.below(14) { text.append(characters[random.below(characters.count)]) }
      texts.append(String(text))
    }
    return texts
  }()

  @Test func characterClassesOfEveryCodePoint() throws {
    let classes = Array(try BPEPeers.run(["classes-tokenizers"]).utf8)
    let differing = (0..<0x110000).filter { point in
      !(0xd800..<0xe000).contains(point) && classes[point] - 0x30 != CharacterClasses.classOf(point)
    }
    #expect(differing.isEmpty)
  }

  @Test(arguments: byteLevel) func byteLevelMerges(preTokenizer: PreTokenizer) throws {
    // Without pre-tokenizer a text is one word; short texts keep the time of the peer short.
    let texts = preTokenizer == .none ? Adversarial.texts : Self.realTexts + Adversarial.texts
    let learned = try Make.learn(
      Make.counts(texts, preTokenizer), mode: .byteLevel, limit: 3000, minimumCount: 2)
    let symbols = learned.symbolTexts().map { String(decoding: ByteAlphabet.encode($0), as: UTF8.self) }
    let ours = learned.merges.map { "\(symbols[Int($0.left)]) \(symbols[Int($0.right)])" }
    let theirs = try BPEPeers.run(
      ["learn-tokenizers", "3000", "2", preTokenizer.pattern ?? preTokenizer.rawValue], texts: texts)
    #expect(ours.count > 100)
    #expect(ours == BPEPeers.lines(theirs))
  }

  @Test func mergesOfGigatoken() throws {
    // gigatoken cuts at the text of this special token and leaves it out.
    let texts = (Self.realTexts + Adversarial.texts).filter { !$0.contains(Tokenizer.endOfText) }
    let text = texts.joined(separator: "\n")
    let learned = try Make.learn(Make.counts([text], .gpt2), mode: .byteLevel, limit: 4000)
    let symbols = learned.symbolTexts().map { Hashing.hexadecimal($0) }
    let ours = learned.merges.map { "\(symbols[Int($0.left)]) \(symbols[Int($0.right)])" }
    #expect(ours.count == 4000)
    #expect(try ours == BPEPeers.lines(BPEPeers.run(["learn-gigatoken", "4000"], texts: [text])))
  }

  @Test(arguments: byteLevel) func byteLevelIDs(preTokenizer: PreTokenizer) throws {
    let tokenizer = try Make.tokenizer(Self.realTexts, preTokenizer: preTokenizer, merges: 3000)
    try compareIDs(tokenizer, Self.encodeTexts)
  }

  @Test(arguments: [PreTokenizer.gpt2, .cl100k, .o200k]) func superwordIDs(preTokenizer: PreTokenizer) throws
  {
    try compareIDs(
      try Make.superwords(Self.realTexts, preTokenizer, first: 1500, second: 1500), Self.encodeTexts)
  }

  @Test func wordIDs() throws {
    let tokenizer = try Make.tokenizer(Self.realTexts, mode: .word, merges: 3000)
    try compareIDs(tokenizer, Self.encodeTexts)
  }

  private func compareIDs(_ tokenizer: Tokenizer, _ texts: [String]) throws {
    let scratch = try Scratch()
    let file = try scratch.write("tokenizer.json", TokenizerJSON.write(tokenizer))
    let theirs = BPEPeers.lines(try BPEPeers.run(["encode-tokenizers", file], texts: texts))
    let encoder = BPEEncoder(tokenizer)
    #expect(theirs.count == texts.count)
    for (text, line) in zip(texts, theirs) {
      #expect(encoder.encode(Array(text.utf8)).map(String.init).joined(separator: " ") == line, "\(text)")
    }
  }

  /// Reading a file that the library has written back gives the same tokenizer.
  @Test(arguments: byteLevel + [.words]) func resaved(preTokenizer: PreTokenizer) throws {
    let mode = preTokenizer == .words ? Tokenizer.Mode.word : .byteLevel
    let tokenizer = try Make.tokenizer(Self.realTexts, mode: mode, preTokenizer: preTokenizer, merges: 300)
    let scratch = try Scratch()
    let json = try TokenizerJSON.write(tokenizer)
    let resaved = Array(try BPEPeers.run(["resave-tokenizers", scratch.write("tokenizer.json", json)]).utf8)
    #expect(try TokenizerJSON.write(TokenizerJSON.read(resaved, file: "resaved")) == json)
    let (a, b) = (
      try JSONSerialization.jsonObject(with: Data(json)),
      try JSONSerialization.jsonObject(with: Data(resaved))
    )
    #expect((a as! NSDictionary) == (b as! NSDictionary))
  }

  @Test(arguments: [("r50k_base", PreTokenizer.gpt2), ("cl100k_base", .cl100k), ("o200k_base", .o200k)])
  func idsOfTiktoken(encoding: String, preTokenizer: PreTokenizer) throws {
    let tokenizer = try Make.tokenizer(Self.realTexts, preTokenizer: preTokenizer, merges: 3000)
    let scratch = try Scratch()
    let file = try scratch.write("\(encoding).tiktoken", TiktokenFile.write(tokenizer))
    let pattern = try JSONDecoder().decode(
      String.self, from: Data(BPEPeers.run(["tiktoken-pattern", encoding]).utf8))
    let theirs = BPEPeers.lines(
      try BPEPeers.run(["encode-tiktoken", file, pattern], texts: Self.encodeTexts))
    let encoder = BPEEncoder(try TokenizerFile.load(file))
    #expect(theirs.count == Self.encodeTexts.count)
    for (text, line) in zip(Self.encodeTexts, theirs) {
      #expect(encoder.encode(Array(text.utf8)).map(String.init).joined(separator: " ") == line, "\(text)")
    }
  }

  /// The library reads vocab.json and merges.txt.
  @Test func idsOfGPT2Files() throws {
    let tokenizer = try Make.tokenizer(Self.realTexts + Adversarial.texts, merges: 3000)
    let scratch = try Scratch()
    let vocabulary = try scratch.write("vocab.json", GPT2Files.writeVocabulary(tokenizer))
    let merges = try scratch.write("merges.txt", GPT2Files.writeMerges(tokenizer))
    let theirs = BPEPeers.lines(
      try BPEPeers.run(["encode-gpt2", vocabulary, merges], texts: Self.encodeTexts))
    let encoder = BPEEncoder(try TokenizerFile.load(merges))
    #expect(theirs.count == Self.encodeTexts.count)
    for (text, line) in zip(Self.encodeTexts, theirs) {
      #expect(encoder.encode(Array(text.utf8)).map(String.init).joined(separator: " ") == line, "\(text)")
    }
  }

  /// The ids of subword-nmt's subwords by the rules of XLM, in Python.
  @Test func idsOfXLM() throws {
    let learned = try Make.learn(Make.counts(Self.realTexts, .words), mode: .word, limit: 1500)
    let scratch = try Scratch()
    let codes = try scratch.write("codes", MergeCodes.write(learned, format: .subwordNMT))
    let tokenizer = try TokenizerFile.load(codes)
    let texts = Self.plainTexts.flatMap { $0.split(separator: "\n").map(String.init) }.filter {
      !XLMDictionary.specialTokens.contains(where: $0.contains)
    }
    // The dictionary has the subwords of every other text, so that some are missing, and lines that are
    // skipped.
    let all = BPEEncoder(tokenizer)
    var counts: [String: Int] = [:]
    for (number, text) in texts.enumerated() where number % 2 == 0 {
      for piece in Self.words(all.subwords(of: Array(text.utf8))) {
        counts[piece, default: number % 3 == 0 ? 1 << 33 : 0] += 1
      }
    }
    var lines = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
    for bad in ["\u{a0} 7", "a\u{2028}b 7", "a b 7", "\(lines[0].split(separator: " ")[0]) 7", "<unk> 7", ""]
    {
      lines.insert(bad.replacingOccurrences(of: "7", with: "\(counts.values.max()!)"), at: 0)
    }
    let dictionary = Array(lines.joined(separator: "\n").utf8)
    let file = try scratch.write("dictionary", dictionary)
    let theirs = BPEPeers.lines(try BPEPeers.run(["ids-xlm", codes, file], texts: texts))
    let encoder = BPEEncoder(try XLMDictionary.apply(dictionary, name: "dictionary", to: tokenizer))
    #expect(theirs.count == texts.count && counts.count > 500)
    for (text, line) in zip(texts, theirs) {
      #expect(encoder.encode(Array(text.utf8)).map(String.init).joined(separator: " ") == line, "\(text)")
    }
  }

  /// Texts that subword-nmt splits at spaces and line feeds only: without a literal `</w>`, and without other
  /// characters that Python takes for white space.
  private static let plainTexts = (realTexts.map { String($0.prefix(60_000)) } + Adversarial.texts).filter {
    text in
    !text.contains("</w>")
      && !text.unicodeScalars.contains {
        $0 != " " && $0 != "\n" && ($0.properties.isWhitespace || (0x1c...0x1f).contains($0.value))
      }
  }

  /// The text between spaces, because the peers join runs of spaces.
  ///
  /// Splits bytes, because a combining mark after a space is one `Character` with it.
  private static func words(_ bytes: [UInt8]) -> [String] {
    bytes.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [1, 2, 3]) func codesOfSubwordNMT(minimumCount: Int) throws {
    let learned = try Make.learn(
      Make.counts(Self.plainTexts.map { $0 + "\n" }, .words), mode: .word, limit: 1000,
      minimumCount: minimumCount)
    let theirs = try BPEPeers.run(
      ["learn-subword-nmt", "1000", "\(minimumCount)"], texts: Self.plainTexts.map { $0 + "\n" })
    #expect(learned.merges.count > 500)
    #expect(String(decoding: MergeCodes.write(learned, format: .subwordNMT), as: UTF8.self) == theirs)
  }

  @Test(arguments: ["0.2", "0.1"]) func subwordsOfSubwordNMT(version: String) throws {
    let learned = try Make.learn(Make.counts(Self.realTexts, .words), mode: .word, limit: 1500)
    var codes = String(decoding: MergeCodes.write(learned, format: .subwordNMT), as: UTF8.self)
    // In 0.1 the mark is a symbol that is merged like others.
    if version == "0.1" { codes = "t h\nth e\nthe </w>\ne </w>\nn d\na nd\nand </w>\ni n\nin g\ning </w>\n" }
    let scratch = try Scratch()
    let file = try scratch.write("codes", Array(codes.utf8))
    let texts = Self.plainTexts.flatMap { $0.split(separator: "\n").map(String.init) }
    let theirs = BPEPeers.lines(try BPEPeers.run(["apply-subword-nmt", file], texts: texts))
    #expect(theirs.count == texts.count)
    let encoder = BPEEncoder(try TokenizerFile.load(file))
    for (text, line) in zip(texts, theirs) {
      let subwords = encoder.subwords(of: Array(text.utf8))
      let expected = try JSONDecoder().decode(String.self, from: Data(line.utf8))
      #expect(Self.words(subwords) == Self.words(Array(expected.utf8)), "\(text)")
    }
  }

  /// For dropout, the random numbers of Python are replaced by those of the encoder.
  @Test(arguments: ["dropout", "vocabulary", "glossaries"]) func optionsOfSubwordNMT(option: String) throws {
    let learned = try Make.learn(Make.counts(Self.realTexts, .words), mode: .word, limit: 1500)
    let scratch = try Scratch()
    let file = try scratch.write("codes", MergeCodes.write(learned, format: .subwordNMT))
    let tokenizer = try TokenizerFile.load(file)
    let texts = Self.plainTexts.flatMap { $0.split(separator: "\n").map(String.init) }.filter {
      $0.utf8.count < 2000
    }
    var options = EncodingOptions()
    var value = ""
    switch option {
    case "dropout":
      options.dropout = 0.25
      value = "0.25"
    case "vocabulary":
      var counts: [String: Int] = [:]
      let all = BPEEncoder(tokenizer)
      for text in texts {
        for piece in Self.words(all.subwords(of: Array(text.utf8))) { counts[piece, default: 0] += 1 }
      }
      let lines = counts.map { "\($0.key) \($0.value)\n" }.joined()
      value = try scratch.write("vocabulary", Array(lines.utf8))
      options.allowed = try SubwordVocabulary(
        Array(lines.utf8), threshold: 20, tokenizer: tokenizer, file: "vocabulary")
    default:
      options.glossary = try Glossary(["ing", "[0-9]+", "the"])
      value = "ing [0-9]+ the"
    }
    let encoder = BPEEncoder(tokenizer, options: options)
    let theirs = BPEPeers.lines(
      try BPEPeers.run(["apply-subword-nmt-with", file, option, value, "20"], texts: texts))
    #expect(theirs.count == texts.count && texts.count > 200)
    for (number, (text, line)) in zip(texts, theirs).enumerated() {
      let subwords = encoder.subwords(of: Array(text.utf8), seed: UInt64(number))
      let expected = try JSONDecoder().decode(String.self, from: Data(line.utf8))
      #expect(Self.words(subwords) == Self.words(Array(expected.utf8)), "\(text)")
    }
  }

  /// fastBPE's library can be missing, because it builds only with old tools.
  @Test(.enabled { try BPEPeers.run(["has", "fastBPE"]).hasPrefix("True") }) func subwordsOfFastBPE() throws {
    let learned = try Make.learn(Make.counts(Self.realTexts, .words), mode: .word, limit: 1500)
    let scratch = try Scratch()
    let file = try scratch.write("codes", MergeCodes.write(learned, format: .fastBPE))
    let texts = Self.plainTexts.flatMap { $0.split(separator: "\n").map(String.init) }.filter {
      !$0.contains("\0")
    }
    let theirs = BPEPeers.lines(try BPEPeers.run(["apply-fastbpe", file], texts: texts))
    #expect(theirs.count == texts.count)
    let encoder = BPEEncoder(try TokenizerFile.load(file))
    for (text, line) in zip(texts, theirs) {
      let expected = try JSONDecoder().decode(String.self, from: Data(line.utf8))
      let ours = encoder.subwords(of: Array(text.utf8))
      #expect(Self.words(ours) == Self.words(Array(expected.utf8)), "\(text)")
    }
  }
}

/// Runs Tests/Peers/bpe_peers.py.
private enum BPEPeers {
  static func run(_ arguments: [String], texts: [String] = []) throws -> String {
    String(decoding: try Peers.run("bpe_peers.py", arguments, texts: texts), as: UTF8.self)
  }

  /// The lines of a text. Not by `split`, for which CR LF is one character.
  static func lines(_ text: String) -> [String] {
    var lines = Array(text.utf8).split(separator: 0x0a, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map { String(decoding: $0, as: UTF8.self) }
  }
}
