import Foundation
import Support
import TestSupport
import Testing
import Tokenization

/// Which tokenizer a file is, by what is in it.
@Suite(.timeLimit(.minutes(60))) struct TokenizerFileTests {
  private func line(_ token: [UInt8], _ rank: Int) -> String {
    (token.isEmpty ? "=" : Data(token).base64EncodedString()) + " \(rank)\n"
  }

  /// Ranks of the 256 bytes, and then of these tokens from a rank on.
  private func ranks(_ tokens: [String], from first: Int = 256) -> String {
    ByteAlphabet.bytes.enumerated().map { line([$1], $0) }.joined()
      + tokens.enumerated().map { line(Array($1.utf8), first + $0) }.joined()
  }

  private func read(_ text: String, _ name: String = "x.gpt2.tiktoken") throws -> Tokenizer {
    let scratch = try Scratch()
    return try TokenizerFile.load(scratch.write(name, text))
  }

  private func message(_ body: () throws -> Tokenizer) -> String {
    do {
      _ = try body()
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func aPreTokenInTheFileIsOneToken() throws {
    let tokenizer = try read(ranks(["abcd"]))
    let encoder = BPEEncoder(tokenizer)
    #expect(encoder.encode(Array("abcd".utf8)) == [256])
    #expect(encoder.encode(Array("abcde".utf8)).count == 5)
    #expect(tokenizer.ignoresMerges)
    // A tokenizer.json keeps the rule, and merges.txt cannot.
    let json = try TokenizerJSON.write(tokenizer)
    #expect(String(decoding: json, as: UTF8.self).contains("\"ignore_merges\": true"))
    #expect(BPEEncoder(try TokenizerJSON.read(json, file: "x")).encode(Array("abcd".utf8)) == [256])
    #expect(
      message {
        _ = try TokenizerFile.write(tokenizer, to: "merges.txt")
        return tokenizer
      }.contains("ignore_merges"))
    #expect(try TiktokenFile.write(tokenizer) == Array(ranks(["abcd"]).utf8))
    // The same ranks where each token has a merge need no rule.
    #expect(!(try read(ranks(["ab", "abc", "abcd"])).ignoresMerges))
  }

  @Test func skippedRanksAndAnEmptyTokenAreRead() throws {
    let skipping = try read(ranks(["ab"]) + line(Array("abc".utf8), 258))
    #expect(skipping.endOfDocument == 259 && skipping.vocabulary[257].isEmpty)
    #expect(BPEEncoder(skipping).encode(Array("abc".utf8)) == [258])
    #expect(String(decoding: try TiktokenFile.write(skipping), as: UTF8.self) == ranks(["ab"]) + "YWJj 258\n")
    let ending = try read(ranks(["ab"]) + "= 257\n")
    #expect(ending.endOfDocument == 258)
    for bad in ["zzz\n", "YWI= 256\n", "YWI= 1\n", "YWI= x\n", "YWI= 99999999999999999999\n"] {
      #expect(message { try read(ranks(["ab"]) + bad) }.contains("not a line of base64"), "\(bad)")
    }
  }

  @Test func ranksAreRecognizedUnderAnyName() throws {
    let text = ranks(["ab"])
    #expect(message { try read(text, "tokenizer.model") }.contains("the pattern of a .tiktoken file"))
    #expect(try read(text, "o200k.model").preTokenizer == .o200k)
    #expect(message { try read(text, "x.gpt2.o200k.tiktoken") }.contains("several patterns: o200k, gpt2"))
    #expect(message { try read(text, "o200k_cl100k.tiktoken") }.contains("several patterns"))
    #expect(try read(text, "gpt2.r50k.tiktoken").preTokenizer == .gpt2, "two names of one pattern")
  }

  /// The well-known sets, made of other tokens except the one that they are recognized by.
  @Test(arguments: [
    ("r50k", 50256, 50256, 262, 50256, PreTokenizer.gpt2), ("p50k", 50280, 50281, 262, 50256, .gpt2),
    ("cl100k", 100256, 100256, 279, 100257, .cl100k), ("o200k", 199998, 199998, 290, 199999, .o200k),
    ("llama", 128000, 128000, 279, 128001, .llama3), ("qwen", 151643, 151643, 279, 151643, .qwen2),
    ("multilingual", 50257, 50257, 264, 50257, .gpt2),
  ])
  func endsOfTextOfWellKnownSets(
    name: String, count: Int, end: Int, the: Int, endOfText: UInt32, pattern: PreTokenizer
  ) throws {
    var lines: [String] = ByteAlphabet.bytes.enumerated().map { line([$1], $0) }
    let skipped = end > count ? 50256 : -1
    for rank in 256..<end where rank != skipped {
      let token =
        rank == the ? Array(" the".utf8) : [UInt8(rank & 255), UInt8(rank >> 8 & 255), UInt8(rank >> 16)]
      lines.append(line(rank == 50256 && name == "multilingual" ? [] : token, rank))
    }
    let tokenizer = try read(lines.joined(), "tokenizer.model")
    #expect(tokenizer.endOfDocument == endOfText && tokenizer.preTokenizer == pattern)
    #expect(
      message { try read(lines.joined(), "x.whatever-tekken.tiktoken") }.contains(
        "its name tells another pattern"))
  }

  @Test func mergesAreRecognizedUnderTheirUsualNames() throws {
    let tokenizer = try Make.tokenizer([RealText.prose], merges: 300)
    let merges = String(decoding: GPT2Files.writeMerges(tokenizer), as: UTF8.self)
    let text = Array("The quick brown fox, and the dog.".utf8)
    let ids = BPEEncoder(tokenizer).encode(text)
    for name in ["merges.txt", "vocab.bpe", "gpt2-merges.txt", "bpe"] {
      #expect(BPEEncoder(try read(merges, name)).encode(text) == ids, "\(name)")
    }
    let scratch = try Scratch()
    try scratch.write("vocab.bpe", merges)
    let encoder = try scratch.write("encoder.json", GPT2Files.writeVocabulary(tokenizer))
    #expect(BPEEncoder(try TokenizerFile.load(encoder)).encode(text) == ids)
    #expect(BPEEncoder(try TokenizerFile.load(scratch.path(""))).encode(text) == ids, "the directory")
    #expect(
      message { try read("\"bpe_simple_vocab_16e6.txt#version: 0.2\ni n\nt h\n", "bpe.txt") }.contains("CLIP")
    )
    #expect(message { try read("#version: 0.2\ni n\nt h</w>\n", "merges.txt") }.contains("</w> at the end"))
    #expect(try read("#version: 0.2\ni n\nt h</w>\n", "codes").mode == .word)
    #expect(message { try read("\u{1}\u{0}\u{2}", "x.bin") }.contains("neither text nor"))
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    for (text, line) in [
      (pointer, 1), ("#version: 0.2\nabc d\n", 2), ("<!DOCTYPE html>\n<html lang=\"en\">\n", 1),
    ] {
      for name in ["merges.txt", "bpe.codes", "tokenizer.model"] {
        #expect(
          message { try read(text, name) }.contains(":\(line): is no list of merges"), "\(name): \(text)")
      }
    }
    #expect(try read("#version: 0.1\nt h\ne </w>\n", "codes").mode == .word)
    let empty = try Scratch()
    #expect(message { try TokenizerFile.load(empty.path("")) }.contains("holds no tokenizer"))
    try empty.write("a.codes", "a b\n")
    try empty.write("b.tiktoken", "a b\n")
    #expect(
      message { try TokenizerFile.load(empty.path("")) }.contains("several tokenizers: a.codes, b.tiktoken"))
  }

  @Test(arguments: [PreTokenizer.gpt2, .llama3, .o200k, .qwen2]) func mergesKeepTheirPattern(
    pattern: PreTokenizer
  ) throws {
    let tokenizer = try Make.tokenizer([RealText.prose], preTokenizer: pattern, merges: 200)
    let scratch = try Scratch()
    for (path, bytes) in try TokenizerFile.write(tokenizer, to: scratch.path("merges.txt")) {
      try scratch.write(Path.name(of: path!), bytes)
    }
    #expect(try TokenizerFile.load(scratch.path("merges.txt")).preTokenizer == pattern)
    #expect(try TokenizerFile.load(scratch.path("vocab.json")).preTokenizer == pattern)
    // It replaces its own file, and no other.
    _ = try TokenizerFile.write(tokenizer, to: scratch.path("merges.txt"))
    try scratch.write("tokenizer_config.json", #"{"tokenizer_class": "Qwen2Tokenizer"}"#)
    let qwen = try TokenizerFile.load(scratch.path("merges.txt"))
    #expect(qwen.preTokenizer == .qwen2 && qwen.normalization == [.nfc])
    #expect(throws: Failure.self) { try TokenizerFile.write(tokenizer, to: scratch.path("merges.txt")) }
  }

  @Test func conversionRefusesWhatItWouldLose() throws {
    let tokenizer = try Make.tokenizer(["ab ab"], merges: 1)
    let json = String(decoding: try TokenizerJSON.write(tokenizer), as: UTF8.self)
    for (old, new, part) in [
      (#""normalizer": null"#, #""normalizer": {"type": "NFC"}"#, "a normalizer"),
      (#""special": true"#, #""special": false"#, "added tokens that are not special"),
      (
        #"{"type": "ByteLevel", "add_prefix_space": false"#,
        #"{"type": "ByteLevel", "add_prefix_space": true"#, "spaces"
      ),
      (#""!": 0,"#, "", "lacks bytes"),
    ] {
      let changed = try TokenizerJSON.read(
        Array(json.replacingOccurrences(of: old, with: new).utf8), file: "x.json")
      for name in ["x.gpt2.tiktoken", "merges.txt"] {
        #expect(
          message {
            _ = try TokenizerFile.write(changed, to: name)
            return changed
          }.contains(part), "\(name) \(part)")
      }
    }
  }
}
