import ArgumentParser
import Commands
import Corpus
import Support

struct Dedup: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Removes duplicate documents; order kept.",
    discussion: """
      exact: documents with the same bytes (a 128-bit hash stands for them), or with --key normalized the same words: \
      case, accents, width, punctuation and the values of digits do not count. The first occurrence stays. Documents \
      stream through; memory is 27 to 53 bytes for each distinct document, 37 to 75 with --report, and what goes \
      beyond --memory is sorted on disk.

      paragraph: lines, or with --unit paragraph paragraphs, with the same words (as with --key normalized) anywhere \
      before; the first occurrence stays, where CCNet, whose scheme this is, removes it, too. Lines without a letter or \
      digit go with the line before them and are no duplicates. In JSON lines the share of the text that was removed \
      is noted down as "dedup_removed". Documents that have lost something are dropped when less than --min-words or \
      --min-characters is left. A 64-bit hash stands for a line: among a billion of them two different ones are taken \
      for the same with probability 3 %. Memory: 16 to 32 bytes for each distinct line, 27 to 54 with --report; beyond \
      --memory the rest is spooled and sorted on disk, 14 or 24 bytes a line.

      substring: spans of at least --min-length words, or bytes, that occur before, anywhere in the corpus, exactly; \
      they are cut out, all but their first occurrence, and documents of which nothing is left are dropped. \
      --every-copy cuts the first, too, and counts overlapping occurrences, as the suffix array tools do. Two passes; \
      memory is --memory, disk is the text once, 16 bytes a document and, for 50 words, some 0.4 bytes a byte of text \
      (for 100 bytes 1.3), more where much is repeated.

      --against FILE: documents that share --ngram (13) consecutive words with an evaluation set are dropped, or with \
      --mark get a field "contamination". Every string of a JSON line is an evaluation text, or --against-field alone; \
      plain text is split as --documents says. Texts of fewer words are not looked for, and counted. Memory: 8 bytes a \
      word of the evaluation sets and 16 to 40 for each of their n-grams. With a --method it comes first, and always \
      takes 13 words with minhash, where --ngram is that of the shingles.

      Empty documents (nothing but white space) are dropped and counted. JSON lines pass byte for byte.

      --report lists one JSON object for each removed document: its file and line, the reason, file and line of the \
      document that it duplicates, and how similar the two are. --dry-run counts and reports, and writes no documents.

      EXAMPLES:
        pkm-data normalize raw/ | pkm-data dedup > unique.txt
        pkm-data dedup --documents paragraph --report removed.jsonl book.txt -o book.unique.txt
        pkm-data dedup --key normalized pages.jsonl.zst -o unique.jsonl.zst
        pkm-data dedup --method paragraph --min-words 50 pages.jsonl -o clean.jsonl
        pkm-data dedup --method substring --unit byte --min-length 100 pages.jsonl -o cut.jsonl
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

  func run() throws {
    switch chosenMethod {
    case .exact: try runExact()
    case .paragraph: try runParagraph()
    case .minhash: try runMinHash()
    case .substring: try runSubstring()
    case .none: try runDecontamination()
    }
  }

  var chosenMethod: Method { method ?? (evaluation.against.isEmpty ? .exact : .none) }

  func validate() throws {
    if let unit = parts.unit, !parts.units(of: chosenMethod).contains(unit) {
      throw ValidationError("--unit \(unit.rawValue) is not one of --method \(chosenMethod.rawValue)")
    }
    if chosenMethod == .none && evaluation.against.isEmpty {
      throw ValidationError("--method none needs --against")
    }
    if minhash.stage != nil && !evaluation.against.isEmpty {
      throw ValidationError("--against comes before the stages: run it by itself first")
    }
  }
}
