import Foundation
import Support
import TestSupport
import Testing

@testable import Tokenization

@Suite(.timeLimit(.minutes(60))) struct SentencePieceModelTests {
  private static let training = [
    String(RealText.prose.prefix(200_000)), String(RealText.multilingual.prefix(60_000)),
    "x <sep> y    z\n    indented ▁▁ code\n１２ ﬁ ㍿ ½",
  ]

  /// Options of the trainer as models have them.
  static let shapes = [
    #"{"byte_fallback": true, "normalization_rule_name": "identity", "remove_extra_whitespaces": false}"#,
    #"{"byte_fallback": true, "split_digits": true, "allow_whitespace_only_pieces": true, "remove_extra_whitespaces": false, "normalization_rule_name": "identity", "add_dummy_prefix": false}"#,
    #"{"byte_fallback": false, "normalization_rule_name": "nmt_nfkc", "character_coverage": 0.99}"#,
    #"{"byte_fallback": true, "normalization_rule_name": "nmt_nfkc_cf", "user_defined_symbols": ["<sep>", "ab", "▁▁", "\n"]}"#,
    #"{"byte_fallback": false, "normalization_rule_name": "nmt_nfkc", "treat_whitespace_as_suffix": true, "character_coverage": 0.98}"#,
    #"{"byte_fallback": true, "normalization_rule_name": "identity", "split_by_whitespace": false, "max_sentence_length": 100000}"#,
    #"{"byte_fallback": true, "normalization_rule_name": "nfkc", "remove_extra_whitespaces": true, "user_defined_symbols": ["\t", "  ", "    "]}"#,
  ]

  @Test(.peers, arguments: shapes.flatMap { [($0, false), ($0, true)] })
  func idsEqualThoseOfSentencePiece(options: String, hasEqualScores: Bool) throws {
    let scratch = try Scratch()
    let file = scratch.path("tokenizer.model")
    let all = options.replacingOccurrences(of: "{", with: #"{"model_type": "bpe", "vocab_size": 2000, "#)
    _ = try SplitPeers.lines(["sentencepiece-model", file, all], Self.training)
    if hasEqualScores { _ = try SplitPeers.lines(["same-scores", file], []) }
    let bytes = try scratch.bytes("tokenizer.model")
    #expect(SentencePieceModel.isModel(bytes))
    let encoder = BPEEncoder(try TokenizerFile.load(file))
    // The library's C interface ends text at 0.
    let texts = CharacterTokenizerTests.texts.filter { !$0.contains("\0") }
    let theirs = try SplitPeers.lines(["sentencepiece-ids", file], texts)
    #expect(theirs.count == texts.count)
    for (text, line) in zip(texts, theirs) {
      let ours = encoder.encode(Array(text.utf8)).map(String.init).joined(separator: " ")
      guard ours != String(decoding: line, as: UTF8.self) else { continue }
      Issue.record(
        "\(text.prefix(300).debugDescription): \(ours.prefix(300)) and \(String(decoding: line.prefix(300), as: UTF8.self))"
      )
      break
    }
  }

  /// Shapes that tokenizer.json can express.
  private static let writable = [
    shapes[0], shapes[1], shapes[5],
    #"{"byte_fallback": false, "normalization_rule_name": "identity", "character_coverage": 0.98}"#,
    #"{"byte_fallback": true, "normalization_rule_name": "identity", "add_dummy_prefix": false, "remove_extra_whitespaces": false, "user_defined_symbols": ["<sep>", "ab", "▁▁", "\n"], "control_symbols": ["<mask>"]}"#,
    #"{"byte_fallback": true, "normalization_rule_name": "identity", "add_dummy_prefix": false, "allow_whitespace_only_pieces": true}"#,
  ]

  @Test(.peers, arguments: writable) func writtenAsTokenizerJSON(options: String) throws {
    let scratch = try Scratch()
    let file = scratch.path("tokenizer.model")
    let all = options.replacingOccurrences(of: "{", with: #"{"model_type": "bpe", "vocab_size": 2000, "#)
    _ = try SplitPeers.lines(["sentencepiece-model", file, all], Self.training)
    let model = try TokenizerFile.load(file)
    let json = try scratch.write("tokenizer.json", TokenizerJSON.write(model))
    let texts = CharacterTokenizerTests.texts.filter { !$0.contains("\0") }
    let theirs = try SplitPeers.lines(["ids", json], texts)
    let original = BPEEncoder(model)
    let read = try TokenizerFile.load(json)
    let encoder = BPEEncoder(read)
    #expect(theirs.count == texts.count)
    for (text, line) in zip(texts, theirs) {
      let ours = encoder.encode(Array(text.utf8))
      let written = ours.map(String.init).joined(separator: " ")
      guard written != String(decoding: line, as: UTF8.self) || ours != original.encode(Array(text.utf8))
      else {
        #expect(try read.decode(ours) == model.decode(ours))
        continue
      }
      Issue.record(
        "\(text.prefix(300).debugDescription): \(written.prefix(300)) and \(String(decoding: line.prefix(300), as: UTF8.self)), the model \(original.encode(Array(text.utf8)).prefix(60))"
      )
      break
    }
  }

  @Test(
    .peers,
    arguments: [
      (shapes[2], "map of characters"), (shapes[4], "map of characters"), (shapes[3], "map of characters"),
      (
        #"{"byte_fallback": true, "normalization_rule_name": "identity", "user_defined_symbols": ["<sep>"]}"#,
        "user-defined symbol \"<sep>\""
      ),
      (
        #"{"byte_fallback": true, "normalization_rule_name": "identity", "treat_whitespace_as_suffix": true}"#,
        "treat_whitespace_as_suffix"
      ),
    ]) func whatTokenizerJSONCannotHoldIsRefusedByName(options: String, part: String) throws
  {
    let scratch = try Scratch()
    let file = scratch.path("tokenizer.model")
    let all = options.replacingOccurrences(of: "{", with: #"{"model_type": "bpe", "vocab_size": 2000, "#)
    _ = try SplitPeers.lines(["sentencepiece-model", file, all], Self.training)
    let model = try TokenizerFile.load(file)
    #expect { try TokenizerJSON.write(model) } throws: { "\($0)".contains(part) }
  }

  @Test(.peers) func equalScoresAreRefusedByName() throws {
    let scratch = try Scratch()
    let file = scratch.path("tokenizer.model")
    let all = Self.shapes[0].replacingOccurrences(
      of: "{", with: #"{"model_type": "bpe", "vocab_size": 2000, "#)
    _ = try SplitPeers.lines(["sentencepiece-model", file, all], Self.training)
    _ = try SplitPeers.lines(["same-scores", file], [])
    let model = try TokenizerFile.load(file)
    #expect { try TokenizerJSON.write(model) } throws: { "\($0)".contains("equal scores") }
  }

  /// Merges of one piece that want the same token: the left one applies, in any order of the pieces.
  @Test func waysToMakeAPiece() throws {
    // "aba" from "ab" "a" and "a" "ba"; "ababa" as well.
    let tokens = ["<unk>", "ab", "ba", "aba", "ababa", "a", "b"]
    var model: [UInt8] = []
    for (id, token) in tokens.enumerated() {
      let text = Array(token.utf8)
      let score = id == 0 ? 0 : Float(-id).bitPattern
      let body: [UInt8] =
        [0x0a, UInt8(text.count)] + text + [0x15]
        + (0..<4).map { UInt8(truncatingIfNeeded: score >> (8 * $0)) }
        + [0x18, id == 0 ? 2 : 1]
      model += [0x0a, UInt8(body.count)] + body
    }
    model += [0x12, 2, 0x18, 2] + [0x1a, 6, 0x18, 0, 0x20, 0, 0x28, 1]
    let read = try SentencePieceModel.read(model, file: "m")
    let written = try TokenizerJSON.read(TokenizerJSON.write(read), file: "j")
    #expect(written.merges.count == read.merges.count && written.mergeRanks.isEmpty)
    let encoders = (BPEEncoder(read), BPEEncoder(written))
    var random = RandomGenerator(seed: 4)
    for _ in 0..<3000 {
      let text = (0..<random.below(20)).map { _ in random.below(3) > 0 ? UInt8(0x61) : 0x62 }
      #expect(encoders.0.encode(text) == encoders.1.encode(text), "\(String(decoding: text, as: UTF8.self))")
    }
  }

  @Test(.peers) func otherTypesAreRefusedByName() throws {
    let scratch = try Scratch()
    let file = scratch.path("tokenizer.model")
    _ = try SplitPeers.lines(
      ["sentencepiece-model", file, #"{"model_type": "unigram", "vocab_size": 500}"#], Self.training)
    let bytes = try scratch.bytes("tokenizer.model")
    #expect { try SentencePieceModel.read(bytes, file: file) } throws: { "\($0)".contains("Unigram") }
  }

  @Test func damagedModelsAreRefused() throws {
    var random = RandomGenerator(seed: 3)
    // A piece "a" of score 0 and type 2, and trainer_spec with model_type 2.
    let model: [UInt8] =
      [0x0a, 10, 0x0a, 1, 0x61, 0x15, 0, 0, 0, 0, 0x18, 2] + [0x12, 2, 0x18, 2] + [0x1a, 2, 0x18, 1]
    let read = try SentencePieceModel.read(model, file: "m")
    #expect(read.unknown == 0 && read.vocabulary.count == 1)
    for _ in 0..<2000 {
      var damaged = model
      damaged[random.below(damaged.count)] = UInt8(truncatingIfNeeded: random.next())
      if random.below(3) == 0 { damaged.removeLast(random.below(damaged.count)) }
      _ = try? SentencePieceModel.read(damaged, file: "m")
    }
  }
}

@Suite(.timeLimit(.minutes(60))) struct TekkenFileTests {
  private static func file(_ tokenizer: Tokenizer, specials: Int, extra: Int) throws -> [UInt8] {
    let vocabulary = (0..<tokenizer.vocabulary.count).map { id -> [String: Any] in
      [
        "rank": id, "token_bytes": Data(tokenizer.vocabulary[UInt32(id)]).base64EncodedString(),
        "token_str": "",
      ]
    }
    let json: [String: Any] = [
      "config": [
        "pattern": PreTokenizer.tekken.pattern!, "num_vocab_tokens": vocabulary.count,
        "default_vocab_size": vocabulary.count - extra + specials, "default_num_special_tokens": specials,
        "version": "v3",
      ], "vocab": vocabulary,
      "special_tokens": [["rank": 0, "token_str": "<unk>"], ["rank": 2, "token_str": "</s>"]],
    ]
    return Array(try JSONSerialization.data(withJSONObject: json))
  }

  @Test(.peers) func idsEqualThoseOfTiktoken() throws {
    let learned = try Make.tokenizer(
      [RealText.prose, RealText.multilingual], preTokenizer: .tekken, merges: 3000)
    let scratch = try Scratch()
    let bytes = try Self.file(learned, specials: 10, extra: 200)
    let file = try scratch.write("tekken.json", bytes)
    let tokenizer = try TokenizerFile.load(file)
    #expect(
      tokenizer.preTokenizer == .tekken && tokenizer.vocabulary.count == learned.vocabulary.count - 200 + 10)
    #expect(tokenizer.endOfDocument == 2)
    let texts = CharacterTokenizerTests.texts
    let theirs = try SplitPeers.lines(["tekken", file, PreTokenizer.tekken.pattern!, "10"], texts)
    let encoder = BPEEncoder(tokenizer)
    for (text, line) in zip(texts, theirs) {
      let ours = encoder.encode(Array(text.utf8)).map(String.init).joined(separator: " ")
      #expect(ours == String(decoding: line, as: UTF8.self), "\(text.prefix(100))")
    }
    // As tokenizer.json the same ids, here and in the library.
    let json = try scratch.write("tokenizer.json", TokenizerJSON.write(tokenizer))
    let read = BPEEncoder(try TokenizerFile.load(json))
    for (text, line) in zip(texts, try SplitPeers.lines(["ids", json], texts)) {
      let ours = read.encode(Array(text.utf8)).map(String.init).joined(separator: " ")
      #expect(ours == String(decoding: line, as: UTF8.self), "\(text.prefix(100))")
      #expect(read.encode(Array(text.utf8)) == encoder.encode(Array(text.utf8)), "\(text.prefix(100))")
    }
  }
}
