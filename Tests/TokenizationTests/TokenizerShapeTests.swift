import Foundation
import Support
import TestSupport
import Testing
import Tokenization

/// Compares ids and decoded texts with those of `tokenizers`, for tokenizers in the shapes that models ship, which that
/// library makes.
@Suite(.peers, .timeLimit(.minutes(60))) struct TokenizerShapeTests {
  private static let shapes = [
    "plain", "template", "roberta", "prefix", "whisper", "bert", "neox", "qwen", "starcoder", "removed",
    "empty",
    "accents", "compatible", "phi", "flags", "lacking", "dropping", "ignoring", "llama", "llama-unfused",
    "gemma",
    "metaspace-always", "metaspace-never", "metaspace-first",
  ]

  private static let lines =
    (RealText.multilingual + RealText.prose.prefix(30_000)).split(separator: "\n").map { String($0) + "\n" }

  /// Texts with added tokens, white space and letters that normalizers change, at random.
  private static let texts: [String] = {
    var texts = SplitTexts.awkward + SplitTexts.random(300, seed: 3) + lines.prefix(60)
    texts += [String(lines.prefix(40).joined()), String(lines.suffix(60).joined())]
    let parts = [
      "<L>", "<R>", "<B>", "the", " the ", "other", "AND", "and", "é", "e\u{301}", "<|x|>", "x|", "İ",
      "i\u{307}",
      " ", "  ", "      ", "\t", "\t\t", "\n", "\n\n\n", "\u{a0}", "<tool>", "<s>", "</s>", "<unk>", "<turn>",
      "<i>",
      "<I>", "''", "Å", "\u{212b}", "ﬁ", "①", "Σ", "ΟΣ", "日本", "\u{1f600}", "'s", "12345", "_", "-", "a", "▁",
      " ▁",
      "<0x0A>", "\u{e000}", "\u{0}", "\r",
    ]
    var random = RandomGenerator(seed: 5)
    for _ in 0..<700 {
      texts.append((0..<random.below(9)).map { _ in parts[random.below(parts.count)] }.joined())
    }
    return texts
  }()

  @Test(arguments: shapes) func idsAndTexts(shape: String) throws {
    let scratch = try Scratch()
    let file = scratch.path("tokenizer.json")
    _ = try Peers.run("tokenizer_shapes.py", ["make", shape, file], texts: Self.lines)
    let tokenizer = try TokenizerFile.load(file)
    let ids = try compare(tokenizer, file)
    try compareTexts(tokenizer, file, ids)
    // What is written again is the same tokenizer, for the library too.
    let written = try TokenizerJSON.write(tokenizer)
    let again = try scratch.write("again.json", written)
    let read = try TokenizerFile.load(again)
    #expect(try TokenizerJSON.write(read) == written)
    _ = try compare(read, again)
  }

  /// The ids of the texts in every mode, compared; returns those of plain encoding.
  private func compare(_ tokenizer: Tokenizer, _ file: String) throws -> [[UInt32]] {
    var plain: [[UInt32]] = []
    for mode in ["plain", "parse", "add"] {
      var options = EncodingOptions()
      options.parsesSpecialTokens = mode == "parse"
      options.addsSpecialTokens = mode == "add"
      let encoder = BPEEncoder(tokenizer, options: options)
      let theirs = Self.split(
        try Peers.run("tokenizer_shapes.py", ["encode", file, mode], texts: Self.texts))
      #expect(theirs.count == Self.texts.count)
      var differing = 0
      for (text, line) in zip(Self.texts, theirs) {
        let ids = encoder.encode(Array(text.utf8))
        if mode == "plain" { plain.append(ids) }
        let ours = ids.map(String.init).joined(separator: " ")
        if ours == line { continue }
        differing += 1
        if differing <= 3 { Issue.record("\(mode), \(JSONText.quote(text)): \(ours), not \(line)") }
      }
      #expect(differing == 0, "\(mode)")
      // Many documents at once give the same.
      let bytes = Self.texts.map { Array($0.utf8) }
      var ends: [Int] = [0]
      for text in bytes { ends.append(ends.last! + text.count) }
      let batch = bytes.flatMap { $0 }.withUnsafeBufferPointer {
        encoder.encode($0, documents: zip(ends, ends.dropFirst()).map { $0..<$1 })
      }
      let isSame = DecimalIDs.lines(batch) == Array((theirs.joined(separator: "\n") + "\n").utf8)
      #expect(isSame, "\(mode) at once")
    }
    return plain
  }

  private func compareTexts(_ tokenizer: Tokenizer, _ file: String, _ ids: [[UInt32]]) throws {
    var random = RandomGenerator(seed: 9)
    let special = tokenizer.addedTokens.map(\.id)
    // Whole characters, with added tokens between them.
    let mixed = ids.map { text in
      text.isEmpty || special.isEmpty
        ? text : [special[random.below(special.count)]] + text + [special[random.below(special.count)]]
    }
    for keeps in [false, true] {
      let decoder = TokenDecoder(tokenizer, keepsSpecialTokens: keeps)
      let lists = ids + mixed
      let theirs = Self.split(
        try run(
          ["decode", file, keeps ? "keep" : "skip"], lists.map { $0.map(String.init).joined(separator: " ") })
      )
      #expect(theirs.count == lists.count)
      var differing = 0
      for (list, line) in zip(lists, theirs) {
        var text = ByteBuffer(capacity: 64)
        try list.withUnsafeBufferPointer { try decoder.appendDocument($0, to: &text) }
        let ours = text.withBytes { String(decoding: $0, as: UTF8.self) }
        #expect(try tokenizer.decode(list, keepsSpecialTokens: keeps) == text.withBytes { Array($0) })
        let expected = try JSONDecoder().decode(String.self, from: Data(line.utf8))
        if Array(ours.utf8) == Array(expected.utf8) { continue }
        differing += 1
        if differing <= 3 {
          Issue.record("\(list): \(JSONText.quote(ours)), not \(JSONText.quote(expected))")
        }
      }
      #expect(differing == 0)
    }
  }

  private func run(_ arguments: [String], _ lines: [String]) throws -> [UInt8] {
    let result = try Subprocess.run(
      Peers.python!, [Repository.path("Tests/Peers/tokenizer_shapes.py")] + arguments,
      input: Data(lines.map { $0 + "\n" }.joined().utf8))
    #expect(result.status == 0, "\(result.errors)")
    return Array(result.output)
  }

  private static func split(_ output: [UInt8]) -> [String] {
    var lines = output.split(separator: 0x0a, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map { String(decoding: $0, as: UTF8.self) }
  }
}
