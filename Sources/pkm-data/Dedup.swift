import ArgumentParser
import Commands
import Corpus
import Stages
import Support

struct Dedup: ParsableCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Removes duplicate documents; order kept.",
    discussion: """
      exact: documents with the same bytes (a 128-bit hash stands for them), or with --key normalized the same words: \
      case, accents, width, punctuation and the values of digits do not count. The first occurrence stays. Documents \
      stream through; memory is 27 to 53 bytes for each distinct document, 37 to 75 with --report. What goes beyond \
      --memory is sorted on disk, 24 bytes a document and the text that is left.

      minhash: near-duplicates. A document is the set of the shingles of its normalized words (five in a row, or \
      characters in a row); the similarity of two is the Jaccard index of their sets; those that agree in one band of \
      their MinHash signatures are a candidate pair, with the probability that is printed at the start. --verify keeps \
      the pairs that reach the threshold. Of each cluster of pairs one document stays: the first, the --keep longest, or \
      the one that --keep-by says; among equals the first. Documents of fewer words than a shingle are one shingle; those \
      without a letter or digit are near-duplicates of none. Which bands and rows are best for a threshold is derived; \
      pairs exactly at the threshold are found about half of the time, so give a lower one with --verify, or more --hashes.

      minhash reads its input twice; a pipe is spooled. Disk: 12 bytes a band and document, 8 bytes a document (24 with \
      --keep longest or --keep-by), with --report half a byte a hash and document, 8 bytes for each band that a \
      near-duplicate shares with the first of its kind, for each document of a cluster 24 bytes (40 with --keep longest or \
      --keep-by, and half a byte a hash with --report), 32 bytes for each that is removed; with --verify 8 bytes for each \
      shingle of a document in a pair. Memory: 4 bytes a document (and 12 for each in a pair with --verify), and all the \
      rest within --memory. 60 million documents (30 billion words) with 14 bands: 10.6 GB of disk for the keys, some 4 GB \
      for pairs, clusters and removals where 40 % are near-duplicates, 5 GB for a report; 240 MB of memory.

      Killed at any moment, minhash and substring go on from the parts that were finished when the same command is given \
      again, and the result is the same; so do exact and paragraph with --work-dir, for which all their hashes are sorted \
      on disk (24 bytes a document, 16 a line, 24 with --report) and the input is read twice. Without it exact, paragraph \
      and --against begin again. In no case stands a part of an output under its name.

      A --stage alone, for many machines: signatures INPUT… -o DIR for each part of the input; bands DIR… -o BANDS, or \
      one --part of it on each machine; clusters DIR… BANDS… -o CLUSTERS; filter --clusters CLUSTERS INPUT… for each part. \
      Each stage checks that it is given what the one before was: listing and content of the inputs, and the options.

      paragraph: lines, or with --unit paragraph paragraphs, with the same words (as with --key normalized) anywhere \
      before; the first occurrence stays, where CCNet, whose scheme this is, removes it, too. Lines without a letter or \
      digit go with the line before them and are no duplicates. In JSON lines the share of the text that was removed \
      is noted down as "dedup_removed". Documents that have lost something are dropped when less than --min-words or \
      --min-characters is left. A 64-bit hash stands for a line: among a billion of them two different ones are taken \
      for the same with probability 3 %. Memory: 16 to 32 bytes for each distinct line, 27 to 54 with --report; beyond \
      --memory the rest is spooled and sorted on disk, 16 or 24 bytes a line.

      substring: spans of at least --min-length words, bytes, or tokens of a --tokenizer, that occur before, anywhere in \
      the corpus, exactly; they are cut out, all but their first occurrence, and documents of which nothing is left are \
      dropped. \
      --every-copy cuts the first, too, and counts overlapping occurrences, as the suffix array tools do. Two passes; \
      memory is --memory, disk is the text once, 16 bytes a document and, for 50 words, some 0.4 bytes a byte of text \
      (for 100 bytes 1.3), more where much is repeated.

      --against FILE: documents that share --ngram (13) consecutive words with an evaluation set are dropped, or with \
      --mark get a field "contamination". Every string of a JSON line is an evaluation text, or --against-field alone; \
      plain text is split as --documents says. Texts of fewer words are not looked for, and counted. Memory: 8 bytes a \
      word of the evaluation sets and 16 to 40 for each of their n-grams. With a --method it comes first, and always \
      takes 13 words with minhash, where --ngram is that of the shingles.

      --seen FILE: documents that count as read before the input, such as those of held-out splits or of an earlier corpus. \
      What duplicates them goes; they themselves are neither written nor counted. With minhash the first document of a \
      cluster stays.

      Hashes are fast ones (XXH3 and the like), not cryptographic. But for those of the words of --against they are seeded by \
      --seed: who distrusts the source of the text gives a number of his own, for which nobody can have prepared. Tables \
      are salted anew in every run, so that no text makes them slow. Spans are compared byte by byte, n-grams word by word, \
      near-duplicates with --verify shingle by shingle.

      A document is held in memory whole: one of 1 GB takes 1.6 GB with exact, minhash and --against, 2.1 GB with \
      paragraph and 2.7 GB with substring, whatever --memory; --max-document-size sets a limit.

      With a method, empty documents (nothing but white space) are dropped and counted. JSON lines pass byte for byte.

      --report lists one JSON object for each removed document: its file and line, the reason, file and line of the \
      document that it duplicates, and how similar the two are (an estimate from the signatures unless --verify). \
      --dry-run counts and reports, and writes no documents.

      EXAMPLES:
        pkm-data normalize raw/ | pkm-data dedup > unique.txt
        pkm-data dedup --documents paragraph --report removed.jsonl book.txt -o book.unique.txt
        pkm-data dedup --key normalized pages.jsonl.zst -o unique.jsonl.zst
        pkm-data dedup --method minhash --threshold 0.8 pages/ -o unique.jsonl.zst
        pkm-data dedup --method minhash --threshold 0.7 --verify --keep-by date pages.jsonl -o unique.jsonl
        pkm-data dedup --method paragraph --min-words 50 pages.jsonl -o clean.jsonl
        pkm-data dedup --method substring --unit byte --min-length 100 pages.jsonl -o cut.jsonl
        pkm-data dedup --method substring --tokenizer bpe.json --min-length 50 pages.jsonl -o cut.jsonl
        pkm-data dedup --seen valid.jsonl --seen test.jsonl train.jsonl -o train.unique.jsonl
        pkm-data dedup --against gsm8k.jsonl --against mmlu/ --report found.jsonl pages.jsonl -o clean.jsonl
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable { case exact, paragraph, minhash, substring, none }
  enum Key: String, ExpressibleByArgument, CaseIterable { case text, normalized }

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions
  @OptionGroup var minhash: MinHashFlags
  @OptionGroup var parts: PartFlags
  @OptionGroup var evaluation: EvaluationFlags

  @Option(help: "What counts as a duplicate: \(Method.list) (default: exact, or none with --against).")
  var method: Method?

  @Option(help: "exact: what has to be equal: \(Key.list).")
  var key = Key.text

  @Option(
    help: ArgumentHelp(
      "Documents of this file or directory count as read before the input; may be given again.",
      valueName: "file"))
  var seen: [String] = []

  @Option(help: ArgumentHelp("Write what was removed, and why, as JSON lines.", valueName: "file"))
  var report: String?

  @Flag(help: "Count and report only.")
  var dryRun = false

  @Option(
    help: ArgumentHelp(
      "Memory for what grows with the corpus (default: a quarter of the machine's, at least 64M).",
      valueName: "size"))
  var memory: ByteSize?

  @Option(
    help: ArgumentHelp(
      """
      Where the state lies of methods that read their input more than once; a killed run goes on from it (default: a \
      directory beside the output, removed at the end).
      """, valueName: "directory"))
  var workDir: String?

  static let stageName = "dedup"
  static let role = RecipeRole.text
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + RunOptions.recipeOptions + MinHashFlags.recipeOptions
    + PartFlags.recipeOptions + EvaluationFlags.recipeOptions + [
      .text("method"), .text("key"), RecipeOption("seen", kind: .documents, isRepeating: true),
      .text("report"), .text("memory"),
    ]
  static let optionsSetByRun: [String] =
    OutputOptions.optionsSetByRun + RunOptions.optionsSetByRun + MinHashFlags.optionsSetByRun
    + ["dry-run", "work-dir"]

  func run() throws {
    let started = Progress.now()
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    let method = DedupOptions.Method(rawValue: chosenMethod.rawValue)!
    // Sketches estimate similarities for the report; a single stage does not know whether there will be one.
    let hasSketches = !minhash.verify && (report != nil || minhash.stage != nil)
    var dedup = DedupOptions(
      input: try input.corpus(pipe: pipes.input), output: output.corpus(pipe: pipes.output),
      settings: options.settings,
      minhash: minhash.dedupOptions(seed: options.seed, hasSketches: hasSketches),
      substring: SubstringDedupOptions(spans: parts.spans(seed: options.seed), tokenizer: parts.tokenizer))
    dedup.method = method
    dedup.exactKey = ExactKey(rawValue: key.rawValue)!
    dedup.paragraph = parts.paragraphs
    // Shingles have an n-gram length of their own.
    dedup.decontamination = evaluation.options(ngram: method == .minhash ? nil : minhash.ngram)
    dedup.seen = seen
    dedup.report = report
    dedup.isDryRun = dryRun
    dedup.givenMemory = memory?.bytes
    dedup.workDirectory = workDir
    return try DedupStage(dedup).run()
  }

  /// Whether the documents are read once, from the first to the last.
  var readsOnce: Bool { chosenMethod != .minhash && chosenMethod != .substring && workDir == nil }

  var chosenMethod: Method { method ?? (evaluation.against.isEmpty ? .exact : .none) }

  /// What `--unit` can be.
  private var units: [PartFlags.Unit] {
    switch chosenMethod {
    case .paragraph: [.line, .paragraph]
    case .substring: [.word, .byte, .token]
    case .exact, .minhash, .none: []
    }
  }

  func validate() throws {
    if let unit = parts.unit, !units.contains(unit) {
      throw ValidationError("--unit \(unit.rawValue) is not one of --method \(chosenMethod.rawValue)")
    }
    if parts.tokenizer != nil && chosenMethod != .substring {
      throw ValidationError("--tokenizer is for --method substring")
    }
    if chosenMethod == .none && evaluation.against.isEmpty {
      throw ValidationError("--method none needs --against")
    }
    if !seen.isEmpty {
      if seen.contains("-") { throw ValidationError("--seen needs files: standard input is for the corpus") }
      if chosenMethod == .none { throw ValidationError("--seen needs a method of finding duplicates") }
      if minhash.stage != nil {
        throw ValidationError("--seen works without --stage; among stages, give its signatures first")
      }
      if minhash.keep != .first || minhash.keepBy != nil {
        throw ValidationError("--seen goes with --keep first: what was seen before stays")
      }
    }
    if let stage = minhash.stage, stage != .filter, output.output == nil || output.output == "-" {
      throw ValidationError("--stage \(stage.rawValue) writes a directory: give it as --output")
    }
    if minhash.stage != nil && !evaluation.against.isEmpty {
      throw ValidationError("--against comes before the stages: run it by itself first")
    }
  }
}
