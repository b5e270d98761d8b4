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

      Empty documents (nothing but white space) are dropped and counted. JSON lines pass byte for byte.

      --report lists one JSON object for each removed document: its file and line, the reason, file and line of the \
      document that it duplicates, and how similar the two are. --dry-run counts and reports, and writes no documents.

      EXAMPLES:
        pkm-data normalize raw/ | pkm-data dedup > unique.txt
        pkm-data dedup --documents paragraph --report removed.jsonl book.txt -o book.unique.txt
        pkm-data dedup --key normalized pages.jsonl.zst -o unique.jsonl.zst
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable { case exact, minhash }
  enum Key: String, ExpressibleByArgument, CaseIterable { case text, normalized }

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions
  @OptionGroup var minhash: MinHashFlags

  @Option(help: "What counts as a duplicate: \(Method.list).")
  var method = Method.exact

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
    switch method {
    case .exact: try runExact()
    case .minhash: try runMinHash()
    }
  }
}
