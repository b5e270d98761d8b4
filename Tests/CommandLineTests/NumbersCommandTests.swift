import Foundation
import Support
import TestSupport
import Testing

/// Numbers of flags and files are bounded where they are read.
@Suite struct NumbersCommandTests {
  private let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try scratch.write("in.txt", "some words of a text\n")
  }

  private static let extremes = [
    "nan", "inf", "-inf", "1e300", "-1", "0", "1e-300", "9223372036854775807", "-9223372036854775808",
    "99999999999999999999", "", "0x10", "4294967296",
  ]

  @Test(
    .long,
    arguments: [
      "normalize --max-document-size", "filter --min-words", "filter --max-chars",
      "filter --rules gopher --set gopher-min-words=",
      "dedup --method minhash --threshold", "dedup --method minhash --hashes",
      "dedup --method minhash --bands",
      "dedup --method minhash --rows", "dedup --method minhash --ngram",
      "dedup --method substring --min-length",
      "dedup --method paragraph --min-words", "dedup --memory", "count-words --min-count",
      "learn-bpe --merges",
      "learn-bpe --vocab-size", "learn-bpe --min-frequency", "learn-bpe --max-token-length",
      "learn-bpe --mode word --limit-alphabet", "learn-bpe --mode word --character-coverage",
      "encode --tokenizer bpe.json --merges", "encode --tokenizer bpe.json --dropout",
      "encode --tokenizer bpe.json --seed", "normalize --threads", "learn-bpe --merges 3 --memory",
    ]) func everyExtremeIsTakenOrRefused(option: String) throws
  {
    #expect(
      try Tool.data("learn-bpe", "--merges", "3", "in.txt", "-o", "bpe.json", in: scratch.url).status == 0)
    for value in Self.extremes {
      let isJoined = option.hasSuffix("=")
      let script = "timeout 20 pkm-data \(option)\(isJoined ? "" : "=")'\(value)' in.txt > out.txt"
      let result = try runShell("ulimit -v 8000000; " + script, in: scratch.url)
      #expect([0, 64, 65].contains(result.status), "\(script): \(result.status) \(result.errors)")
      if result.status != 0 { #expect(!result.errors.isEmpty, "\(script)") }
      if ["nan", "inf", "-inf", ""].contains(value) { #expect(result.status == 64, "\(script)") }
    }
  }

  @Test(arguments: ["--temperature", "--top-p", "--tokens", "--batch", "--top-k"]) func samplingIsBounded(
    option: String
  ) throws {
    for value in ["nan", "inf", "1e-39", "-1", "1e39", "1e-320"] {
      let result = try Tool.train("generate", "--checkpoint", "none", option + "=" + value, in: scratch.url)
      #expect(result.status == 64, "\(option) \(value): \(result.errors)")
    }
  }

  @Test(arguments: [
    ("train.steps", "9223372036854775807"), ("train.steps", "0"), ("train.lr", ".nan"), ("train.lr", ".inf"),
    ("train.clip", ".inf"), ("train.eps", "1e-320"), ("train.batch", "1048577"), ("train.warmup", "-1"),
    ("train.log_every", "9223372036854775807"), ("train.eval_tokens", "9223372036854775807"),
    ("train.keep_checkpoints", "9223372036854775807"), ("train.label_smoothing", ".nan"),
    ("train.betas", "[.nan, 0.9]"), ("train.value_lr", "1e300"), ("model.dim", "-1"),
    ("model.dim", "1048576"),
    ("model.layers", "9223372036854775807"), ("model.dropout", ".nan"), ("model.context", "0"),
    ("model.memory.subkeys", "46341"), ("model.memory.layers", "[-1]"), ("model.memory.heads", "0"),
  ]) func aRecipeOfTrainingIsBounded(key: String, value: String) throws {
    let set = key == "model.dim" && value == "1048576" ? ["--set", "model.layers=4096"] : []
    let result = try Tool.train.run(
      ["train", "--data", "none", "-o", "run", "--set", "\(key)=\(value)"] + set, in: scratch.url)
    #expect(result.status == 64 && result.errors.contains(key), "\(result.errors)")
  }

  @Test func aRecipeOfDataIsBounded() throws {
    for (stage, word) in [
      ("dedup: {method: minhash, threshold: .nan}", "threshold"),
      ("dedup: {method: minhash, hashes: 1e300}", "hashes"),
      ("filter: {min-words: 99999999999999999999}", "min-words"),
    ] {
      try scratch.write(
        "recipe.yaml", "inputs: in.txt\noutput: out\nstages:\n  - \(stage)\n  - learn-bpe\n  - encode\n")
      let result = try Tool.data("run", "recipe.yaml", in: scratch.url)
      #expect(result.status == 64 && result.errors.contains(word), "\(result.errors)")
    }
    let many = (0..<120).map { _ in "  - normalize\n" }.joined()
    try scratch.write(
      "recipe.yaml", "inputs: in.txt\noutput: out\nstages:\n\(many)  - learn-bpe\n  - encode\n")
    #expect(try Tool.data("run", "recipe.yaml", in: scratch.url).errors.contains("at most"))
  }

  /// Sizes and counts that the library would believe: the tree of its softmax grew to 17 GB.
  @Test func aDamagedLanguageModelTakesNoMemory() throws {
    let model = try MappedFile.read(Repository.path("Tests/CorpusTests/Fixtures/languages.ftz"))
    var random = RandomGenerator(seed: 21)
    for round in 0..<40 {
      var bytes = model
      // The head, with one word of four bytes that is large, negative or zero.
      let at = 8 + random.below(round < 30 ? 110 : model.count - 20)
      let word: [UInt8] = [
        [0xff, 0xff, 0xff, 0x7f], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0], [1, 2, 3, 4],
      ][round % 4]
      for (offset, byte) in word.enumerated() { bytes[at + offset] = byte }
      try scratch.write("model.ftz", bytes)
      let result = try runShell(
        "ulimit -v 1500000; exec timeout 10 pkm-data filter --language-model model.ftz --threads 1 in.txt",
        in: scratch.url)
      #expect([0, 64].contains(result.status), "\(round), \(at): \(result.status) \(result.errors)")
      #expect(!result.errors.contains("bad_alloc"), "\(round), \(at)")
    }
  }
}
