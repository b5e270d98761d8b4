import ArgumentParser
import Commands
import Corpus
import Stages
import Support

struct Dedup: DocumentedCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Remove duplicate documents, or duplicate parts of documents.")

  static let details = """
    The order of the documents is kept, and so is the first occurrence of a
    duplicate. With a method, documents that contain only whitespace are dropped
    and counted. JSON lines that lose nothing are copied byte for byte.

      method      removes                             input   memory
      exact       documents equal to an earlier one   once    27-53 B/document
      minhash     documents similar to another one    twice   4 B/document
      paragraph   lines that occurred before          once    16-32 B/line
      substring   spans that occurred before          twice   --memory

    Data beyond --memory is sorted on disk. A document is held in memory as a
    whole: one of 1 GB takes 1.6 to 2.7 GB. --max-document-size sets a limit.

    exact compares the bytes of documents or, with --key normalized, their words:
    case, accents, width, punctuation and the values of digits are ignored.

    --key-keep digits,punctuation,case says what else has to be equal, with --key
    normalized, paragraph, minhash and --against. All three are ignored by
    default, because copies of a page differ in dates, counters and typography
    more often than different pages differ in nothing else. For arithmetic,
    tables or code that is wrong: 1,000 questions "What is A plus B?" have some
    10 different keys. digits is datatrove's norm_numbers=False; with punctuation
    each mark and symbol is a word. --verify compares the same words. Accents are
    ignored on Latin, Greek and Cyrillic letters only; in other scripts such
    marks are letters, which count.

    minhash compares sets of shingles, which are --ngram consecutive words
    (normalized in the same way) or characters. The similarity of two documents
    is the Jaccard index of their sets. Documents whose MinHash signatures agree
    in one band are a candidate pair; the run first prints how likely that is for
    each similarity. By default a pair at the threshold is found about half of
    the time. To find more pairs, give a lower --threshold with --verify, or more
    --hashes. One document of each cluster of pairs is kept. Disk: 12 bytes per
    band and document; --verify adds 8 bytes per shingle of the documents in
    pairs.

    paragraph removes lines (--unit paragraph: paragraphs) whose normalized words
    occurred before, anywhere in the corpus. A line without letters and digits is
    never a duplicate and is removed with the line before it. JSON lines get the
    removed share of their text as "dedup_removed".

    substring cuts out every span of at least --min-length words, bytes or tokens
    that occurred before, anywhere in the corpus, and drops documents of which
    nothing is left. --every-copy cuts the first occurrence as well, as suffix
    array tools do. Disk: the text, and 0.4 to 1.3 bytes per byte of text, more
    if much is repeated.

    --against FILE drops documents that share --ngram (13) consecutive words with
    an evaluation set, before any method runs. Every string of a JSON line is an
    evaluation text, or --against-field alone; plain text is split by
    --documents. Texts of fewer words are skipped and counted; a FILE without a
    single n-gram is an error. With minhash the length is always 13, because
    --ngram is the length of its shingles.

    --seen FILE removes documents that duplicate those of FILE, such as a
    held-out split or an earlier corpus. FILE itself is neither written nor
    counted.

    --stage runs minhash on several machines:
      signatures INPUT… -o DIR             for each part of the input
      bands DIR… -o BANDS                  or one --part of it per machine
      clusters DIR… BANDS… -o CLUSTERS
      filter --clusters CLUSTERS INPUT…    for each part of the input
    Each stage checks that inputs and options are those of the stage before.

    Interruptions: minhash and substring continue from their finished parts when
    the same command is given again, with the same result. exact and paragraph do
    so with --work-dir, and then read the input twice. A partial output never
    appears under its final name.

    Hashes are fast ones (XXH3 and similar), not cryptographic: 128 bits per
    document, 64 per line (among a billion distinct lines, some pair collides
    with a probability of 3 %). For adversarial text, pass a --seed of your own.

    --report writes a JSON object per removed document: its file and line, the
    reason, the file and line of the document that it duplicates, and their
    similarity, which is estimated from the signatures unless --verify is given.
    """

  static let examples = """
    pkm-data normalize raw/ | pkm-data dedup > unique.txt
    pkm-data dedup --key normalized pages.jsonl.zst -o unique.jsonl.zst
    pkm-data dedup --key normalized --key-keep digits sums.txt -o unique.txt
    pkm-data dedup --documents paragraph --report removed.jsonl \\
      book.txt -o book.unique.txt
    pkm-data dedup --method minhash --threshold 0.8 pages/ -o unique.jsonl.zst
    pkm-data dedup --method minhash --threshold 0.7 --verify --keep-by date \\
      pages.jsonl -o unique.jsonl
    pkm-data dedup --method paragraph --min-words 50 pages.jsonl -o clean.jsonl
    pkm-data dedup --method substring --unit byte --min-length 100 \\
      pages.jsonl -o cut.jsonl
    pkm-data dedup --method substring --tokenizer bpe.json --min-length 50 \\
      pages.jsonl -o cut.jsonl
    pkm-data dedup --seen valid.jsonl --seen test.jsonl \\
      train.jsonl -o train.unique.jsonl
    pkm-data dedup --against gsm8k.jsonl --against mmlu/ --report found.jsonl \\
      pages.jsonl -o clean.jsonl
    """

  enum Method: String, ExpressibleByArgument, CaseIterable { case exact, paragraph, minhash, substring, none }
  enum Key: String, ExpressibleByArgument, CaseIterable { case text, normalized }

  @Option(help: "How duplicates are found (default: exact, or none with --against).")
  var method: Method?

  @Option(help: "exact: what is compared (default: text).")
  var key: Key?

  @Option(
    help: ArgumentHelp(
      """
      --key normalized, paragraph, minhash, --against: what also has to be equal, such as digits,case (default: none).
      """, valueName: "details"))
  var keyKeep: [KeyDetails] = []

  @OptionGroup var minhash: MinHashFlags
  @OptionGroup var parts: PartFlags
  @OptionGroup var evaluation: EvaluationFlags

  @Option(
    help: ArgumentHelp(
      "Also remove duplicates of the documents of this file or directory; may be repeated.",
      valueName: "file"))
  var seen: [String] = []

  @Option(help: ArgumentHelp("Write what was removed, and why, as JSON lines.", valueName: "file"))
  var report: String?

  @Flag(help: "Count and report, but write no documents.")
  var dryRun = false

  @Option(
    help: ArgumentHelp(
      "Memory for data that grows with the corpus (default: a quarter of the RAM that the process may use, at least 64M).",
      valueName: "size"))
  var memory: ByteSize?

  @Option(
    help: ArgumentHelp(
      """
      Directory for the state from which an interrupted run continues (default: beside the output, removed at the \
      end).
      """, valueName: "directory"))
  var workDir: String?

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions

  static let stageName = "dedup"
  static let role = RecipeRole.text
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + RunOptions.recipeOptions + MinHashFlags.recipeOptions
    + PartFlags.recipeOptions + EvaluationFlags.recipeOptions + [
      .text("method"), .text("key"), .list("key-keep"),
      RecipeOption("seen", kind: .documents, isRepeating: true),
      RecipeOption("report", kind: .outputFile), .text("memory"),
    ]
  static let optionsSetByRun: [String] =
    OutputOptions.optionsSetByRun + RunOptions.optionsSetByRun + MinHashFlags.optionsSetByRun
    + ["dry-run", "work-dir"]

  var files: [OwnFiles.Entry] {
    (minhash.stage.map { $0 != .filter } == true
      ? .directory(output.output) : .output(dryRun ? nil : output.output ?? "-"))
      + .output(report, "--report")
      + .output(workDir, "--work-dir")
      + options.files + .option(parts.tokenizer, "--tokenizer")
  }

  func run() throws {
    let started = Progress.now()
    try input.checkFormats(and: seen + evaluation.against)
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    if pipes.input == nil { try checkSeen() }
    let method = DedupOptions.Method(rawValue: chosenMethod.rawValue)!
    let details = keyKeep.reduce(into: KeptDetails()) { $0.formUnion($1.details) }
    // Sketches estimate similarities for the report; a single stage does not know whether there will be one.
    let hasSketches = !minhash.verify && (report != nil || minhash.stage != nil)
    var dedup = DedupOptions(
      input: try input.corpus(pipe: pipes.input), output: output.corpus(pipe: pipes.output),
      settings: options.settings,
      minhash: minhash.dedupOptions(seed: options.seed, keep: details, hasSketches: hasSketches),
      substring: SubstringDedupOptions(spans: parts.spans(seed: options.seed), tokenizer: parts.tokenizer))
    dedup.method = method
    dedup.exactKey = key == .normalized ? .normalized : .text
    dedup.keep = details
    dedup.paragraph = parts.paragraphs
    // Shingles have an n-gram length of their own.
    dedup.decontamination = evaluation.options(ngram: method == .minhash ? nil : minhash.ngram)
    dedup.decontamination.keep = details
    dedup.seen = seen
    dedup.report = report
    dedup.isDryRun = dryRun
    dedup.givenMemory = memory?.bytes
    dedup.workDirectory = workDir
    return try DedupStage(dedup).run()
  }

  /// Throws where `--seen` would remove all documents of an input, or of all inputs, because it names the same files.
  private func checkSeen() throws {
    if seen.isEmpty { return }
    let known = Set(try InputListing.files(seen).compactMap { FileIdentity($0) })
    func isSeen(_ file: String) -> Bool { FileIdentity(file).map(known.contains) ?? false }
    let files = try InputListing.files(input.inputs)
    guard
      let file = input.inputs.first(where: { Path.isRegularFile($0) && isSeen($0) })
        ?? (files.allSatisfy { $0 != "-" && isSeen($0) } ? files.first : nil)
    else { return }
    throw Failure(
      .usage, "is both an input and of --seen, which removes all of its documents", file: file,
      remedy: "Leave it out of one of them")
  }

  /// Whether the documents are read once, from the first to the last.
  var readsOnce: Bool { chosenMethod != .minhash && chosenMethod != .substring && workDir == nil }

  var usesMemory: Bool { chosenMethod != .none }

  var chosenMethod: Method { method ?? (evaluation.against.isEmpty ? .exact : .none) }

  /// What `--unit` can be.
  private var units: [PartFlags.Unit] {
    switch chosenMethod {
    case .paragraph: [.line, .paragraph]
    case .substring: [.word, .byte, .token]
    case .exact, .minhash, .none: []
    }
  }

  /// Refuses the options of other methods and stages.
  private func refuseUnused() throws {
    let (method, stage, isComparing) = (chosenMethod, minhash.stage, !evaluation.against.isEmpty)
    try OptionUse.check("--method minhash", method == .minhash, minhash.given)
    try OptionUse.check(
      "--method minhash and --against", method == .minhash || isComparing, ["--ngram": minhash.ngram])
    try OptionUse.check("--method exact", method == .exact, ["--key": key])
    try OptionUse.check(
      "--key normalized, --method paragraph, --method minhash and --against",
      key == .normalized || method == .paragraph || method == .minhash || isComparing,
      ["--key-keep": keyKeep])
    try OptionUse.check(
      "--method paragraph", method == .paragraph,
      ["--min-words": parts.minWords, "--min-characters": parts.minCharacters])
    try OptionUse.check(
      "--method substring", method == .substring,
      ["--tokenizer": parts.tokenizer, "--min-length": parts.minLength, "--every-copy": parts.everyCopy])
    try OptionUse.check(
      "methods other than none", method != .none, ["--work-dir": workDir, "--memory": memory])
    try options.checkSeed("methods other than none", isUsed: method != .none)
    try OptionUse.check(
      "documents, which --dry-run does not write", !dryRun,
      ["--output": output.output, "--output-format": output.outputFormat])
    guard let stage else { return }
    try OptionUse.check("--stage signatures", stage == .signatures, minhash.givenForSignatures)
    try OptionUse.check("--stage signatures", stage == .signatures, ["--key-keep": keyKeep])
    try options.checkSeed("--stage signatures", isUsed: stage == .signatures)
    try OptionUse.check(
      "--stage filter", stage == .filter,
      ["--report": report, "--dry-run": dryRun, "--output-format": output.outputFormat])
    try OptionUse.check("work without --stage", false, ["--work-dir": workDir])
    try input.checkReading(
      "--stage signatures and --stage filter", stage == .signatures || stage == .filter)
  }

  func validate() throws {
    try refuseUnused()
    if let unit = parts.unit, !units.contains(unit) {
      throw ValidationError("--unit \(unit.rawValue) is not one of --method \(chosenMethod.rawValue)")
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
      if minhash.keep == .longest || minhash.keepBy != nil {
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
