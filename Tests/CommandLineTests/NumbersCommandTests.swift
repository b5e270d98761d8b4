import Foundation
import Support
import TestSupport
import Testing

/// Numbers of flags and files are bounded where they are read.
@Suite(.timeLimit(.minutes(60))) struct NumbersCommandTests {
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
      ("dedup: {method: minhash, hashes: 1e300}", "recipe.yaml:4: dedup: The value '1e300' is invalid"),
      ("dedup: {method: minhash, hashes: 1e300}", "It must be between 1 and 4096"),
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

  /// What is wrong with a setting is said of the setting, and not of the recipe or a line of it.
  @Test func aWrongSettingIsBlamedOnItself() throws {
    try scratch.write("r.yaml", "model: {layers: 1, dim: 16, heads: 2}\ntrain: {steps: 2}\n")
    func errors(_ settings: String..., recipe: String = "r.yaml") throws -> String {
      let result = try Tool.train.run(
        ["train", "--config", recipe, "--data", "none", "-o", "run"] + settings.flatMap { ["--set", $0] },
        in: scratch.url)
      #expect(result.status == 64 || result.errors.contains("no such dataset"), "\(result.errors)")
      return result.errors
    }
    for (setting, message) in [
      ("x=1", "unknown key \"x\" in the recipe"), ("train.bogus=1", "unknown key \"bogus\" in train"),
      ("model.memory=true", "model.memory must be a map"), ("model=1", "model must be a map"),
      ("model.dim.x=2", "model.dim is a mapping"),
      ("model.dim=63", "model.heads (2) does not divide dim (63)"),
      ("model.dim=2147483648", "model.dim is 2147483648. Use 1 to 1048576"),
      ("model.dim=1e300", "model.dim is 1e300. Give a whole number from 1 to 1048576"),
      ("model.dim=0.5", "from 1 to 1048576"), ("model.dim=18446744073709551616", "from 1 to 1048576"),
      ("train.steps=1e999", "from 1 to 1099511627776"), ("train.batch=1e300", "from 1 to 1048576"),
      ("train.seed=-1", "from 0 to 18446744073709551615"), ("train.lr=1e999", "at most 1e30"),
    ] {
      let said = try errors(setting)
      #expect(said.contains("error: --set \(setting): ") && said.contains(message), "\(said)")
      #expect(!said.contains("r.yaml"), "\(said)")
    }
    #expect(try errors("model..dim=3").contains("--set must be key.path=value"))
    // Together they are right; the last one of two that makes it wrong is named.
    #expect(try errors("model.dim=63", "model.heads=3").contains("no such dataset"))
    #expect(try errors("train.lr=1", "model.dim=63", "train.steps=3").contains("--set model.dim=63: "))
    // What the file has wrong remains a fault of the file, until a setting mends it.
    try scratch.write("bad.yaml", "model:\n  dim: 1e300\n")
    for bad in [try errors(recipe: "bad.yaml"), try errors("model.layers=2", recipe: "bad.yaml")] {
      #expect(bad.contains("bad.yaml:2: model.dim is 1e300. Give a whole number from 1 to 1048576"), "\(bad)")
    }
    #expect(try errors("model.dim=8", recipe: "bad.yaml").contains("no such dataset"))
  }

  @Test(arguments: ["1e300", "0.5", "-1", "18446744073709551616", "1e999"])
  func aNumberInAFileIsNamed(value: String) throws {
    try SampleDataset.write(scratch.path("d"), documents: 20)
    let lines = (0..<50).map { "line \($0) of a text with words enough" }
    try scratch.write("text.txt", lines.joined(separator: "\n"))
    #expect(
      try Tool.data(
        "dedup", "--method", "minhash", "--stage", "signatures", "text.txt", "-o", "s", in: scratch.url
      ).status == 0)
    let bands = ["dedup", "--method", "minhash", "--stage", "bands", "s", "-o", "b"]
    for (file, key, name, bound, command) in [
      ("d/index.json", "tokens", "tokens", "4398046511104", ["inspect", "d"]),
      ("d/index.json", "vocabulary_size", "vocabulary_size", "", ["inspect", "d"]),
      ("d/index.json", "documents", "documents", "4398046511104", ["verify", "d"]),
      ("s/signatures.json", "documents", "documents", "", bands),
      ("s/signatures.json", "bands", "options.parameters.bands", "", bands),
    ] {
      let text = try scratch.text(file)
      defer { _ = try? scratch.write(file, text) }
      let number = try #require(text.firstRange(of: try Regex("\"\(key)\" : [0-9]+")))
      try scratch.write(file, text.replacingCharacters(in: number, with: "\"\(key)\" : \(value)"))
      let result = try Tool.data.run(command, in: scratch.url)
      let said = result.errors + result.text
      #expect(
        result.status == 65 && said.contains(file) && said.contains(name) && said.contains(value)
          && (bound.isEmpty || said.contains(bound)), "\(said)")
      #expect(!said.contains("DecodingError") && !said.contains("not valid JSON"), "\(said)")
    }
  }

  /// Readers hold several frames in memory, so that eight of a gibibyte would be eight.
  @Test func theFramesOfAShardAreBounded() throws {
    try SampleDataset.write(scratch.path("d"), documents: 20)
    let file = "d/train-00000.tokens.zst"
    var bytes = try scratch.bytes(file)
    // Before the footer of nine bytes, which begins with their number, are entries of twelve.
    let count = Int(bytes[bytes.count - 9])
    let first = bytes.count - 9 - 12 * count
    bytes.replaceSubrange((first + 4)..<(first + 8), with: [0, 0, 0, 0x40])
    try scratch.write(file, bytes)
    for command in [["verify", "d"], ["shard", "d", "-o", "x"]] {
      let result = try Tool.data.run(command, in: scratch.url)
      #expect(
        result.status == 65
          && result.errors.contains("frame 0 claims 1073741824 bytes, and may have at most 67108864"),
        "\(result.errors)")
    }
  }

  /// ArgumentParser calls a value invalid; what it may be is added.
  @Test(arguments: [
    ("normalize --threads=1e300", "It must be between 1 and 1024"),
    ("normalize --seed=-1", "from 0 to 18446744073709551615"),
    ("dedup --memory 1e300", "from 1 to 1e18 bytes"),
    ("dedup --method minhash --hashes 0.5", "It must be between 1 and 4096"),
    ("filter --min-words 18446744073709551616", "whole number of at most 9223372036854775807"),
    ("filter --min-words=-1", "--min-words must be 0 or more, not -1"),
    ("learn-bpe --merges 1e999", "It must be 0 to 10000000"),
    ("shard a -o b --tokens 1e300", "from 1 to 1e15"), ("shard a -o b --weights x", "from 0 to 1000000"),
  ]) func anInvalidValueIsExplained(command: String, message: String) throws {
    let result = try Tool.data.run(
      command.split(separator: " ").map(String.init) + ["in.txt"], in: scratch.url)
    #expect(result.status == 64 && result.errors.contains(message), "\(result.errors)")
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
