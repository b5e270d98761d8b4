import Foundation
import Support
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(60))) struct TokenizerFormatTests {
  private static let byteLevel: [PreTokenizer] = [.gpt2, .cl100k, .llama3, .o200k, .whitespace, .none]

  private func expectSame(_ a: Tokenizer, _ b: Tokenizer) {
    #expect(a.mode == b.mode && a.preTokenizer == b.preTokenizer && a.unknown == b.unknown)
    #expect(a.merges == b.merges && a.addedTokens == b.addedTokens)
    #expect(a.vocabulary.count == b.vocabulary.count)
    #expect((0..<UInt32(a.vocabulary.count)).allSatisfy { a.vocabulary[$0] == b.vocabulary[$0] })
  }

  @Test(arguments: byteLevel) func tokenizerJSONRoundTrip(preTokenizer: PreTokenizer) throws {
    let texts = [RealText.multilingual] + Adversarial.texts
    let tokenizer = try Make.tokenizer(texts, preTokenizer: preTokenizer, merges: 800)
    let json = try TokenizerJSON.write(tokenizer)
    let read = try TokenizerJSON.read(json, file: "tokenizer.json")
    expectSame(tokenizer, read)
    #expect(try TokenizerJSON.write(read) == json)
  }

  @Test func tokenizerJSONRoundTripOfWords() throws {
    let tokenizer = try Make.tokenizer([RealText.multilingual] + Adversarial.texts, mode: .word, merges: 800)
    let json = try TokenizerJSON.write(tokenizer)
    expectSame(tokenizer, try TokenizerJSON.read(json, file: "tokenizer.json"))
  }

  @Test func writesKeysInTheOrderOfTheLibrary() throws {
    let json = String(decoding: try TokenizerJSON.write(Make.tokenizer(["ab ab"], merges: 1)), as: UTF8.self)
    var rest = json[...]
    for key in [
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
      "decoder",
      "model", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
      "byte_fallback",
      "ignore_merges", "vocab", "merges",
    ] {
      let range = rest.range(of: "\"\(key)\":")
      #expect(range != nil, "\(key) in its place")
      if let range { rest = rest[range.upperBound...] }
    }
    #expect(json.contains("[\"a\", \"b\"]") && json.contains("\"<|endoftext|>\": 257"))
    #expect(json.contains("\"!\": 0,") && json.contains("\"Ġ\": 220,"))
  }

  @Test func writesTokenizerJSONOfWordsInTheseBytes() throws {
    let tokenizer = try Make.tokenizer(["ab ab\nabc \"x\""], mode: .word, merges: 1)
    #expect(
      String(decoding: try TokenizerJSON.write(tokenizer), as: UTF8.self) == #"""
        {
          "version": "1.0",
          "truncation": null,
          "padding": null,
          "added_tokens": [
            {
              "id": 0,
              "content": "<unk>",
              "single_word": false,
              "lstrip": false,
              "rstrip": false,
              "normalized": false,
              "special": true
            },
            {
              "id": 9,
              "content": "<|endoftext|>",
              "single_word": false,
              "lstrip": false,
              "rstrip": false,
              "normalized": false,
              "special": true
            }
          ],
          "normalizer": null,
          "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "[ \\n]+"}, "behavior": "Removed", "invert": false},
          "post_processor": null,
          "decoder": {"type": "BPEDecoder", "suffix": "</w>"},
          "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": "<unk>",
            "continuing_subword_prefix": null,
            "end_of_word_suffix": "</w>",
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": {
              "<unk>": 0,
              "\"": 1,
              "\"</w>": 2,
              "a": 3,
              "b": 4,
              "b</w>": 5,
              "c</w>": 6,
              "x": 7,
              "ab</w>": 8,
              "<|endoftext|>": 9
            },
            "merges": [
              ["a", "b</w>"]
            ]
          }
        }

        """#)
  }

  @Test func writesPreTokenizersInTheseBytes() throws {
    let byteLevel = #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": "#
    for (preTokenizer, expected) in [
      (PreTokenizer.gpt2, byteLevel + "true}"), (.none, byteLevel + "false}"),
      (
        .whitespace,
        #"{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "#
          + JSONText.quote(PreTokenizer.whitespace.pattern!)
          + #"}, "behavior": "Isolated", "invert": false}, "# + byteLevel + "false}]}"
      ),
    ] {
      let tokenizer = try Make.tokenizer(["ab ab"], preTokenizer: preTokenizer, merges: 1)
      let json = String(decoding: try TokenizerJSON.write(tokenizer), as: UTF8.self)
      #expect(json.contains("\n  \"pre_tokenizer\": \(expected),\n  \"post_processor\": null,\n"))
    }
  }

  @Test func readsTokenizerJSONOfOtherPrograms() throws {
    let bytes = ByteAlphabet.bytes.enumerated().map { rank, byte in
      "\(JSONText.quote(String(decoding: ByteAlphabet.encode([byte]), as: UTF8.self))):\(rank + 3)"
    }.joined(separator: ",")
    func file(_ merges: String, _ extra: String = "") -> [UInt8] {
      Array(
        """
        {"version":"1.0","added_tokens":[{"id":0,"content":"<s>","special":true},{"id":300,"content":"</s>",
        "special":true}],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
        "post_processor":{"type":"ByteLevel"},"model":{"vocab":{\(bytes),"ab":259,"\\u0120ab":260},
        "merges":\(merges)\(extra)}}
        """.utf8)
    }
    let tokenizer = try TokenizerJSON.read(file(#"["a b",["Ġ","ab"]]"#), file: "foreign.json")
    #expect(tokenizer.vocabulary.count == 301 && tokenizer.endOfDocument == 300)
    #expect(BPEEncoder(tokenizer).encode(Array("ab ab".utf8)) == [259, 260])
    #expect(try tokenizer.decode([0, 259, 260, 300]) == Array("ab ab".utf8))
    // A pre-token that is a token is not merged, even if its merges are missing.
    let whole = try TokenizerJSON.read(file(#"["a b"]"#, #","ignore_merges":true"#), file: "foreign.json")
    #expect(BPEEncoder(whole).encode(Array("ab ab".utf8)) == [259, 260])
  }

  @Test func errorsNameUnsupportedParts() throws {
    let json = String(decoding: try TokenizerJSON.write(Make.tokenizer(["ab ab"], merges: 1)), as: UTF8.self)
    func message(_ old: String, _ new: String) -> String {
      #expect(json.contains(old))
      let changed = Array(json.replacingOccurrences(of: old, with: new).utf8)
      do {
        _ = try TokenizerJSON.read(changed, file: "x.json")
        return "no error"
      } catch { return "\(error)" }
    }
    for name in ["BertNormalizer", "Precompiled", "Nmt"] {
      #expect(
        message(#""normalizer": null"#, #""normalizer": {"type": "\#(name)"}"#).contains(
          "the normalizer \(name)"))
    }
    for name in ["Unigram", "WordPiece", "WordLevel"] {
      #expect(message(#""type": "BPE""#, #""type": "\#(name)""#).contains("the model \(name)"))
    }
    #expect(message(#""dropout": null"#, #""dropout": 0.1"#).contains("dropout 0.1"))
    #expect(
      message(#""post_processor": null"#, #""post_processor": {"type": "X"}"#).contains(
        "the post_processor X"))
    #expect(message(#"["a", "b"]"#, #"["a", "bc"]"#).contains("merge 0 needs \"bc\""))
    #expect(message(#"["a", "b"]"#, #"["a"]"#).contains("merge 0 is not a pair"))
    #expect(message(#""model""#, #""models""#).contains("not a tokenizer.json"))
    #expect(message(#""ab": 256"#, #""ab": -1"#).contains("is not a natural number"))
    for number in ["2147483648", "1099511627776", "4294967296", "1.5", "null", "\"7\"", "1e300"] {
      #expect(message(#""ab": 256"#, #""ab": \#(number)"#).contains("id"))
      #expect(message(#""id": 257"#, #""id": \#(number)"#).contains("id"))
    }
    #expect(message(#""ab": 256"#, #""ab": 70"#).contains("\"ab\" have the same id 70"))
    for (number, answer) in [
      ("258", "the id 258"), ("-1", "without the ids of x"), ("1099511627776", "no natural numbers"),
    ] {
      let template =
        #"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {"x": {"ids": [\#(number)]}}}"#
      #expect(message(#""post_processor": null"#, #""post_processor": \#(template)"#).contains(answer))
    }
    #expect(message("}\n}\n", "}\n").contains("at byte"))
  }

  @Test(arguments: MergeCodes.Format.allCases) func codesRoundTrip(format: MergeCodes.Format) throws {
    let texts =
      [RealText.multilingual, RealText.prose] + Adversarial.texts + ["#version: 0.2 #version: 0.2 #version:"]
    let learned = try Make.learn(Make.counts(texts, .words), mode: .word, limit: 1500)
    let codes = MergeCodes.write(learned, format: format)
    let read = try MergeCodes.read(codes, file: "codes")
    let symbols = learned.symbolTexts()
    #expect(read.merges.count == 1500)
    for (merge, expected) in zip(read.merges, learned.merges) {
      #expect(read.vocabulary[merge.left] == symbols[Int(expected.left)])
      #expect(read.vocabulary[merge.right] == symbols[Int(expected.right)])
    }
    // The subwords are those of the learned tokenizer.
    let ours = Tokenizer(learned, mode: .word, preTokenizer: .words)
    for text in texts {
      let bytes = Array(text.utf8)
      #expect(BPEEncoder(ours).subwords(of: bytes) == BPEEncoder(read).subwords(of: bytes))
    }
  }

  private func subwords(_ codes: String, _ text: String) throws -> String {
    let encoder = BPEEncoder(try MergeCodes.read(Array(codes.utf8), file: "codes"))
    return String(decoding: encoder.subwords(of: Array(text.utf8)), as: UTF8.self)
  }

  @Test func readsAllFormsOfCodes() throws {
    #expect(try subwords("#version: 0.2\nl o\nlo w</w>\n", "low slow lox") == "low s@@ low lo@@ x")
    #expect(try subwords("l o 9\nlo w</w> 7\n", "low slow lox") == "low s@@ low lo@@ x")
    #expect(
      try subwords("l o\nlo w\nlow </w>\n", "low slow lox") == "low s@@ low lo@@ x", "0.1 without a version")
    #expect(try subwords("#version: 0.1\nl o\nlo w\n", "low lows") == "low low@@ s")
    #expect(try subwords("#version: 0.2\r\nl o\r\nlo w</w>\r\n", "low") == "low", "line ends of Windows")
    #expect(try subwords("#version: 0.2\nl o\nlo w</w>", "low") == "low", "no final line end")
    #expect(try subwords("#version: 0.2\nl o\nb c</w>\nl o\n", "lobc") == "lo@@ bc", "a duplicate")
    // The first of two equal merges determines the rank: (a, b) before (b, c).
    #expect(try subwords("#version: 0.2\na b\nb c</w>\na b\n", "abc") == "ab@@ c")
  }

  @Test func errorsInCodesNameTheLine() throws {
    for (text, line) in [
      ("#version: 0.2\na b\nc\n", 3), ("a b 1\nc d\n", 2), ("a b\nc d 1\n", 2), ("#version: 0.2\na  b\n", 2),
      ("a b x\n", 1), ("#version: 0.3\na b\n", 1), ("{\"a\": 1}\nx", 2), ("#version: 0.2\na b\n\nc d\n", 3),
    ] {
      do {
        _ = try MergeCodes.read(Array(text.utf8), file: "codes")
        Issue.record("\(text) was read")
      } catch let failure as Failure {
        #expect(failure.line == line && failure.kind == .badInput, "\(failure)")
      }
    }
    #expect(throws: Failure.self) { try MergeCodes.read([], file: "codes") }
  }

  @Test func gpt2FilesRoundTrip() throws {
    let tokenizer = try Make.tokenizer([RealText.multilingual], merges: 500)
    let (merges, vocabulary) = (GPT2Files.writeMerges(tokenizer), GPT2Files.writeVocabulary(tokenizer))
    let read = try GPT2Files.read(
      merges: merges, mergesFile: "merges.txt", vocabulary: vocabulary, vocabularyFile: "vocab.json")
    expectSame(tokenizer, read)
    expectSame(
      tokenizer,
      try GPT2Files.read(
        merges: merges, mergesFile: "merges.txt", vocabulary: nil, vocabularyFile: "vocab.json"))
    #expect(throws: Failure.self) {
      try GPT2Files.read(
        merges: Array("#version: 0.2\na b c\n".utf8), mergesFile: "m", vocabulary: nil, vocabularyFile: "v")
    }
  }

  @Test(arguments: [("x.gpt2.tiktoken", PreTokenizer.gpt2), ("cl100k_base.tiktoken", .cl100k)])
  func tiktokenRoundTrip(name: String, preTokenizer: PreTokenizer) throws {
    let tokenizer = try Make.tokenizer([RealText.multilingual], preTokenizer: preTokenizer, merges: 500)
    let file = try TiktokenFile.write(tokenizer)
    #expect(String(decoding: file.prefix(7), as: UTF8.self) == "IQ== 0\n")
    expectSame(tokenizer, try TiktokenFile.read(file, file: name))
    #expect(throws: Failure.self) { try TiktokenFile.read(file, file: "nameless.tiktoken") }
    #expect(throws: Failure.self) { try TiktokenFile.read(file + Array("zzz\n".utf8), file: name) }
  }

  @Test(.timeLimit(.minutes(60))) func largeFilesAreReadQuickly() throws {
    var random = RandomGenerator(seed: 1)
    let words = (0..<40_000).map { _ in (Make.word(&random, letters: 26, maximumLength: 14), 1) }
    let tokenizer = Tokenizer(
      try Make.learn(Make.counts(words), mode: .byteLevel, limit: 60_000), mode: .byteLevel,
      preTokenizer: .gpt2)
    let json = try TokenizerJSON.write(tokenizer)
    let read = try TokenizerJSON.read(json, file: "tokenizer.json")
    #expect(read.merges.count == tokenizer.merges.count && read.merges.count > 40_000)
  }
}

@Suite(.timeLimit(.minutes(60))) struct DecimalIDTests {
  @Test func idsRoundTrip() {
    let ids: [UInt32] = [0, 7, 10, 99, 12345, .max]
    var batch = EncodedBatch()
    (batch.ids, batch.ends) = (ids + ids, [0, ids.count, 2 * ids.count])
    let lines = String(decoding: DecimalIDs.lines(batch), as: UTF8.self)
    let expected = "0 7 10 99 12345 4294967295"
    #expect(lines == "\n\(expected)\n\(expected)\n")
    let line = Array(expected.utf8)
    for number in [1, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 99_999, 100_000, 999_999, 1_000_000]
      as [UInt32]
    {
      (batch.ids, batch.ends) = ([number], [1])
      #expect(String(decoding: DecimalIDs.lines(batch), as: UTF8.self) == "\(number)\n")
    }
    var read: [UInt32] = []
    #expect(line.withUnsafeBytes { DecimalIDs.parse($0, into: &read) } == nil)
    #expect(read == ids)
    for (text, offset) in [
      ("1 x", 2), ("12a", 0), ("-1", 0), ("4294967296", 0), ("1 99999999999999999999", 2),
    ] {
      var ids: [UInt32] = []
      #expect(Array(text.utf8).withUnsafeBytes { DecimalIDs.parse($0, into: &ids) } == offset, "\(text)")
    }
  }

  @Test func markedSubwordsJoinToTheText() {
    for (subwords, text) in [
      ("lo@@ w", "low"), ("a b@@", "a b"), ("  a@@ b  c ", "  ab  c "), ("", ""), ("@@ @@", ""),
      ("a@@b", "a@@b"),
      ("a@@@ b", "a@b"),
    ] {
      var out: [UInt8] = []
      Array(subwords.utf8).withUnsafeBytes { SubwordText.joinMarked($0, into: &out) }
      #expect(String(decoding: out, as: UTF8.self) == text, "\(subwords)")
    }
  }
}
