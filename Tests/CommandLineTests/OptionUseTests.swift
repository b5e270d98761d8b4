import Foundation
import TestSupport
import Testing

/// Options that would change nothing are refused, with the mode that they belong to.
@Suite(.timeLimit(.minutes(60))) struct OptionUseTests {
  private static let refused: [(String, expected: String)] = [
    ("dedup --threshold 0.8 IN", "--threshold is for --method minhash"),
    ("dedup --threshold 0.7 IN", "--threshold is for --method minhash"),
    ("dedup --bands 14 IN", "--bands is for --method minhash"),
    ("dedup --rows 8 IN", "--rows is for --method minhash"),
    ("dedup --hashes 112 IN", "--hashes is for --method minhash"),
    ("dedup --shingle word IN", "--shingle is for --method minhash"),
    ("dedup --ngram 5 IN", "--ngram is for --method minhash and --against"),
    ("dedup --keep first IN", "--keep is for --method minhash"),
    ("dedup --keep-by date IN", "--keep-by is for --method minhash"),
    ("dedup --verify IN", "--verify is for --method minhash"),
    ("dedup --stage signatures IN -o OUT", "--stage is for --method minhash"),
    ("dedup --min-words 5 IN", "--min-words is for --method paragraph"),
    ("dedup --min-characters 1 IN", "--min-characters is for --method paragraph"),
    ("dedup --unit line IN", "--unit line is not one of --method exact"),
    ("dedup --min-length 50 IN", "--min-length is for --method substring"),
    ("dedup --every-copy IN", "--every-copy is for --method substring"),
    ("dedup --tokenizer IN IN", "--tokenizer is for --method substring"),
    ("dedup --key-keep digits IN", "--key-keep is for --key normalized"),
    ("dedup --key text --key-keep digits IN", "--key-keep is for --key normalized"),
    ("dedup --key-keep letters --key normalized IN", "key-keep"),
    ("dedup --mark IN", "--mark and --against-field go with --against"),
    ("dedup --against IN --work-dir OUT IN", "--work-dir is for methods other than none"),
    ("dedup --method minhash --key text IN", "--key is for --method exact"),
    ("dedup --method minhash --min-words 5 IN", "--min-words is for --method paragraph"),
    ("dedup --method substring --key-keep case IN", "--key-keep is for --key normalized"),
    ("dedup --method paragraph --threshold 0.8 IN", "--threshold is for --method minhash"),
    ("dedup --method minhash --bands 14 --rows 8 --hashes 112 IN", "--hashes would change nothing"),
    ("dedup --method minhash --bands 14 --threshold 0.8 IN", "--threshold would change nothing"),
    ("dedup --method minhash --keep longest --keep-by date IN", "--keep or --keep-by"),
    (
      "dedup --method minhash --stage bands --threshold 0.8 IN -o OUT",
      "--threshold is for --stage signatures"
    ),
    (
      "dedup --method minhash --stage clusters --text-field a IN -o OUT",
      "--text-field is for --stage signatures"
    ),
    ("dedup --method minhash --stage signatures --report r IN -o OUT", "--report is for --stage filter"),
    (
      "dedup --method minhash --stage filter --clusters OUT --bands 3 IN", "--bands is for --stage signatures"
    ),
    ("normalize --input-format text --text-field body IN", "--text-field is for JSON lines"),
    ("dedup --input-format jsonl --documents file IN", "--documents is for plain text"),
    ("normalize --locale tr IN", "--locale is for --case"),
    ("filter --rules gopher --language-threshold 0.5 IN", "--language-threshold is for --language-model"),
    ("filter --rules gopher --url-field u IN", "--url-field is for --url-blocklist"),
    ("filter --rules gopher --annotation-field f IN", "--annotation-field is for --annotate"),
    ("count-words --merge --text-field t IN", "--text-field is for text"),
    ("count-words --merge --documents line IN", "--documents is for text"),
    ("learn-bpe --counts IN --strict", "--strict is for text"),
    ("learn-bpe --counts IN --documents file", "--documents is for text"),
    ("decode --format tokens --keep-special IN", "--keep-special is for a dataset"),
    ("run --dry-run --report IN", "--dry-run or --report"),
    ("bench --tokenizer IN --merges 10 IN", "--merges is for bench without --tokenizer"),
    ("encode --tokenizer IN --level 3 IN", "--level are for --format shards"),
    ("encode --tokenizer IN --vocab-threshold 3 IN", "--vocab-threshold needs --vocab"),
    ("inspect --documents line sample.json", "--documents is for text"),
    (
      "filter --rules gopher --without c4-curly-brackets IN",
      "--without c4-curly-brackets would change nothing"
    ),
    ("filter --min-words 3 --without gopher IN", "--without gopher would change nothing"),
    ("filter --list-rules --rules c4", "--rules is for filtering"),
    ("filter --list-rules IN", "an input is for filtering"),
    ("filter --list-rules -o OUT", "--output is for filtering"),
    ("shard IN --weights 1 -o OUT", "--weights is for several datasets"),
    ("shard IN --no-shuffle --memory 1G -o OUT", "--memory is for shuffling"),
    ("shard IN --no-shuffle --seed 3 -o OUT", "--seed is for shuffling"),
    ("dedup --dry-run -o OUT IN", "--output is for documents, which --dry-run does not write"),
    ("dedup --dry-run --output-format jsonl IN", "--output-format is for documents"),
    ("dedup --against IN --memory 1G IN", "--memory is for methods other than none"),
    ("dedup --against IN --seed 2 IN", "--seed is for methods other than none"),
    ("dedup --method minhash --stage bands --seed 3 IN -o OUT", "--seed is for --stage signatures"),
    ("run --dry-run --summary OUT IN", "--summary is for a run"),
    ("run --report --memory 1G IN", "--memory is for a run"),
    ("normalize --strict --invalid drop IN", "--invalid is for reading without --strict"),
    ("dedup --strict --invalid replace IN", "--invalid is for reading without --strict"),
    ("dedup --allow-empty --expect-documents some IN", "--allow-empty is for input of which no document"),
    ("count-words --merge --allow-empty IN", "--allow-empty is for text"),
    ("normalize --seed 1 IN", "--seed is for"), ("filter --min-words 1 --seed 2 IN", "--seed is for"),
    ("count-words --seed 2 IN", "--seed is for"), ("learn-bpe --merges 3 --seed 2 IN", "--seed is for"),
    ("encode --tokenizer IN --seed 2 IN", "--seed is for --dropout"),
    ("decode --format tokens --seed 2 IN", "--seed is for"), ("inspect --seed 2 IN", "--seed is for"),
    ("verify --seed 2 IN", "--seed is for"), ("export --format numpy --seed 2 IN -o OUT", "--seed is for"),
    ("import --tokenizer IN --seed 2 IN -o OUT", "--seed is for"), ("bench --seed 2 IN", "--seed is for"),
    ("convert-tokenizer --seed 2 IN", "--seed is for"),
    ("normalize --text-field body IN", "--text-field is for JSON lines; the input is plain text"),
    ("dedup --text-field body IN IN", "--text-field is for JSON lines; the input is plain text"),
    ("filter --min-words 1 --text-field text IN", "--text-field is for JSON lines"),
    ("learn-bpe --text-field body IN", "--text-field is for JSON lines"),
    ("encode --tokenizer IN --text-field body IN", "--text-field is for JSON lines"),
    ("count-words --text-field body IN", "--text-field is for JSON lines"),
    ("inspect --text-field body IN", "--text-field is for JSON lines"),
    ("bench --text-field body IN", "--text-field is for JSON lines"),
    ("normalize --documents file in.jsonl", "--documents is for plain text; the input is JSON lines"),
  ]

  @Test(arguments: refused) func ofPKMData(command: String, expected: String) throws {
    let scratch = try Scratch()
    try scratch.write("in.txt", "one two three\n")
    try scratch.write("sample.json", "{}")
    try scratch.write("in.jsonl", "{\"text\": \"one\"}\n")
    let arguments = command.split(separator: " ").map {
      $0 == "IN" ? "in.txt" : $0 == "OUT" ? "out" : String($0)
    }
    let result = try Tool.data.run(arguments, in: scratch.url)
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.errors.contains(expected), "\(result.errors)")
    #expect(result.output.isEmpty && !scratch.names.contains("out"))
  }

  @Test(arguments: [
    ("generate --checkpoint c --temperature 0 --top-k 4", "--top-k is for a --temperature above 0"),
    ("generate --checkpoint c --temperature 0 --top-p 0.5", "--top-p is for a --temperature above 0"),
    ("inspect --checkpoint c --vocabulary 100", "--vocabulary is for recipes, without --checkpoint"),
    ("inspect --checkpoint c --set model.dim=8", "--set is for recipes, without --checkpoint"),
    ("bench --subkeys 128", "--subkeys is for --memory"),
    ("bench --forward-only", "--forward-only is for --memory"),
    ("bench --batches 2", "--batches is for --generate"),
    ("bench --generate --steps 3", "--steps is for training and --evaluate"),
    ("bench --memory --vocabulary 100", "--vocabulary is for whole models"),
    ("bench --seed 2", "--seed is for"), ("eval --checkpoint c --seed 2", "--seed is for"),
    ("report r --seed 2", "--seed is for"), ("inspect --checkpoint c --seed 2", "--seed is for"),
    ("generate --checkpoint c --temperature 0 --seed 2", "--seed is for a --temperature above 0"),
  ])
  func ofPKMTrain(command: String, expected: String) throws {
    let result = try Tool.train.run(command.split(separator: " ").map(String.init))
    #expect(result.status == 64 && result.errors.contains(expected), "\(result.errors)")
  }

  @Test func inRecipesToo() throws {
    let scratch = try Scratch()
    try scratch.write("in.txt", "one\n")
    try scratch.write(
      "r.yaml",
      "inputs: {train: in.txt}\noutput: out\nstages:\n  - dedup: {threshold: 0.8}\n  - learn-bpe\n  - encode\n"
    )
    let result = try Tool.data.run(["run", "r.yaml"], in: scratch.url)
    #expect(
      result.status == 64 && result.errors.contains("--threshold is for --method minhash"), "\(result.errors)"
    )
  }

  /// The seed and the memory of a run are for stages that take them; a merge, which keeps the order, takes neither.
  @Test func ofARunWithoutRandomStages() throws {
    let scratch = try Scratch()
    try scratch.write("a.txt", "one two three\nfour\n")
    try scratch.write("b.txt", "five six\n")
    func run(_ stages: String, _ arguments: String...) throws -> Subprocess.Result {
      try scratch.write(
        "r.yaml", "inputs: {train: a.txt, valid: b.txt}\noutput: out\nstages:\n\(stages)")
      return try Tool.data.run(["run", "--dry-run"] + arguments + ["r.yaml"], in: scratch.url)
    }
    let plain = "  - learn-bpe: {merges: 3}\n  - encode\n"
    #expect(try run(plain).status == 0)
    let refused = try run(plain, "--seed", "3")
    #expect(
      refused.status == 64 && refused.errors.contains("--seed would change nothing"), "\(refused.errors)")
    #expect(try run(plain + "  - shard\n", "--seed", "3").status == 0)
    #expect(try run(plain + "  - shard: {no-shuffle: true}\n", "--seed", "3").status == 64)
    #expect(
      try run("  - learn-bpe: {merges: 3}\n  - encode: {dropout: 0.1}\n", "--seed", "3").status == 0)
    let fixed = try run("  - normalize: {seed: 3}\n" + plain)
    #expect(fixed.status == 64 && fixed.errors.contains("r.yaml:4: normalize: --seed is for"))
    let twice = try run(plain + "  - shard: {seed: 4}\n", "--seed", "3")
    #expect(twice.status == 64 && twice.errors.contains("--seed would change nothing"), "\(twice.errors)")
  }

  /// Directories, patterns and pipes may hold every format.
  @Test func formatsThatMayBeMixedAreAccepted() throws {
    let scratch = try Scratch()
    try scratch.write("d/in.txt", "one two three\n")
    try scratch.write("in.jsonl", "{\"body\": \"four\"}\n")
    for inputs in ["--text-field body d", "--text-field body d/*.txt", "--text-field body d/in.txt in.jsonl"]
    {
      let result = try Tool.data.run(
        ["normalize"] + inputs.split(separator: " ").map(String.init), in: scratch.url)
      #expect(result.status == 0, "\(inputs): \(result.errors)")
    }
    let piped = try Tool.data.run(
      ["normalize", "--text-field", "body"], input: Data("one\n".utf8), in: scratch.url)
    #expect(piped.status == 0, "\(piped.errors)")
    // The field is that of the evaluation set as well.
    let seen = try Tool.data.run(
      ["dedup", "--text-field", "body", "--seen", "in.jsonl", "d/in.txt"], in: scratch.url)
    #expect(seen.status == 0 && seen.text.contains("one two three"), "\(seen.errors)")
  }

  @Test func whatIsUsedIsAccepted() throws {
    let scratch = try Scratch()
    try scratch.write("in.txt", "one two three\n")
    for command in [
      "--method minhash --threshold 0.8 --hashes 64 --shingle character --ngram 3 --keep first --verify",
      "--method minhash --bands 3 --rows 2 --threshold 0.5 --verify", "--method paragraph --min-words 1",
      "--method substring --min-length 1 --every-copy", "--key normalized --key-keep digits,punctuation,case",
      "--method paragraph --key-keep case", "--against in.txt --ngram 2 --key-keep digits",
    ] {
      let result = try Tool.data.run(
        ["dedup"] + command.split(separator: " ").map(String.init) + ["in.txt"], in: scratch.url)
      #expect(result.status == 0, "\(command): \(result.errors)")
    }
  }
}
