import ArgumentParser
import Commands
import Shards
import Support
import Tokenization

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every checksum and count of a dataset.",
    discussion: """
      Reads all of it and lists every problem with file and byte offset. Exit code 65 if there is any. --deep also \
      decodes documents, all of a small dataset and some ten thousand, evenly spread, of a large one, and compares \
      their bytes (byte-level) and words with those that the dataset claims.

      EXAMPLES:
        pkm-data verify shards/
        pkm-data verify --deep shards/
      """)

  @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dataset")) var dataset: String

  @Flag(help: "Decode a sample of the documents, too.") var deep = false

  @OptionGroup var options: RunOptions

  /// About how many documents `--deep` decodes.
  private static let sampleSize = 10_000

  func run() throws {
    let started = Progress.now()
    let progress = Progress("verify", isQuiet: options.quiet)
    let verifier = try DatasetVerifier(verifying: dataset, threads: options.threadCount) {
      progress.update(done: $0, of: $1)
    }
    progress.finish()
    var problems = verifier.problems.map(\.description)
    var summary = Summary()
    summary.add("bytes_in", verifier.bytes)
    summary.add("tokens", verifier.tokens)
    summary.add("documents_in", verifier.documents)
    // What cannot be read cannot be decoded either.
    if deep && problems.isEmpty { problems += try decodeSample(of: Dataset(dataset), &summary) }
    for problem in problems { Log.line(problem) }
    summary.add("problems", problems.count)
    try options.report(summary, since: started)
    if !problems.isEmpty {
      let count = problems.count
      throw Failure(
        .badInput, "the dataset has \(count) problem\(count == 1 ? "" : "s")", file: dataset,
        remedy: "Copy it again from a good source or make it again")
    }
  }

  /// Decodes every so many documents; what their text has other bytes or words than their rows say is a problem.
  private func decodeSample(of dataset: Dataset, _ summary: inout Summary) throws -> [String] {
    let tokenizer = try TokenizerJSON.read(dataset.tokenizerJSON(), file: dataset.tokenizerPath)
    let step = max(1, dataset.index.splits.values.reduce(0) { $0 + $1.documents } / Self.sampleSize)
    var problems: [String] = []
    var number = 0
    summary.add("documents_decoded", 0)
    for split in dataset.splits {
      let first = number
      try EncodedDocumentReader(dataset, split: split).forEachDocument { tokens, row in
        defer { number += 1 }
        guard number % step == 0 else { return }
        try Interruption.check()
        let text = try tokenizer.decode(tokens, keepsSpecialTokens: true)
        let words = text.withUnsafeBytes { Words.count(in: $0) }
        summary.add("documents_decoded")
        // Word mode forgets which white space stood between words.
        guard tokenizer.mode == .byteLevel && text.count != row.textBytes || words != row.words else {
          return
        }
        problems.append(
          "\(dataset.path): document \(number - first + 1) of \(split) decodes to \(text.count) bytes and "
            + "\(words) words, its row says \(row.textBytes) and \(row.words)")
      }
    }
    return problems
  }
}
